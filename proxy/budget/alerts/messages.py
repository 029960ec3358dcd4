"""Alerts in words and as JSON, as receivers get them."""

import json
from datetime import datetime
from typing import Any, Final, Literal

from proxy.budget.alerts.alert import Alert
from proxy.budget.ledger import LineKind, Unit
from proxy.budget.rungs import fraction_text
from proxy.budget.told import WORDS, spoken
from proxy.core.clock import utc
from proxy.core.money import to_usd_text

MOST_BYTES: Final = 16_384
_LONGEST_SCOPE: Final = 400
_THEN: Final = {
    "alert": "",
    "downgrade": "From here on calls are served by other models.",
    "cache_only": "From here on only answers from a cache are given.",
    "throttle": "From here on calls are delayed.",
    "block": "Calls that do not fit are refused, where enforcement is on.",
    "overrun": "",
    "policy": "",
    "approval": "",
    "routing": "",
    "test": "",
}
_WITHOUT_NUMBERS: Final = ("policy", "approval", "routing")
_NAMES: Final = {LineKind.BUDGET: "budget", LineKind.RATE: "rate_limit", LineKind.RUN: "run_limit"}


def amounts_of(alert: Alert) -> dict[str, str | int]:
    """Its numbers under the names that refusals and the admin API give them, such as `spent_usd`."""
    if alert.kind in _WITHOUT_NUMBERS:
        return {}
    numbers = {"limit": alert.limit, "spent": alert.spent, "held": alert.held, "overrun": alert.overrun}
    word = WORDS[alert.unit]
    return {f"{name}_{word}": to_usd_text(of) if alert.unit is Unit.USD else of for name, of in numbers.items()}


def sentence(alert: Alert) -> str:
    """What happened, in one or two sentences."""
    if alert.kind == "test":
        return "This is a test: Flyball can send alerts here."
    if alert.kind == "policy":
        return f"A policy alerts for {alert.scope[:_LONGEST_SCOPE]}: {alert.message}"
    if alert.kind == "routing":
        return alert.message
    if alert.kind == "approval":
        return f"A call of {alert.scope[:_LONGEST_SCOPE]} waits for a person, {alert.window}: {alert.message}"
    noun = "rate limit" if alert.subject is LineKind.RATE else "budget"
    which = f"The {noun} {alert.budget} of {alert.scope[:_LONGEST_SCOPE]}"
    limit, spent = spoken(alert.unit, alert.limit), spoken(alert.unit, alert.spent)
    if alert.kind == "overrun":
        over = spoken(alert.unit, alert.overrun)
        return f"{which}: bills came to {over} more than was held for them. {spent} of {limit} are spent{_ends(alert)}."
    held = f" and {spoken(alert.unit, alert.held)} held" if alert.held else ""
    then = _THEN[alert.kind]
    fraction = f"{percent(alert.fraction_millionths)} of {limit}"
    stands = f"{spent} spent{held}{_ends(alert)}."
    if alert.kind == "block" and alert.spent + alert.held < alert.limit * alert.fraction_millionths // 1_000_000:
        return f"{which} refused a call that did not fit under {fraction}: {stands}"
    return f"{which} has reached {fraction}: {stands}{f' {then}' if then else ''}"


def percent(millionths: int) -> str:
    """A fraction as people say it, such as `80 %`."""
    whole, rest = divmod(millionths, 10_000)
    return f"{whole}{f'.{rest:04d}'.rstrip('0') if rest else ''} %"


def webhook_body(alert: Alert) -> bytes:
    """The JSON that a webhook gets."""
    if alert.kind in ("policy", "routing"):
        return _saying_body(alert)
    if alert.kind == "approval":
        return _approval_body(alert)
    said: dict[str, Any] = {
        "type": f"{_NAMES[alert.subject]}.{alert.kind}",
        "timestamp": _instant(alert.at_ns),
        "data": {
            "id": alert.id,
            "kind": alert.kind,
            "message": sentence(alert),
            _NAMES[alert.subject]: alert.budget,
            "org": alert.org,
            "scope": alert.scope,
            "window": alert.window,
            "resets_at": None if alert.resets_at_ns is None else _instant(alert.resets_at_ns),
            "fraction": fraction_text(alert.fraction_millionths),
            "unit": alert.unit.value,
            **amounts_of(alert),
        },
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _saying_body(alert: Alert) -> bytes:
    said = {
        "type": f"{alert.kind}.alert",
        "timestamp": _instant(alert.at_ns),
        "data": {
            "id": alert.id,
            "kind": alert.kind,
            "message": alert.message,
            "org": alert.org,
            "scope": alert.scope,
            "window": alert.window,
            "operation": alert.operation,
        },
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _approval_body(alert: Alert) -> bytes:
    """Links are paths of the admin port: only who runs it knows under which name people reach it."""
    said = {
        "type": "approval.requested",
        "timestamp": _instant(alert.at_ns),
        "data": {
            "id": alert.id,
            "kind": alert.kind,
            "message": sentence(alert),
            "approval": alert.budget,
            "org": alert.org,
            "scope": alert.scope,
            "operation": alert.operation,
            "expires_at": None if alert.resets_at_ns is None else _instant(alert.resets_at_ns),
            "console": f"/console/approvals/{alert.budget}",
            "api": f"/admin/v1/approvals/{alert.budget}",
        },
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def slack_body(alert: Alert) -> bytes:
    """The JSON that a Slack webhook gets: a sentence, and the numbers beside it."""
    figures = [
        f"*{label}*\n{_escaped(value)}"
        for label, value in (
            ("Scope", alert.scope[:_LONGEST_SCOPE]),
            ("Window", alert.window),
            ("Limit", spoken(alert.unit, alert.limit)),
            ("Spent", spoken(alert.unit, alert.spent)),
            ("Held", spoken(alert.unit, alert.held)),
            ("Overrun", spoken(alert.unit, alert.overrun)),
        )
    ]
    text = _escaped(sentence(alert))
    blocks: list[dict[str, Any]] = [{"type": "section", "text": {"type": "mrkdwn", "text": f"{_mark(alert)} {text}"}}]
    if alert.kind != "test" and alert.kind not in _WITHOUT_NUMBERS:
        blocks.append({"type": "section", "fields": [{"type": "mrkdwn", "text": each} for each in figures]})
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": f"Flyball · {alert.id}"}]})
    return json.dumps({"text": text, "blocks": blocks}, ensure_ascii=False, separators=(",", ":")).encode()


def body_for(kind: Literal["webhook", "slack"], alert: Alert) -> bytes:
    """What a receiver of that kind gets; at most 16 KB."""
    body = slack_body(alert) if kind == "slack" else webhook_body(alert)
    if len(body) > MOST_BYTES:
        raise ValueError(f"an alert of {len(body)} bytes")
    return body


def _mark(alert: Alert) -> str:
    return (
        ":information_source:"
        if alert.kind == "test"
        else ":warning:"
        if alert.kind in ("alert", *_WITHOUT_NUMBERS)
        else ":no_entry:"
    )


def _ends(alert: Alert) -> str:
    if alert.unit is Unit.SLOTS or alert.resets_at_ns is None:
        return "" if alert.unit is Unit.SLOTS else " in total"
    return f" in {alert.window}, which ends at {_instant(alert.resets_at_ns)}"


def _instant(ns: int) -> str:
    moment: datetime = utc(ns).replace(microsecond=0, tzinfo=None)
    return f"{moment.isoformat()}Z"


def _escaped(text: str) -> str:
    """Slack reads these three as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
