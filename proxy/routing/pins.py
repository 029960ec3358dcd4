"""Who served each conversation last, and how much of it: so that it stays there after a failure moved it."""

from collections import OrderedDict
from typing import Final

from msgspec import Struct

from proxy.routing.candidate import Candidate

MOST: Final = 20_000
"""Conversations that are remembered, of some 300 bytes each: 6 MB. Those that were silent longest go first."""


class Pin(Struct, frozen=True):
    """Who served a conversation's last call, the tokens of its prompt then, and when that ended (monotonic)."""

    candidate: Candidate
    input_tokens: int
    at_ns: int


class Pins:
    """What one worker remembers of conversations; a lost one costs at most one move."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._pins: OrderedDict[bytes, Pin] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pins)

    def of(self, conversation: bytes, now_ns: int, within_ns: int) -> Pin | None:
        """The pin of a conversation, unless it is older than that."""
        pin = self._pins.get(conversation)
        return None if pin is None or now_ns - pin.at_ns > within_ns else pin

    def set(self, conversation: bytes, pin: Pin) -> None:
        """Remember who has just served a conversation."""
        self._pins[conversation] = pin
        self._pins.move_to_end(conversation)
        if len(self._pins) > self._most:
            self._pins.popitem(last=False)
