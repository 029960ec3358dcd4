"""Ends a stream that we cut because its money ran out: the last frames, in the words of the stream itself.

`max_tokens` is true here: the answer was ended by a limit. Streams of InvokeModel are ended in Converse's words where
they are Nova's, in Anthropic's where they are Anthropic's, and else by an exception, since no other end is known.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from proxy.wire.bedrock.endings import METRICS
from proxy.wire.eventstream import event_frame, exception_frame
from proxy.wire.facts import Cut

_LIMIT: Final = "max_tokens"
_MOST_OPEN: Final = 1024


class Kept:
    """What a tap keeps of a stream so that it can be ended: how it speaks, and which content block is open."""

    __slots__ = ("_open", "_stopped", "speaks")

    def __init__(self) -> None:
        self.speaks = ""
        self._open: dict[int, None] = {}
        self._stopped = False

    def see(self, name: str, fields: Mapping[str, Any]) -> None:
        """One of Converse's events."""
        self.speaks = self.speaks or "converse"
        self._note(name, fields.get("contentBlockIndex"))
        self._stopped |= name == "messageStop"

    def see_chunk(self, fields: Mapping[str, Any]) -> None:
        """A chunk of an invoked model that is none of Converse's events."""
        kind = fields.get("type")
        if isinstance(kind, str) and kind.startswith(("message_", "content_block_")):
            self.speaks = self.speaks or "anthropic"
            names = {"content_block_start": "contentBlockStart", "content_block_stop": "contentBlockStop"}
            self._note(names.get(kind, ""), fields.get("index"))
            self._stopped |= kind == "message_delta"

    def _note(self, name: str, index: object) -> None:
        if not isinstance(index, int) or not name.startswith("contentBlock"):
            return
        if name == "contentBlockStop":
            self._open.pop(index, None)
        elif len(self._open) < _MOST_OPEN:
            self._open[index] = None

    @property
    def opened(self) -> list[int]:
        """The content blocks that have begun and not ended."""
        return list(self._open)

    @property
    def stopped(self) -> bool:
        """Whether the stream has said why it ended."""
        return self._stopped


def cut_ending(kept: Kept, cut: Cut, *, invoked: bool = False) -> bytes:
    """The frames that end the stream."""
    if kept.speaks == "anthropic":
        return b"".join(_chunk(event) for event in _anthropic(kept, cut))
    if kept.speaks == "converse" or not invoked:
        events = _converse(kept, cut)
        return b"".join(_nested(name, fields, cut, invoked=invoked) for name, fields in events)
    told = {"message": "The stream was ended by a limit.", "flyball": dict(cut.flyball)}
    return exception_frame("modelStreamErrorException", msgspec.json.encode(told))


def _converse(kept: Kept, cut: Cut) -> list[tuple[str, dict[str, Any]]]:
    ends: list[tuple[str, dict[str, Any]]] = [("contentBlockStop", {"contentBlockIndex": at}) for at in kept.opened]
    if not kept.stopped:
        said = {"stopReason": _LIMIT, "additionalModelResponseFields": {"flyball": dict(cut.flyball)}}
        ends.append(("messageStop", said))
    total = cut.input_tokens + cut.output_tokens
    usage = {"inputTokens": cut.input_tokens, "outputTokens": cut.output_tokens, "totalTokens": total}
    return [*ends, ("metadata", {"usage": usage, "metrics": {"latencyMs": 0}})]


def _nested(name: str, fields: Mapping[str, Any], cut: Cut, *, invoked: bool) -> bytes:
    if not invoked:
        return event_frame(name, msgspec.json.encode(fields))
    return _chunk({name: fields, **(_metrics(cut) if name == "metadata" else {})})


def _anthropic(kept: Kept, cut: Cut) -> list[dict[str, Any]]:
    ends: list[dict[str, Any]] = [{"type": "content_block_stop", "index": at} for at in kept.opened]
    if not kept.stopped:
        delta = {"stop_reason": _LIMIT, "stop_sequence": None}
        usage = {"output_tokens": cut.output_tokens}
        ends.append({"type": "message_delta", "delta": delta, "usage": usage, "flyball": dict(cut.flyball)})
    return [*ends, {"type": "message_stop", **_metrics(cut)}]


def _metrics(cut: Cut) -> dict[str, Any]:
    return {METRICS: {"inputTokenCount": cut.input_tokens, "outputTokenCount": cut.output_tokens}}


def _chunk(event: Mapping[str, Any]) -> bytes:
    inside = b64encode(msgspec.json.encode(event)).decode()
    return event_frame("chunk", msgspec.json.encode({"bytes": inside}))
