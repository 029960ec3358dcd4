"""Cancelling a piece of work exactly where it waits, rather than after some time."""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any, Literal, TypeVar

from proxy.budget import LedgerUnavailable

Result = TypeVar("Result")


@types.coroutine
def interrupted(
    work: Coroutine[Any, Any, Result], at: int, when: Literal["asked", "answered"]
) -> Generator[Any, Any, Result | None]:
    """Do the work and cancel it the `at`-th time it waits: as soon as it does, or when what it waits for has come.

    What it does about that it does undisturbed. None when it ended by the cancellation, as it should.
    """
    waited = 0
    go_on: Callable[[], Any] = partial(work.send, None)
    while True:
        try:
            waiting = go_on()
        except StopIteration as done:
            result: Result = done.value
            return result
        except asyncio.CancelledError:
            return None
        if waited == at and when == "asked":
            waiting.cancel()
        try:
            go_on = partial(work.send, (yield waiting))
        except (asyncio.CancelledError, LedgerUnavailable) as answer:
            go_on = partial(work.throw, answer)
        if waited == at and when == "answered":
            go_on = partial(work.throw, asyncio.CancelledError())
        waited += 1
