"""How far a share that was observed may be from the true one."""

from collections.abc import Callable
from math import exp, lgamma, log
from typing import Final

_STEPS: Final = 60


def bounds(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact (Clopper-Pearson) interval of a share of which `hits` in `of` were seen; (0, 1) where `of` is none.

    Raises:
        ValueError: there cannot be more hits than trials.
    """
    if not 0 <= hits <= of:
        raise ValueError(f"{hits} of {of} is no share")
    if of == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    lower = 0.0 if hits == 0 else _solve(lambda p: 1 - _at_most(hits - 1, of, p), tail)
    upper = 1.0 if hits == of else _solve(lambda p: 1 - _at_most(hits, of, p), 1 - tail)
    return lower, upper


def _solve(rising: Callable[[float], float], wanted: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if rising(middle) < wanted:
            low = middle
        else:
            high = middle
    return high


def _at_most(hits: int, of: int, p: float) -> float:
    """The chance of so many hits or fewer, where each comes with chance `p`."""
    if p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    whole = lgamma(of + 1)
    terms = (
        exp(whole - lgamma(k + 1) - lgamma(of - k + 1) + k * log(p) + (of - k) * log(1 - p)) for k in range(hits + 1)
    )
    return min(1.0, sum(terms))
