"""The bar of a budget or limit: what is spent and held of its limit, and where its ladder's rungs stand."""

from decimal import Decimal
from typing import Final

from proxy.admin.console.figures import permille, share
from proxy.admin.console.gauge import Gauge
from proxy.admin.console.markup import Html, el

RUNG_WORDS: Final = {
    "alert": "alert",
    "downgrade": "downgrade",
    "cache_only": "cached answers only",
    "throttle": "throttle",
    "block": "block",
}


def meter(gauge: Gauge, *, height: int = 12) -> Html:
    """The bar; a screen reader is told the shares and the rungs."""
    spent = permille(gauge.spent, gauge.limit) if gauge.limit else 1000
    held = min(1000 - spent, permille(gauge.held, gauge.limit))
    rungs = gauge.fact("ladder") or ()
    told = f"{share(gauge.spent, gauge.limit)} spent, {share(gauge.held, gauge.limit)} held"
    steps = "; ".join(f"{percent(rung.at)} {RUNG_WORDS[rung.do]}" for rung in rungs)
    return el(
        "svg",
        el("rect", width="100%", height="100%", class_="track"),
        el("rect", width=_of(spent), height="100%", class_="spent"),
        el("rect", x=_of(spent), width=_of(held), height="100%", class_="held") if held else None,
        [_rung(rung) for rung in rungs],
        class_=f"meter {gauge.tone}".strip(),
        role="img",
        aria_label=f"{told}{'; ladder: ' + steps if steps else ''}",
        width="100%",
        height=height,
    )


def rung_list(gauge: Gauge) -> Html | None:
    """The rungs in words, those that are reached set off."""
    rungs = gauge.fact("ladder") or ()
    if not rungs:
        return None
    reached = {(rung.at, rung.do) for rung in gauge.fact("rungs_reached") or ()}
    items = [
        el(
            "li",
            el("b", percent(rung.at)),
            f" {rung_words(rung)}",
            el("span", " reached", class_="reached") if (rung.at, rung.do) in reached else None,
            class_=f"rung {'on' if (rung.at, rung.do) in reached else ''}".strip(),
        )
        for rung in rungs
    ]
    return el("ul", items, class_="rungs", aria_label="Ladder")


def rung_words(rung: object) -> str:
    """What a rung does, with what it needs."""
    do = getattr(rung, "do", "")
    to, delay_ms = getattr(rung, "to", None), getattr(rung, "delay_ms", None)
    if do == "downgrade" and isinstance(to, dict):
        return "downgrade " + ", ".join(f"{asked} → {given}" for asked, given in to.items())
    if do == "throttle" and isinstance(delay_ms, int):
        return f"throttle by {delay_ms:,} ms"
    return RUNG_WORDS.get(do, do)


def percent(fraction: str) -> str:
    """A fraction such as `0.85` as `85 %`."""
    text = f"{Decimal(fraction) * 100:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def _rung(rung: object) -> Html:
    at = getattr(rung, "at", "0")
    # A rung at the very end would be cut off by half its width.
    place = min(Decimal(at) * 100, Decimal("99.6"))
    return el("rect", x=f"{place}%", width=2, height="100%", class_=f"rung {getattr(rung, 'do', '')}")


def _of(thousandths: int) -> str:
    return f"{thousandths // 10}.{thousandths % 10}%"
