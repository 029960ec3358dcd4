"""Remembers how many tokens a text has: the same system prompts and tool definitions come with every call."""

import hashlib
from collections import OrderedDict
from typing import Final, TypeAlias

from proxy.metering.vocabulary import EncodingName

_ENTRY_BYTES: Final = 250
"""About what an entry costs beside its text: the key's tuple, the count, the slot and its links."""
_SHORT: Final = 128

Key: TypeAlias = tuple[EncodingName, str | bytes]


class Memo:
    """Token counts by text, the longest unused forgotten first. Long texts are known by their digest only.

    For one thread: the event loop's.
    """

    def __init__(self, max_bytes: int) -> None:
        self._room = max_bytes
        self._counts: OrderedDict[Key, int] = OrderedDict()

    def get(self, key: Key) -> int | None:
        """The count of a text met before."""
        count = self._counts.get(key)
        if count is not None:
            self._counts.move_to_end(key)
        return count

    def put(self, key: Key, count: int) -> None:
        """Remember a count; what has not been asked for longest makes room."""
        if key in self._counts:
            return
        self._counts[key] = count
        self._room -= _cost(key)
        while self._room < 0 and self._counts:
            forgotten, _ = self._counts.popitem(last=False)
            self._room += _cost(forgotten)

    def __len__(self) -> int:
        return len(self._counts)


def key_of(encoding: EncodingName, text: str) -> Key:
    """A text's key: itself if short, else its digest, so that no long prompt is kept in memory."""
    if len(text) <= _SHORT:
        return encoding, text
    return encoding, hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _cost(key: Key) -> int:
    # Python keeps up to four bytes a character.
    return _ENTRY_BYTES + 4 * len(key[1])
