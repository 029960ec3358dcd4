"""By pace: what this worker has lately seen of each candidate's answers, and how many calls are under way there."""

from collections.abc import Sequence
from typing import Final

from proxy.routing.option import Option, Turn
from proxy.routing.ranking import Ranked
from proxy.routing.strategies.drawn import draw

_BEING_TRIED_MS: Final = 10**9
_USUAL_PACE: Final = 30.0
"""Tokens a second of one that has only just begun to answer, or has given short answers only."""


def fastest(options: Sequence[Option], turn: Turn) -> list[Ranked]:
    """Of two drawn by lot the one that is expected to be done first, then the others by that: so that not all workers
    run to the same target at once. One of which nothing is known counts as instant, and so is tried: by one call at a
    time, until it is known."""
    drawn = sorted(options, key=lambda option: draw(option.candidate, option.weight, turn.lot))
    order = [*sorted(drawn[:2], key=lambda option: _ms(option, turn)), *drawn[2:]]
    order[1:] = sorted(order[1:], key=lambda option: _ms(option, turn))
    return [Ranked(each.candidate, _ms(each, turn), _pace(each, turn)) for each in order]


def least_busy(options: Sequence[Option], turn: Turn) -> list[Ranked]:
    """The fewest calls under way for its weight; of equals the one that is drawn."""

    def place(option: Option) -> tuple[int, int]:
        return _load(option), draw(option.candidate, option.weight, turn.lot)

    order = sorted(options, key=place)
    return [
        Ranked(each.candidate, _load(each), f"{each.look.busy} calls under way, weight {each.weight}") for each in order
    ]


def _ms(option: Option, turn: Turn) -> int:
    """When the answer is expected to be whole, in milliseconds."""
    look = option.look
    pace = look.tokens_per_s
    if pace is None and look.ttft_ms is None:
        return _BEING_TRIED_MS if look.busy else 0
    flowing = turn.output_tokens * 1000 / (pace or _USUAL_PACE)
    return round((look.ttft_ms or 0.0) + flowing)


def _pace(option: Option, turn: Turn) -> str:
    if option.look.ttft_ms is None and option.look.tokens_per_s is None:
        return "its pace is being found out" if option.look.busy else "nothing is known of its pace"
    return f"expected to be done in {_ms(option, turn)} ms"


def _load(option: Option) -> int:
    """Thousandths of a call for each unit of weight; who has no weight is taken last."""
    return option.look.busy * 1000 // option.weight if option.weight > 0 else 10**18
