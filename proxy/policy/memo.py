"""What rules said lately, by the very input they were asked with: the same input gives the same answer."""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from proxy.policy.reading import EVERYTHING, Path, Reads
from proxy.policy.rules import meet

_LONGEST_KEY: Final = 4096
"""Inputs that differ by long texts are seldom met again: they are not kept."""
_MOST_BYTES: Final = 8 * 1024 * 1024
_NEVER_AGAIN: Final[tuple[Path, ...]] = (("operation",), ("clock", "now"), ("clock", "unix"))
_Answer = TypeVar("_Answer")


def is_met_again(reads: Reads) -> bool:
    """Whether what rules read may be the same in another call, and give the same answer then."""
    if reads.volatile or EVERYTHING in reads.paths:
        return False
    return not any(meet(path, each) for path in reads.paths for each in _NEVER_AGAIN)


class Memo(Generic[_Answer]):
    """The latest answers, the longest unused forgotten first; bounded in number and in bytes. For one thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._known: OrderedDict[bytes, _Answer] = OrderedDict()

    def get(self, asked: bytes) -> _Answer | None:
        """The answer to this input, if it was met lately."""
        known = self._known.get(asked)
        if known is not None:
            self._known.move_to_end(asked)
        return known

    def put(self, asked: bytes, answer: _Answer) -> None:
        """Remember an answer; those that were not asked for longest make room."""
        if len(asked) > _LONGEST_KEY or asked in self._known:
            return
        self._known[asked] = answer
        self._bytes += len(asked)
        while len(self._known) > self._most or self._bytes > _MOST_BYTES:
            forgotten, _ = self._known.popitem(last=False)
            self._bytes -= len(forgotten)
