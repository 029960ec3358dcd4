"""Reads an event stream on its way through: the tap on which usage, outcome and output are learned."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from proxy.wire.bedrock.cut import Kept, cut_ending
from proxy.wire.bedrock.endings import METRICS, reason_in, usage_in, written
from proxy.wire.bedrock.fields import child, text
from proxy.wire.bedrock.output import calls_in, said_in
from proxy.wire.endpoint import Endpoint
from proxy.wire.eventstream import BadFrame, FrameSplitter, read_frame
from proxy.wire.facts import Cut, StreamFacts, and_tool
from proxy.wire.output_text import OutputText

_MAX_ERROR_BYTES: Final = 64 * 1024
_MAX_KEPT_BYTES: Final = 128 * 1024
_NESTED: Final = (
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
)
"""Nova's chunks hold one of Converse's events each, by its name."""


class BedrockTap:
    """One stream's tap: whole frames are given back, byte for byte; of one larger than 128 KB parts as they come.

    What is no frame, or damaged, is passed on unread from there (`facts.overflow`).
    """

    __slots__ = ("_blind", "_given", "_invoked", "_output", "_splitter", "_ttls", "facts", "kept")

    def __init__(self, endpoint: Endpoint, *, strip_usage: bool) -> None:
        self.facts = StreamFacts()
        self.kept = Kept()
        self._invoked = endpoint is Endpoint.INVOKE
        self._splitter = FrameSplitter()
        self._output = OutputText()
        self.facts.delivered = self._output.texts
        self._ttls: Any = None
        self._blind = False
        self._given = 0

    @property
    def between_events(self) -> bool:
        """Whether what was forwarded so far ends with a whole frame."""
        return not self._blind and self._given == 0

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk; the bytes to forward now. Never raises, whatever the bytes are."""
        if self._blind:
            return chunk
        try:
            frames = self._splitter.feed(chunk)
        except BadFrame as bad:
            return self._go_blind(bad.frames)
        for frame in frames:
            self._read(frame)
        return self._with_parts(b"".join(frames))

    def close(self) -> bytes:
        """The stream is over: half a frame is passed on as it is, and tells nothing."""
        rest = self._splitter.close()
        given, self._given = self._given, 0
        return rest[given:]

    def ending(self, cut: Cut) -> bytes:
        """The frames that end a stream which we cut; to be sent only where `between_events`."""
        return cut_ending(self.kept, cut, invoked=self._invoked)

    def _with_parts(self, whole: bytes) -> bytes:
        """Leave out what was given before of a frame that is whole now; give parts of one that grows too large."""
        if whole:
            whole, self._given = whole[self._given :], 0
        tail = self._splitter.tail
        if len(tail) - self._given > _MAX_KEPT_BYTES:
            whole, self._given = whole + tail[self._given :], len(tail)
        return whole

    def _go_blind(self, frames: list[bytes]) -> bytes:
        for frame in frames:
            self._read(frame)
        self.facts.overflow = not self.facts.terminal
        self._blind = True
        rest = b"".join(frames) + self._splitter.close()
        given, self._given = self._given, 0
        return rest[given:]

    def _read(self, raw: bytes) -> None:
        frame = read_frame(raw)
        if frame is None:
            return
        facts = self.facts
        facts.events += 1
        if frame.error:
            facts.error, facts.terminal = frame.payload[:_MAX_ERROR_BYTES], True
            return
        fields = _fields(frame.payload)
        if self._invoked:
            self._read_chunk(_unwrapped(fields))
        else:
            self._read_event(frame.event, fields)

    def _read_event(self, name: str, fields: Mapping[str, Any]) -> None:
        """One of Converse's events, or of Nova's."""
        facts = self.facts
        self.kept.see(name, fields)
        if name == "metadata":
            if (usage := usage_in(fields)) is not None:
                facts.raw_usage = written(usage)
            facts.service_tier = text(child(fields, "serviceTier").get("type")) or facts.service_tier
            facts.terminal = True
        elif name == "messageStop":
            facts.finish_reason = reason_in(fields)
        elif name in ("contentBlockStart", "contentBlockDelta"):
            self._deliver(fields)

    def _read_chunk(self, fields: Mapping[str, Any]) -> None:
        """A chunk of an invoked model: its own event, with AWS's metrics beside the last."""
        facts = self.facts
        name = next((name for name in _NESTED if isinstance(fields.get(name), dict)), "")
        if name:
            self._read_event(name, fields[name])
            # What Converse tells last is here followed by AWS's own metrics.
            facts.terminal = False
        else:
            self.kept.see_chunk(fields)
            self._deliver(fields)
        if message := child(fields, "message"):
            facts.model = text(message.get("model")) or facts.model
            self._ttls = child(message, "usage").get("cache_creation") or self._ttls
        if (reason := reason_in(fields)) is not None:
            facts.finish_reason = reason
        metrics = fields.get(METRICS)
        if isinstance(metrics, dict):
            told = metrics if self._ttls is None else {**metrics, "cache_creation": self._ttls}
            facts.raw_usage = written(told)
            facts.terminal = True

    def _deliver(self, fields: Mapping[str, Any]) -> None:
        output, facts = self._output, self.facts
        for piece in said_in(fields):
            output.add(piece)
            facts.saw_output = True
        facts.output_chars, facts.output_fifths = output.chars, output.fifths
        for name in calls_in(fields):
            facts.tool_call_count += 1
            facts.tools = and_tool(facts.tools, name)


def _unwrapped(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a chunk's base64 holds."""
    try:
        return _fields(b64decode(text(fields.get("bytes"))))
    except (binascii.Error, ValueError):
        return {}


def _fields(data: bytes) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
