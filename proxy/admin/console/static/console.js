"use strict";
// Everything works without this file: it only saves a click and shows a nicer tooltip.

for (const form of document.querySelectorAll("form[data-auto]")) {
  form.classList.add("auto");
  form.addEventListener("change", () => form.requestSubmit());
}

// The page comes back after a select was changed: so does the focus.
const KEPT = "flyball-focus";
document.addEventListener("submit", () => sessionStorage.setItem(KEPT, document.activeElement?.id ?? ""));
const kept = sessionStorage.getItem(KEPT);
sessionStorage.removeItem(KEPT);
if (kept) document.getElementById(kept)?.focus();

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);

function show(text, at) {
  tip.replaceChildren(...text.split("\n").map((line, index) => {
    const row = document.createElement(index ? "div" : "b");
    const cut = line.lastIndexOf("  ");
    row.append(...(cut < 0 ? [line] : [line.slice(0, cut), Object.assign(document.createElement("span"), { textContent: line.slice(cut) })]));
    return row;
  }));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = at.clientX + 16 + box.width > innerWidth ? at.clientX - 16 - box.width : at.clientX + 16;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.max(8, Math.min(at.clientY + 16, innerHeight - box.height - 8))}px`;
}

for (const slot of document.querySelectorAll("svg.plot g.slot")) {
  const title = slot.querySelector("title");
  const text = title.textContent;
  title.remove();
  slot.addEventListener("pointermove", (event) => show(text, event));
  slot.addEventListener("pointerleave", () => { tip.hidden = true; });
}
