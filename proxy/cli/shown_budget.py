"""Budgets and rate limits as text, with the admin API's own numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from proxy.admin.shapes.restated import unit_of
from proxy.cli.table import plain, print_table

_AMOUNTS: Final = ("spent", "held", "limit", "remaining", "overrun")
_RIGHT: Final = (2, 3, 4, 5, 6)
_CHANGING: Final = ("spent_", "held_", "overrun_", "remaining_", "limit_", "counted_", "fraction", "exceeded", "rungs_")
_UNSAID: Final = frozenset({"resets_at", "current_window", "raises", "warnings", "forecast", "object", "id"})


def print_list(found: Sequence[Mapping[str, Any]]) -> None:
    """One line each."""
    head = ("NAME", "SCOPE", "SPENT", "HELD", "LIMIT", "LEFT", "USED", "RESETS", "NOTES")
    print_table(head, [_line(one) for one in found], right=_RIGHT)


def print_one(told: Mapping[str, Any]) -> None:
    """Everything about one."""
    for name, value in _facts(told):
        print(f"{name + ':':<13} {plain(value)}")
    for rung in told["ladder"]:
        reached = "  (reached)" if rung in told["rungs_reached"] else ""
        print(f"{'rung:':<13} {_rung(rung)}{reached}")
    for made in told["raises"]:
        by = _amount(made, "by", unit_of(told))
        print(f"{'raise:':<13} {made['id']}  +{by} until {made['until']}, {made['made_by']}: {plain(made['reason'])}")
    for line in _forecast(told):
        print(f"{'forecast:':<13} {line}")
    for warning in told.get("warnings", ()):
        print(f"{'WARNING:':<13} {plain(warning)}")


def print_history(found: Sequence[Mapping[str, Any]]) -> None:
    """Who changed what, and how it was before and after."""
    if not found:
        print("nobody changed it through the admin API; what flyball.yaml says is not in here")
    for record in found:
        print(f"{record['at']}  {record['actor']} ({record['role']})  {record['action']}")
        for line in _differences(record["before"] or {}, record["after"] or {}):
            print(f"    {plain(line)}")


def _line(told: Mapping[str, Any]) -> tuple[str, ...]:
    unit = unit_of(told)
    scope = told.get("counted_scope", told["scope"])
    used = "–" if told["fraction"] is None else _percent(told["fraction"])
    amounts = (_amount(told, name, unit) for name in ("spent", "held", "limit", "remaining"))
    return (told["name"], scope, *amounts, used, told["resets_at"] or "never", " ".join(_notes(told)))


def _notes(told: Mapping[str, Any]) -> list[str]:
    overrun = told[f"overrun_{unit_of(told)}"]
    marks = {
        f"for {told['scope']}": "counted_scope" in told,
        "soft": told.get("hard") is False,
        "observed": told["enforcement"] == "observe",
        "raised": bool(told["raises"]),
        f"overrun {overrun}": str(overrun).strip("0.") != "",
        "file": told["managed_by"] == "file",
        f"{len(told.get('warnings', ()))} warnings": bool(told.get("warnings")),
    }
    return [words for words, holds in marks.items() if holds]


def _facts(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    unit = unit_of(told)
    facts = [("name", told["name"]), ("scope", told["scope"])]
    if "counted_scope" in told:
        facts.append(("counted", f"{told['counted_scope']} (the fullest of {told['counted_scopes']}, unless asked)"))
    facts.append(("window", f"{told['window']} {told['length']} {told['timezone']}, now {told['current_window']}"))
    facts += [(name, _amount(told, name, unit)) for name in _AMOUNTS]
    if f"blocks_at_{unit}" in told:
        facts.append(("blocks at", _amount(told, "blocks_at", unit)))
    facts.append(("resets", told["resets_at"] or "never"))
    if told["models"]:
        facts.append(("models", ", ".join(told["models"])))
    facts.append(("enforcement", f"{told['enforcement']}{'' if told.get('hard', True) else ', soft'}"))
    facts.append(("managed by", "flyball.yaml" if told["managed_by"] == "file" else "the admin API"))
    return facts


def _forecast(told: Mapping[str, Any]) -> list[str]:
    found, unit = told.get("forecast"), unit_of(told)
    if found is None:
        return []
    if "none" in found:
        return [f"none: {found['none']}"]
    lines = []
    if f"expected_{unit}" in found:
        low, high = (_amount(found, name, unit) for name in ("low", "high"))
        lines.append(f"{_amount(found, 'expected', unit)} at its end, {low} to {high} four times in five")
    if found["exhausted_at"]:
        earliest = found["exhausted_earliest_at"] or found["exhausted_at"]
        lines.append(f"used up {found['exhausted_at']} as it goes, {earliest} at the earliest")
    elif found["exhausted_earliest_at"]:
        lines.append(f"may be used up from {found['exhausted_earliest_at']} on")
    return lines


def _amount(told: Mapping[str, Any], name: str, unit: str) -> str:
    amount = told[f"{name}_{unit}"]
    return f"${amount}" if unit == "usd" else f"{amount:,} {unit}"


def _rung(rung: Mapping[str, Any]) -> str:
    more = ", ".join(f"{asked} → {given}" for asked, given in rung.get("to", {}).items())
    delay = f"{rung['delay_ms']} ms" if "delay_ms" in rung else ""
    return " ".join(part for part in (_percent(rung["at"]), rung["do"], more, delay) if part)


def _percent(fraction: str) -> str:
    """A decimal text such as `0.855` as `85.5 %`."""
    whole, _, digits = fraction.partition(".")
    digits = digits.ljust(2, "0")
    rest = digits[2:].rstrip("0")
    return f"{int(whole + digits[:2])}{'.' + rest if rest else ''} %"


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    if not before or not after:
        told = before or after
        return [f"{name}: {told[name]}" for name in told if _is_stated(name) and told[name] not in ("", [], None)]
    return [f"{name}: {before.get(name)} → {after[name]}" for name in after if _differs(name, before, after)]


def _differs(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return _is_stated(name) and before.get(name) != after[name]


def _is_stated(name: str) -> bool:
    return name not in _UNSAID and not name.startswith(_CHANGING) and not name.endswith("_nano")
