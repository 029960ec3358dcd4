"""Remembered decisions: the same values in the same paths that a point's rules read give the same decision."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from proxy.policy.decision import Decision
from proxy.policy.reading import EVERYTHING, Path, Reads

_LONGEST_KEY: Final = 4096
"""Inputs that differ by long texts are seldom met again: they are not kept."""
_encode = msgspec.json.Encoder(order="sorted").encode


class Memo:
    """The latest decisions of one point, the longest unused forgotten first. For one thread."""

    def __init__(self, reads: Reads, most: int) -> None:
        self._most = most
        self._known: OrderedDict[bytes, Decision] = OrderedDict()
        self._paths = _outermost(reads.paths)
        # A clock moves on with every call: nothing would be met again.
        self._is_off = reads.volatile or EVERYTHING in reads.paths or any(path[0] == "clock" for path in self._paths)

    def key_of(self, facts: Mapping[str, Any]) -> bytes | None:
        """What an input is known by; None where nothing is remembered."""
        if self._is_off:
            return None
        key = _encode([_value(facts, path) for path in self._paths])
        return key if len(key) <= _LONGEST_KEY else None

    def get(self, key: bytes | None) -> Decision | None:
        """The decision on such an input, if it was met lately."""
        if key is None:
            return None
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
        return known

    def put(self, key: bytes | None, decision: Decision) -> None:
        """Remember a decision; the one that was not asked for longest makes room."""
        if key is None:
            return
        self._known[key] = decision
        if len(self._known) > self._most:
            self._known.popitem(last=False)


def _outermost(paths: frozenset[Path]) -> tuple[Path, ...]:
    """The paths that lie in no other of them, in a fixed order."""
    return tuple(sorted(path for path in paths if not any(path[:n] in paths for n in range(1, len(path)))))


def _value(facts: Mapping[str, Any], path: Path) -> tuple[Any, ...]:
    """What stands at a path, alone in a tuple; an empty one where nothing does, which no value looks like."""
    value: Any = facts
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return ()
        value = value[name]
    return (value,)
