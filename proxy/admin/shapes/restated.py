"""A budget or rate limit as the API shows it, in the words its PUT takes: to change one thing and keep the rest."""

from collections.abc import Mapping
from typing import Any, Final

UNITS: Final = ("usd", "tokens", "requests", "concurrent")
"""The endings of what it may count."""
_SAME: Final = ("scope", "timezone", "models", "ladder", "enforcement", "window", "length", "tokens")
_OF_BUDGETS: Final = ("hard", "clamp", "opening_spent_usd")


def unit_of(shown: Mapping[str, Any]) -> str:
    """What it counts, as the ending of its fields."""
    return next(unit for unit in UNITS if f"limit_{unit}" in shown)


def restated(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The whole of it; raises are not part of that."""
    unit = unit_of(shown)
    names = _SAME if shown["object"] == "limit" else (*_SAME, *_OF_BUDGETS)
    body = {name: shown[name] for name in names if name in shown}
    body[f"limit_{unit}"] = shown[f"base_limit_{unit}"]
    if unit == "concurrent":
        del body["window"], body["length"]
    return body
