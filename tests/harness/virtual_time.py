"""An event loop in which nothing is waited for: where all wait, its clock goes on to when the next thing is due."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, Final, TypeVar

Result = TypeVar("Result")
_NS: Final = 1_000_000_000
_TURN_S: Final = 1e-6
"""What each turn of the loop takes: who waits for a moment that a sum of floats just misses comes to it too."""


class _Skipping(selectors.DefaultSelector):
    """Looks at what is there and never waits for more; `skipped` is what it would have waited, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See selectors."""
        found = super().select(0)
        if not found:
            assert timeout is not None, "everybody waits, and nothing is due"
            self.skipped += max(_TURN_S, timeout)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """What is given to threads is done at once."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._skipping.skipped

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Result], *args: Any
    ) -> asyncio.Future[Result]:
        """The result, or the error, of a call made here and now."""

        async def call() -> Result:
            return func(*args)

        return self.create_task(call())


class VirtualClock:
    """The same time for who asks a clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: datetime) -> None:
        self._loop = loop
        self._start_ns = int(start.timestamp()) * _NS

    def now_ns(self) -> int:
        """Wall-clock nanoseconds."""
        return self._start_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds since the beginning, and a second: zero is what is not set."""
        return int(self._loop.time() * _NS) + _NS


def run_at_once(work: Callable[[VirtualLoop], Coroutine[Any, Any, Result]]) -> Result:
    """The result of what is to be done over such a loop."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work(loop))
    finally:
        loop.close()
