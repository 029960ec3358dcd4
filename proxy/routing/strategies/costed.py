"""By what the call is expected to cost, in nano-dollars; who has no price stands last."""

from collections.abc import Sequence
from typing import Final

from proxy.core.money import Nano, to_usd_text
from proxy.routing.option import Option, Turn
from proxy.routing.ranking import Ranked
from proxy.routing.strategies.drawn import draw

UNPRICED: Final = 10**18
_WHOLE: Final = 1_000_000


def cheapest(options: Sequence[Option], turn: Turn) -> list[Ranked]:
    """The lowest expected cost of this call first; of equals the first that is listed."""
    order = sorted(options, key=_cost)
    return [_ranked(option, option.cost) for option in order]


def cache_aware(options: Sequence[Option], turn: Turn) -> list[Ranked]:
    """The lowest expected cost, for who has the conversation cached at the rates of its cache; of equals the one that
    the conversation draws, so that every worker begins with the same."""
    lot = turn.conversation or turn.lot

    def place(option: Option) -> tuple[int, int]:
        return _warm(option), draw(option.candidate, option.weight, lot)

    # Where the conversation is somewhere already, that is cheaper than its equals: nothing needs to be drawn.
    order = sorted(options, key=place if turn.pinned is None else _warm)
    return [_ranked(each, each.cost if each.warm_cost is None else each.warm_cost, _how_warm(each)) for each in order]


def budget_aware(options: Sequence[Option], turn: Turn) -> list[Ranked]:
    """As listed while there is money; as the tightest budget fills the dearest are left, until only the cheapest is.

    From `eases_from` on a target may cost at most what lies between the cheapest and the dearest in proportion to what
    is left of the budget.
    """
    most = _allowed([option.cost for option in options if option.cost is not None], turn)
    if most is None:
        return [Ranked(each.candidate, at, "as listed: the budgets have room") for at, each in enumerate(options, 1)]
    why = f"at most {to_usd_text(most)} USD with budgets {turn.fullness * 100 // _WHOLE} % full"
    within = [option for option in options if _cost(option) <= most]
    beyond = sorted((option for option in options if _cost(option) > most), key=_cost)
    return [
        *(Ranked(each.candidate, at, f"within {why}") for at, each in enumerate(within, 1)),
        *(Ranked(each.candidate, len(options) + at, f"above {why}") for at, each in enumerate(beyond, 1)),
    ]


def _allowed(costs: list[Nano], turn: Turn) -> Nano | None:
    """What a target may cost; None where every one may be taken."""
    if not costs or turn.fullness < turn.eases_from:
        return None
    lowest, highest = min(costs), max(costs)
    left = max(0, _WHOLE - turn.fullness)
    return Nano(lowest + (highest - lowest) * left // max(1, _WHOLE - turn.eases_from))


def _cost(option: Option) -> int:
    return UNPRICED if option.cost is None else option.cost


def _warm(option: Option) -> int:
    return _cost(option) if option.warm_cost is None else option.warm_cost


def _how_warm(option: Option) -> str:
    return "" if option.warm_cost is None else ", its prompt cache counted"


def _ranked(option: Option, cost: Nano | None, more: str = "") -> Ranked:
    if cost is None:
        return Ranked(option.candidate, UNPRICED, "has no price")
    return Ranked(option.candidate, cost, f"expected to cost {to_usd_text(cost)} USD{more}")
