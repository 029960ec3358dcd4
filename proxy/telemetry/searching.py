"""What of the operations is looked for beside their names: when, how dear, and how their ids begin."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proxy.core.money import Nano, to_usd_text

MOST_DIGITS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationSearch:
    """Operations charged from `start` up to, not including, `end`, that cost from `least` to `most`, both included.

    None is no bound; a call without a known price has no cost to be compared. `prefix` is how the id begins.
    """

    start: datetime | None = None
    end: datetime | None = None
    prefix: str = ""
    least: Nano | None = None
    most: Nano | None = None


EVERYTHING = OperationSearch()


def search_terms(search: OperationSearch, parameters: dict[str, Any]) -> list[str]:
    """WHERE terms of a table of operations called `t`; the values go into `parameters`."""
    terms = []
    for name, at, compares in (("since", search.start, ">="), ("until", search.end, "<")):
        if at is not None:
            parameters[name] = f"{at.timestamp():.3f}"
            terms.append(f"t.charged_at {compares} toDateTime64({{{name}:Decimal(18, 3)}}, 3, 'UTC')")
    for name, amount, compares in (("least", search.least, ">="), ("most", search.most, "<=")):
        if amount is not None:
            parameters[name] = to_usd_text(amount)
            terms.append(f"t.cost_usd {compares} toDecimal128({{{name}:String}}, 9)")
    if search.prefix:
        parameters["prefix"] = search.prefix[:MOST_DIGITS]
        terms.append("startsWith(t.operation_id, {prefix:String})")
    return terms
