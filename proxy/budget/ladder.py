"""What a ladder does to a line: which of its rungs a call reaches, and where it must next be asked."""

from collections.abc import Collection, Iterable
from dataclasses import fields
from typing import Final

from proxy.budget.ledger import HoldLine, Rung

_ASKING: Final = frozenset({"downgrade", "throttle", "cache_only"})
_FIELDS: Final = tuple(field.name for field in fields(HoldLine))


def next_gate(line: HoldLine, handled: Collection[Rung] = ()) -> int | None:
    """Where a call that has climbed those rungs must stop again, in the line's unit; None: no more of them.

    A call stops at rungs that change it (downgrade, throttle, cache_only); an alert and a block need no answer. A line
    whose enforcement is `observe` stops nobody.
    """
    if line.observed:
        return None
    whole = nominal(line)
    return min(
        (rung.threshold(whole) for rung in line.ladder if rung.do in _ASKING and rung not in handled), default=None
    )


def reached(line: HoldLine, spent: int, held: int, wanted: int) -> tuple[Rung, ...]:
    """The rungs that a line stands on with those amounts, in the line's unit, lowest first.

    `wanted` is what a call would add; 0 asks where the line stands without it.
    """
    return climbed(line.ladder, nominal(line), spent + held + wanted)


def climbed(ladder: Iterable[Rung], limit: int, amount: int) -> tuple[Rung, ...]:
    """The rungs of a ladder below an amount, lowest first; `limit` is the one that people set."""
    return tuple(rung for rung in ladder if amount > rung.threshold(limit))


def refuses_above(ladder: Iterable[Rung], limit: int) -> int:
    """Where a line with that ladder refuses: at its block, else at the limit itself."""
    return next((rung.threshold(limit) for rung in ladder if rung.do == "block"), limit)


def nominal(line: HoldLine) -> int:
    """The limit that people set, of which a ladder's rungs are fractions; a line may refuse before that."""
    return line.limit if line.whole is None else line.whole


def regated(line: HoldLine, gate: int | None) -> HoldLine:
    """The same line with another gate; the same object where it is the gate it has."""
    if gate == line.gate:
        return line
    values = {name: getattr(line, name) for name in _FIELDS}
    values["gate"] = gate
    return HoldLine(**values)
