"""Running a call suspension by suspension, so that something can happen to it at each, one after the other."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

_STEPS: Final[contextvars.ContextVar["Steps | None"]] = contextvars.ContextVar("steps", default=None)


class Steps:
    """Counts the suspensions of a call and of every task that it starts; `at(number)` runs right before each."""

    def __init__(self, at: Callable[[int], None]) -> None:
        self.taken = 0
        self._at = at

    def suspends(self) -> None:
        """One of its tasks is about to wait for something."""
        self.taken += 1
        self._at(self.taken)


class _Stepped(Coroutine[Any, Any, Any]):
    """A task's coroutine, which tells before it waits."""

    def __init__(self, inner: Coroutine[Any, Any, Any], steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    def send(self, value: Any) -> Any:
        """Go on to the next wait."""
        waited = self._inner.send(value)
        self._steps.suspends()
        return waited

    def throw(self, *error: Any) -> Any:
        """Go on with an error to the next wait."""
        waited = self._inner.throw(*error)
        self._steps.suspends()
        return waited

    def close(self) -> None:
        """End it."""
        self._inner.close()

    def __await__(self) -> Any:
        """Only a task runs it."""
        raise TypeError("a stepped coroutine is a task's own")


@contextmanager
def stepping() -> Iterator[None]:
    """Within, tasks of a call that is `stepped` are counted with it."""
    loop = asyncio.get_running_loop()

    def factory(loop: asyncio.AbstractEventLoop, inner: Any, **named: Any) -> asyncio.Task[Any]:
        steps = _STEPS.get()
        return asyncio.Task(inner if steps is None else _Stepped(inner, steps), loop=loop, **named)

    before = loop.get_task_factory()
    loop.set_task_factory(factory)
    try:
        yield
    finally:
        loop.set_task_factory(before)


async def stepped(
    call: Callable[[], Coroutine[Any, Any, Any]], at: Callable[[int, asyncio.Task[Any]], None]
) -> tuple[int, BaseException | None]:
    """Run a call in a task of its own; how often it waited, and what it ended in (a cancellation, a fault, nothing)."""
    tasks: list[asyncio.Task[Any]] = []
    steps = Steps(lambda number: at(number, tasks[0]))
    token = _STEPS.set(steps)
    try:
        tasks.append(asyncio.get_running_loop().create_task(call()))
    finally:
        _STEPS.reset(token)
    await asyncio.wait(tasks)
    error = asyncio.CancelledError() if tasks[0].cancelled() else tasks[0].exception()
    return steps.taken, error
