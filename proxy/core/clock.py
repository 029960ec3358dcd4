"""Time as a thing one is given, so that tests can hold it."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol

_MILLIS: Final = tuple(f".{millis:03d}" for millis in range(1000))


class Clock(Protocol):
    """Where the time comes from."""

    def now_ns(self) -> int:
        """Wall-clock nanoseconds since 1970 UTC: for stamps and windows."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds that never run backwards: for durations and deadlines."""
        ...


class SystemClock:
    """The machine's own clock: `time`'s functions as they are, since every call asks a dozen times."""

    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self._ns = int(now.timestamp()) * 1_000_000_000 + now.microsecond * 1000

    def now_ns(self) -> int:
        """The time it was set to."""
        return self._ns

    def monotonic_ns(self) -> int:
        """The time it was set to; it must only be moved forward by a test that measures durations."""
        return self._ns

    def move(self, seconds: float) -> None:
        """Move the hands by this many seconds, backwards if negative."""
        self._ns += int(seconds * 1_000_000_000)


def utc(ns: int) -> datetime:
    """Nanoseconds since 1970 as an aware UTC datetime, cut to microseconds."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


@lru_cache(maxsize=64)
def utc_second(seconds: int) -> datetime:
    """Whole seconds since 1970 as an aware UTC datetime; the latest are remembered, since making one is dear."""
    return datetime.fromtimestamp(seconds, UTC)


@lru_cache(maxsize=64)
def _second_text(seconds: int) -> str:
    return utc_second(seconds).strftime("%Y-%m-%d %H:%M:%S")


def stamp(ns: int) -> str:
    """Nanoseconds since 1970 as UTC text cut to milliseconds, `2026-11-20 10:00:00.123`, as ClickHouse reads it."""
    return _second_text(ns // 1_000_000_000) + _MILLIS[ns // 1_000_000 % 1000]


_: type[Clock] = SystemClock
__: type[Clock] = SetClock
