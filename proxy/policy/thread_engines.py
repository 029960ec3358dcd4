"""Engines by the thread that made them: regorus lets only that thread use one, and let go of it.

Whoever an engine belongs to may end on any thread: where rules are replaced, or where the garbage collector happens to
run. So each thread holds the engines it made, and lets go of those whose owner has ended when it makes the next one.
"""

import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple


class _Held(NamedTuple):
    owner: "weakref.ref[object]"
    engine: Any


class _Here(threading.local):
    """What one thread holds, by the identity of the owner."""

    def __init__(self) -> None:
        self.held: dict[int, _Held] = {}


_here = _Here()


def engine_of(owner: object, make: Callable[[], Any]) -> Any:
    """The engine that this thread has for an owner; made when it first asks."""
    found = _here.held.get(id(owner))
    if found is None or found.owner() is not owner:
        _let_go()
        found = _here.held[id(owner)] = _Held(weakref.ref(owner), make())
    return found.engine


def forget_engine(owner: object) -> None:
    """Let this thread make another one when it asks again."""
    _here.held.pop(id(owner), None)


def engines_held() -> int:
    """How many engines this thread holds."""
    return len(_here.held)


def _let_go() -> None:
    for owner, each in list(_here.held.items()):
        if each.owner() is None:
            del _here.held[owner]
