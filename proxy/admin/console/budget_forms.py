"""The forms on a budget's or limit's own page: raise it for a while, end a raise, change its limit."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from proxy.admin.console.budgets_page import address
from proxy.admin.console.figures import moment
from proxy.admin.console.gauge import Gauge
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.shell import Place, card, form_token
from proxy.admin.shapes.restated import restated

SPANS: Final[Mapping[str, tuple[str, timedelta]]] = {
    "1h": ("one hour", timedelta(hours=1)),
    "1d": ("one day", timedelta(days=1)),
    "7d": ("one week", timedelta(days=7)),
}
UNTIL_RESET: Final = "reset"
_UNITS: Final = {"usd": "US dollars", "tokens": "tokens", "requests": "calls", "concurrent": "calls at once"}
_WHOLE: Final = r"[0-9]+"
_MONEY: Final = r"[0-9]+(\.[0-9]{1,9})?"


def raise_card(place: Place, gauge: Gauge) -> Html:
    """Raise the limit for a while."""
    options = [el("option", f"for {words}", value=name) for name, (words, _) in SPANS.items()]
    if gauge.resets_at is not None and not gauge.shape.length:
        options.append(el("option", "until it resets", value=UNTIL_RESET, selected=True))
    fields = join(
        _field("raise-by", f"By how much, in {_UNITS[gauge.word]}", _amount(gauge, "raise-by", "by", "")),
        _field("raise-until", "How long", el("select", options, name="until", id="raise-until")),
        _field("raise-reason", "Why", _text("raise-reason", "reason", required=True, maxlength=500)),
    )
    return card("Raise it for a while", _form(place, gauge, "raise", fields, "Raise"), name="raise")


def limit_card(place: Place, gauge: Gauge, tag: str) -> Html:
    """Change the limit for good; the tag refuses the change if somebody else was faster."""
    if gauge.fact("managed_by") == "file":
        words = "It stands in flyball.yaml: change it there, and it is followed within seconds."
        return card("Change its limit", el("p", words, class_="hint"), name="change")
    stated = _plain(gauge, gauge.amount("base_limit"))
    fields = join(
        _field("new-limit", f"New limit, in {_UNITS[gauge.word]}", _amount(gauge, "new-limit", "limit", stated)),
        el("input", type="hidden", name="tag", value=tag),
    )
    return card("Change its limit", _form(place, gauge, "limit", fields, "Change"), name="change")


def raises_list(place: Place, gauge: Gauge, may_end: bool) -> Html | None:
    """The raises that hold, each with who made it and why."""
    raises = gauge.fact("raises") or ()
    if not raises:
        return None
    items = [
        el(
            "li",
            el("p", el("b", f"+{gauge.told(gauge.amount('by', made))}"), " until ", moment(made.until)),
            el("p", f"{made.made_by}: {made.reason}", class_="muted"),
            _form(place, gauge, "end-raise", _hidden("raise", made.id), "End it now", quiet=True) if may_end else None,
        )
        for made in raises
    ]
    base = gauge.told(gauge.amount("base_limit"))
    return card("Raises that hold", el("ul", items, class_="raises"), name="raises", note=f"the stated limit is {base}")


def with_limit(gauge: Gauge, limit: str | int) -> dict[str, Any]:
    """The whole of it in the words of the API's PUT, with another limit."""
    return restated(msgspec.to_builtins(gauge.shape)) | {f"limit_{gauge.word}": limit}


def _form(place: Place, gauge: Gauge, action: str, fields: Child, button: str, *, quiet: bool = False) -> Html | None:
    if place.session is None:
        return None
    return el(
        "form",
        form_token(place.session),
        fields,
        el("button", button, type="submit", class_="quiet" if quiet else None),
        method="post",
        action=place.url(f"{address(gauge)}/{action}"),
        class_="inline" if quiet else "change",
    )


def _field(name: str, words: str, control: Html) -> Html:
    return el("div", el("label", words, for_=name), control, class_="field")


def _amount(gauge: Gauge, name: str, field: str, value: str) -> Html:
    money = gauge.word == "usd"
    return el(
        "input",
        type="text",
        inputmode="decimal" if money else "numeric",
        pattern=_MONEY if money else _WHOLE,
        title="Digits, with a point and up to nine digits after it" if money else "A whole number",
        name=field,
        id=name,
        value=value,
        required=True,
        maxlength=24,
        autocomplete="off",
    )


def _text(name: str, field: str, *, required: bool, maxlength: int) -> Html:
    return el("input", type="text", name=field, id=name, required=required, maxlength=maxlength, autocomplete="off")


def _hidden(name: str, value: str) -> Html:
    return el("input", type="hidden", name=name, value=value)


def _plain(gauge: Gauge, amount: int) -> str:
    if gauge.word != "usd":
        return str(amount)
    return str(gauge.fact("base_limit_usd"))


def until(choice: str, gauge: Gauge, now: datetime) -> datetime | None:
    """The moment that a choice of the raise form means; None for one that is none."""
    if choice == UNTIL_RESET:
        return gauge.resets_at
    return now + SPANS[choice][1] if choice in SPANS else None
