"""What workers tell each other of targets: bounded, and in durations, so that no two clocks are compared."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from proxy.routing.health.breaker import State

MOST_TOLD: Final = 200
"""Targets in one report; those asked last."""
_MOST_BYTES: Final = 256 * 1024


class TargetReport(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """One target, or a whole provider's connections where `model` is None; times are seconds from the report on.

    `version`, `turned` and `by` are the breaker's last change that all share; `state` is its state at this worker.
    """

    provider: str
    model: str | None
    state: State
    version: int = 0
    turned: State = "closed"
    by: str = ""
    turn_left_s: float = 0.0
    calls: int = 0
    faults: int = 0
    slow: int = 0
    cools_s: float = 0.0
    cooled_for_s: float = 0.0
    headroom: float = 1.0
    headroom_s: float = 0.0
    headroom_age_s: float = 0.0
    ttft_ms: float | None = None
    tokens_per_s: float | None = None
    busy: int = 0


class Told(NamedTuple):
    """A worker's report as a store gives it back, and how old it is by the store's clock."""

    worker: str
    age_s: float
    report: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[TargetReport]).decode


def packed(targets: Sequence[TargetReport]) -> bytes:
    """A worker's report."""
    return _encode(targets[:MOST_TOLD])


def unpacked(report: bytes) -> Iterable[TargetReport]:
    """Its targets; none of one that cannot be read, as of another version of Flyball."""
    if len(report) > _MOST_BYTES:
        return ()
    try:
        return _decode(report)
    except msgspec.MsgspecError:
        return ()
