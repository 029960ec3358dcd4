"""Round steps for an axis of money, found in whole nano-dollars."""

from typing import Final

from proxy.core.money import Nano

MOST_STEPS: Final = 4
_LEADS: Final = (1, 2, 5)


def ticks(highest: Nano) -> tuple[Nano, ...]:
    """From zero to the first round amount at or above `highest`, in at most four equal round steps."""
    if highest <= 0:
        return (Nano(0), Nano(1_000_000_000))
    step = _step(highest)
    steps = -(-highest // step)
    return tuple(Nano(step * number) for number in range(steps + 1))


def _step(highest: Nano) -> int:
    power = 1
    while True:
        for lead in _LEADS:
            if lead * power * MOST_STEPS >= highest:
                return lead * power
        power *= 10
