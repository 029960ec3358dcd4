"""The errands that are under way: upstream calls that Flyball makes for itself, as many and as large as may be."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar

Made = TypeVar("Made")
AT_ONCE: Final = 64
BYTES: Final = 67_108_864


class Errands:
    """What is under way; beyond a bound of number or bytes nothing more is begun. For one event loop."""

    def __init__(self, at_once: int = AT_ONCE, most_bytes: int = BYTES) -> None:
        self._at_once = at_once
        self._most_bytes = most_bytes
        self._tasks: set[asyncio.Task[object]] = set()
        self._bytes = 0
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def has_room(self, size: int) -> bool:
        """Whether an errand of so many bytes may begin."""
        return not self._is_closed and len(self._tasks) < self._at_once and self._bytes + size <= self._most_bytes

    def begin(self, work: Callable[[], Coroutine[None, None, Made]], size: int) -> asyncio.Task[Made] | None:
        """Have the work done beside everything else; None, with nothing begun, where there is no room for it."""
        if not self.has_room(size):
            return None
        task = asyncio.get_running_loop().create_task(work())
        self._tasks.add(task)
        self._bytes += size

        def ended(done: asyncio.Task[Made]) -> None:
            self._tasks.discard(done)
            self._bytes -= size

        task.add_done_callback(ended)
        return task

    async def close(self, within_s: float) -> None:
        """Begin nothing more, wait for what is under way, and end what then still is: it is recorded all the same."""
        self._is_closed = True
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
