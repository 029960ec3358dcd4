"""Ladders as people state them, checked: what happens at which fraction of a limit."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Final

from proxy.budget.bad_budget import BadBudget
from proxy.budget.ledger import Rung
from proxy.budget.settings import RungEntry

_WHOLE: Final = 1_000_000
_DIGITS: Final = 6
_MOST_RUNGS: Final = 20
_MOST_TARGETS: Final = 64
_LONGEST: Final = 200
_LONGEST_DELAY_MS: Final = 10_000


def rungs_of(entries: Sequence[RungEntry]) -> tuple[Rung, ...]:
    """The rungs that someone stated, with their fractions in millionths; not yet checked against each other.

    Raises:
        BadBudget: a fraction that is no decimal number of at most six digits from 0 to 1.
    """
    return tuple(
        Rung(_millionths(f"ladder[{at}].at", each.at), each.do, tuple(each.to.items()), each.delay_ms or 0)
        for at, each in enumerate(entries)
    )


def check_ladder(ladder: Sequence[Rung]) -> None:
    """Refuse a ladder that cannot be meant so.

    Raises:
        BadBudget: fractions out of order or range, a rung without what it needs, one that could never be reached.
    """
    if len(ladder) > _MOST_RUNGS:
        raise BadBudget("ladder", f"a ladder has at most {_MOST_RUNGS} rungs")
    before: Rung | None = None
    blocked = False
    seen: set[tuple[int, str]] = set()
    for at, rung in enumerate(ladder):
        place = f"ladder[{at}]"
        if not 0 < rung.at_millionths <= _WHOLE:
            raise BadBudget(f"{place}.at", "a rung stands above 0 and at 1 at most, as a fraction of the limit")
        if before is not None and rung.at_millionths < before.at_millionths:
            raise BadBudget(f"{place}.at", "the rungs of a ladder ascend: this one stands below the one before it")
        if (rung.at_millionths, rung.do) in seen:
            raise BadBudget(f"{place}.do", f"there is a rung {rung.do} at this fraction already")
        if blocked and rung.do != "alert":
            raise BadBudget(f"{place}.do", f"no call comes past the block before it, so {rung.do} is never reached")
        _check_means(place, rung)
        seen.add((rung.at_millionths, rung.do))
        before, blocked = rung, blocked or rung.do == "block"


def fraction_text(millionths: int) -> str:
    """A fraction as people write it, such as `0.8`."""
    text = f"{millionths // _WHOLE}.{millionths % _WHOLE:06d}".rstrip("0")
    return text.removesuffix(".")


def _check_means(place: str, rung: Rung) -> None:
    """What the action needs, and nothing that it has no use for."""
    if (rung.do == "downgrade") != bool(rung.to):
        raise BadBudget(f"{place}.to", 'a downgrade says to which models (to: {"gpt-*": fast}); nothing else does')
    if (rung.do == "throttle") != bool(rung.delay_ms):
        raise BadBudget(f"{place}.delay_ms", "a throttle says how long it delays a call (delay_ms); nothing else does")
    if not 0 <= rung.delay_ms <= _LONGEST_DELAY_MS:
        raise BadBudget(f"{place}.delay_ms", f"a call is delayed by 1 to {_LONGEST_DELAY_MS} milliseconds")
    if len(rung.to) > _MOST_TARGETS or not all(0 < len(name) <= _LONGEST for pair in rung.to for name in pair):
        raise BadBudget(f"{place}.to", f"a downgrade has at most {_MOST_TARGETS} names of 1 to {_LONGEST} characters")


def _millionths(field: str, fraction: Decimal) -> int:
    digits = fraction.as_tuple().exponent
    if not fraction.is_finite() or not 0 <= fraction <= 1 or (isinstance(digits, int) and digits < -60):
        raise BadBudget(field, "a rung stands above 0 and at 1 at most, as a fraction of the limit")
    with localcontext() as context:
        context.prec = 100
        millionths = fraction * _WHOLE
    if millionths != millionths.to_integral_value():
        raise BadBudget(field, f"a fraction has at most {_DIGITS} digits after the point")
    return int(millionths)
