"""The console in a real browser: it loads without complaint, shows the seeded sums, and works from the keyboard."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from proxy.admin.console.figures import count, usd
from proxy.admin.console.span import SPANS, window
from proxy.core.money import Nano, exact_usd
from proxy.telemetry import OperationRow
from tests.browser.seeded_console import HOSTILE, NOW, PEOPLE, Person, Site

pytestmark = pytest.mark.browser

# Every text against the first painted ground behind it; large or bold text may have less (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const parse = (text) => { const [r, g, b, a] = text.match(/[\\d.]+/g).map(Number); return { r, g, b, a: a ?? 1 }; };
  const light = ({ r, g, b }) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const paint = parse(getComputedStyle(at).backgroundColor);
      if (paint.a === 1) return paint;
    }
    return parse(getComputedStyle(document.documentElement).backgroundColor);
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const owner = walker.currentNode.parentElement;
    const style = getComputedStyle(owner);
    if (!walker.currentNode.data.trim() || !owner.checkVisibility() || owner.closest(".unseen, title")) continue;
    const svg = owner.closest("svg") !== null;
    const [x, y] = [light(parse(svg ? style.fill : style.color)), light(ground(owner.closest("svg") ?? owner))];
    const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
    if (ratio < 4.5) poor.push(`${walker.currentNode.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""

Open = Callable[..., Page]


@pytest.fixture
def open_console(site: Site, chromium: Browser) -> Iterator[Open]:
    """Opens pages as a signed-in person; afterwards none of them may have complained or asked a foreign host."""
    complaints: list[str] = []
    contexts = []

    def open_page(path: str = "spend", *, who: str = "owner-token", **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda told: complaints.append(f"{told.type}: {told.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda sent: None if sent.url.startswith(site.url) else complaints.append(sent.url))
        page.goto(site.url + site.sessions.link_path(PEOPLE[who]))
        page.wait_for_url("**/console/spend")
        if path != "spend":
            page.goto(f"{site.url}/console/{path}")
        return page

    yield open_page
    for context in contexts:
        assert not any(page.evaluate("window.pwned") for page in context.pages)
        context.close()
    assert complaints == []


@contextmanager
def signed_out(site: Site, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/console/")
    yield page
    context.close()


def of_span(site: Site, name: str, org: str | None = None) -> list[OperationRow]:
    laid = window(next(span for span in SPANS if span.name == name), NOW)
    start, end = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (laid.start, laid.end))
    return [row for row in site.rows if start <= row.charged_at < end and org in (None, row.org)]


def cost(rows: list[OperationRow]) -> Nano:
    return Nano(sum(exact_usd(row.cost_usd) for row in rows if row.cost_usd))


def paths(site: Site) -> list[str]:
    good = next(row for row in site.rows if row.outcome == "ok")
    failed = next(row for row in site.rows if row.outcome == "upstream_error")
    return [
        "spend",
        "spend?range=30d&by=key",
        "operations",
        "operations?model=none-such",
        "boards",
        *(f"operations/{row.operation_id}" for row in (good, failed)),
        *(
            "budgets",
            "budgets/acme-cap",
            "budgets/users-day",
            "budgets/tokens-week",
            "limits/acme-at-once",
            "runs",
            "approvals",
            "switches",
        ),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_loads_without_complaint_and_can_be_read(site: Site, open_console: Open, scheme: str) -> None:
    page = open_console(color_scheme=scheme)
    for path in paths(site):
        page.goto(f"{site.url}/console/{path}")
        assert page.evaluate(CONTRAST) == [], path
        assert page.locator("h1").count() == page.locator("main").count() == 1
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 150) == (scheme == "dark")


@pytest.mark.parametrize("width", [400, 1280, 1920])
def test_no_page_is_wider_than_the_window(site: Site, open_console: Open, width: int) -> None:
    page = open_console(viewport={"width": width, "height": 900})
    for path in paths(site):
        page.goto(f"{site.url}/console/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


@pytest.mark.parametrize("span", [span.name for span in SPANS])
def test_the_shown_sums_are_the_seeded_sums(site: Site, open_console: Open, span: str) -> None:
    rows = of_span(site, span)
    page = open_console(f"spend?range={span}&by=provider")
    assert page.locator(".tile .value").first.inner_text() == usd(cost(rows))
    assert page.locator(".tile .value").nth(1).inner_text() == count(len(rows))
    for provider in ("openai", "anthropic"):
        own = [row for row in rows if row.provider == provider]
        line = page.locator(".ranking tbody tr", has_text=provider)
        told = Nano(exact_usd(line.locator("td").first.inner_text().replace("$", "").replace(",", "")))
        assert (told, line.locator("td").nth(2).inner_text()) == (cost(own), count(len(own)))
    page.locator("summary").click()
    cells = page.locator("details td").all_inner_texts()
    assert sum(exact_usd(cell.replace("$", "").replace(",", "")) for cell in cells) == cost(rows)


def test_the_bars_are_as_high_as_the_amounts(site: Site, open_console: Open) -> None:
    page = open_console("spend?range=24h&by=org")
    heights = {
        name: page.evaluate(
            f"[...document.querySelectorAll('.plot .bar.{name}')].reduce((sum, bar) => sum + bar.getBBox().height, 0)"
        )
        for name in ("c0", "c1")
    }
    acme, globex = (cost(of_span(site, "24h", org)) for org in ("acme", "globex"))
    assert heights["c0"] / heights["c1"] == pytest.approx(max(acme, globex) / min(acme, globex), rel=0.01)


def test_a_bar_tells_its_amounts_when_pointed_at(open_console: Open) -> None:
    page = open_console("spend?range=30d&by=org")
    page.locator(".plot .slot .hit").last.hover()
    tip = page.locator(".tip")
    expect(tip).to_be_visible()
    assert "Total" in tip.inner_text() and "$" in tip.inner_text() and "acme" in tip.inner_text()
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()


def test_the_keyboard_reaches_and_works_everything(site: Site, open_console: Open) -> None:
    page = open_console()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "1h"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**range=7d**")
    page.locator("#by").focus()
    page.keyboard.type("team")
    page.keyboard.press("Enter")
    page.wait_for_url("**by=team**")
    assert "range=7d" in page.url and page.evaluate("document.activeElement.id") == "by"
    assert page.locator(".ranking tbody th").first.inner_text().startswith("acme/")


def test_from_the_list_to_the_explanation(site: Site, open_console: Open) -> None:
    page = open_console("operations")
    page.locator("#outcome-filter").select_option("ok")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url("**outcome=ok**")
    assert set(page.locator(".recent .badge").all_inner_texts()) == {"ok"}
    page.locator(".recent tbody a").first.click()
    row = next(row for row in site.rows if row.outcome == "ok" and row.operation_id in page.url)
    shown = page.locator("main").inner_text()
    assert usd(cost([row])) in shown and "0.0081200000001" in shown and row.run in shown
    assert page.locator(".timeline tbody th").all_inner_texts() == [
        "identity",
        "read",
        "hold",
        "upstream",
        f"#1 {row.provider}",
        "policy: request",
        "tried: request",
    ]


def test_hostile_text_is_shown_as_text(site: Site, open_console: Open) -> None:
    failed = next(row for row in site.rows if row.outcome == "upstream_error")
    page = open_console(f"operations/{failed.operation_id}")
    assert HOSTILE in page.locator("main").inner_text()
    page.goto(f"{site.url}/console/spend?range=30d&by=agent")
    assert HOSTILE in page.locator(".ranking").inner_text()
    assert page.locator("img[src='x']").count() == 0


def test_a_bound_person_sees_their_org_only(site: Site, open_console: Open) -> None:
    page = open_console("spend?range=30d&by=key", who="globex-token")
    assert page.locator(".tile .value").first.inner_text() == usd(cost(of_span(site, "30d", "globex")))
    assert "acme" not in page.locator("main").inner_text()
    foreign = next(row for row in site.rows if row.org == "acme")
    page.goto(f"{site.url}/console/operations")
    assert foreign.operation_id not in page.content()
    answer = page.request.get(f"{site.url}/console/operations/{foreign.operation_id}")
    assert answer.status == 404


def test_budgets_stand_beside_the_spend(open_console: Open) -> None:
    budgets = open_console().locator(".budgets").inner_text()
    assert "$12.000000001 spent of $20.00" in budgets and "resets in 10 days" in budgets
    assert "$0.000000001 over" in budgets


def test_an_empty_console_offers_a_command(open_console: Open) -> None:
    page = open_console(who="nobody-token")
    assert "No calls yet" in page.locator("main").inner_text()
    assert page.locator("#first-call").inner_text().startswith("curl http://127.0.0.1:4000/v1/chat/completions")


def test_signing_in_and_out_with_a_token(site: Site, chromium: Browser) -> None:
    with signed_out(site, chromium) as page:
        page.wait_for_url("**/console/login")
        page.locator("#token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("unknown, expired or revoked")
        page.locator("#token").fill("owner-token")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/spend")
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/console/login")
        page.goto(f"{site.url}/console/spend")
        page.wait_for_url("**/console/login")


def test_a_link_opens_once(site: Site, chromium: Browser) -> None:
    path = site.sessions.link_path(Person())
    with signed_out(site, chromium) as page:
        page.goto(site.url + path)
        page.wait_for_url("**/console/spend")
    with signed_out(site, chromium) as page:
        page.goto(site.url + path)
        assert "used up" in page.locator("h1").inner_text()


def test_everything_works_without_scripts(site: Site, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url + site.sessions.link_path(Person()))
    page.wait_for_url("**/console/spend")
    page.locator("#by").select_option("org")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**by=org**")
    assert page.locator(".ranking tbody th").count() == 2
    context.close()
