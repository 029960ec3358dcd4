"""Reads a stream of images, speech or a transcript on its way through; an event may be as large as an image."""

import re
from typing import Final

import msgspec

from proxy.core.refusal import Refusal, Refused
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import Cut, StreamFacts
from proxy.wire.openai.response import refused_event

HEAD: Final = 4096
TAIL: Final = 16_384
"""Bytes of an event's beginning and end that are kept: its type stands in the one, its usage in the other."""
_USAGE: Final = b'"usage"'
_LAST: Final = (b".completed", b".done")
_MADE: Final = b"image_"
_EVENT_END: Final = re.compile(rb"\n\r?\n")


class MediaTap:
    """Forwards every byte as it comes, and reads the ends of events."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.facts = StreamFacts()
        self._endpoint = endpoint
        self._head = bytearray()
        self._tail = bytearray()
        self._carried = b""

    @property
    def between_events(self) -> bool:
        """Whether what was forwarded ends with a whole event."""
        return not self._head

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk; it is forwarded as it is."""
        at, known = 0, len(self._carried)
        window = self._carried + chunk
        for end in (found.end() - known for found in _EVENT_END.finditer(window)):
            if end > at:
                self._keep(chunk[at:end])
                self._read()
                at = end
        self._keep(chunk[at:])
        self._carried = window[-2:] if at < len(chunk) else b""
        return chunk

    def close(self) -> bytes:
        """The end of the stream: nothing was kept back."""
        if self._head:
            self._read()
        return b""

    def ending(self, cut: Cut) -> bytes:
        """The error that ends a stream which we cut: these have no other true end."""
        facts = dict(cut.flyball)
        code = str(facts.get("code", ""))
        why = next((each for each in Refusal if each.code == code), Refusal.BUDGET_EXCEEDED)
        operation = str(facts.pop("operation", ""))
        return refused_event(self._endpoint, operation, Refused(why, "The stream was ended by Flyball.", facts=facts))

    def _keep(self, part: bytes) -> None:
        if len(self._head) < HEAD:
            self._head += part[: HEAD - len(self._head)]
        self._tail += part[-TAIL:]
        del self._tail[:-TAIL]

    def _read(self) -> None:
        head, tail = bytes(self._head), bytes(self._tail)
        self._head.clear()
        self._tail.clear()
        if b"data:" not in head:
            return
        facts = self.facts
        facts.events += 1
        kind = _kind(head)
        facts.saw_output = facts.saw_output or b"delta" in kind or b"image" in kind or bool(kind)
        if kind in (b"error", b"") and b'"error"' in head:
            facts.error, facts.terminal = head[:HEAD], True
        if kind.endswith(_LAST):
            facts.terminal = True
            facts.made += kind.startswith(_MADE)
            facts.raw_usage = _usage(tail) or facts.raw_usage
        if b"[DONE]" in head[:32]:
            facts.terminal = True


def _kind(head: bytes) -> bytes:
    at = head.find(b'"type"')
    if at < 0:
        return b""
    start = head.find(b'"', at + 6) + 1
    return head[start : head.find(b'"', start)] if start else b""


def _usage(tail: bytes) -> bytes | None:
    """The last usage object of an event."""
    at = tail.rfind(_USAGE)
    start = tail.find(b"{", at)
    if at < 0 or start < 0:
        return None
    depth = 0
    for place in range(start, len(tail)):
        depth += (tail[place] == 0x7B) - (tail[place] == 0x7D)
        if depth == 0:
            told = tail[start : place + 1]
            try:
                msgspec.json.decode(told)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return None
            return told
    return None
