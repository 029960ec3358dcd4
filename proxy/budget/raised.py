"""Raises: how much higher a limit is for a while, who said so, and why."""

from decimal import Decimal
from typing import Final, NamedTuple

from proxy.budget.bad_budget import BadBudget
from proxy.budget.ledger import Unit
from proxy.budget.told import WORDS, spoken
from proxy.core.money import Nano, NotMoney, exact_usd

MOST_LIMIT: Final = 10**18
_MOST_RAISES: Final = 100
_LONGEST_REASON: Final = 500


class Raise(NamedTuple):
    """So much more of a budget's unit until then (nanoseconds since 1970), in each of its windows meanwhile."""

    id: str
    amount: Nano
    until_ns: int
    reason: str
    made_by: str
    made_ns: int


def raised_by(
    unit: Unit,
    *,
    usd: Decimal | None = None,
    tokens: int | None = None,
    requests: int | None = None,
    concurrent: int | None = None,
) -> Nano:
    """By how much a budget of that unit is raised; exactly what it counts is stated.

    Raises:
        BadBudget: nothing or something else is stated, or no exact amount.
    """
    stated = {"usd": usd, "tokens": tokens, "requests": requests, "concurrent": concurrent}
    field = f"by_{WORDS[unit]}"
    amount = stated.pop(WORDS[unit])
    if amount is None or any(each is not None for each in stated.values()):
        raise BadBudget(field, f"what is raised here is raised by {field}, and by nothing else")
    try:
        return exact_usd(amount) if unit is Unit.USD else Nano(int(amount))
    except NotMoney as error:
        raise BadBudget(field, str(error)) from None


def check_raise(unit: Unit, limit: Nano, made: Raise, *, known: int) -> None:
    """Refuse a raise that cannot be meant so; `limit` is what holds without it, `known` how many hold already.

    Raises:
        BadBudget: `field` names what is wrong with it.
    """
    if not 0 < made.amount <= MOST_LIMIT - limit:
        most = spoken(unit, MOST_LIMIT - limit)
        raise BadBudget(f"by_{WORDS[unit]}", f"a limit is raised by more than nothing and by at most {most}")
    if made.until_ns <= made.made_ns:
        raise BadBudget("until", "a raise ends in the future")
    if not 0 < len(made.reason) <= _LONGEST_REASON:
        raise BadBudget("reason", f"a raise has a reason of 1 to {_LONGEST_REASON} characters")
    if known >= _MOST_RAISES:
        raise BadBudget("until", f"there are {known} raises here already; end one of them first")
