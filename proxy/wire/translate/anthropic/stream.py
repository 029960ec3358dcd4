"""Writes a message of the Messages API as a stream, event by event."""

from typing import Final

import msgspec

from proxy.wire.translate.anthropic.write_errors import messages_error
from proxy.wire.translate.anthropic.write_usage import REASONS, messages_usage
from proxy.wire.translate.ids import plain_id
from proxy.wire.translate.members import Json
from proxy.wire.translate.telling import Failure, Finish, Told

_encode = msgspec.json.encode
_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b}\n\n'
_STOP: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'


class StreamedMessage:
    """An answer as events; `out` is what there is to send, and whoever sends it empties it."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self._kind = ""
        self._index = -1
        self._call = -1
        self._refused = False

    def begin(self, answer_id: str, model: str) -> None:
        """See Writer."""
        message: dict[str, Json] = {"id": answer_id, "type": "message", "role": "assistant", "model": model}
        # What it used is told at its end only; these stand for numbers to come, as the types of SDKs want them.
        message |= {"content": [], "stop_reason": None, "stop_sequence": None}
        message["usage"] = {"input_tokens": 0, "output_tokens": 0}
        self._say("message_start", {"message": message})

    def text(self, text: str) -> None:
        """See Writer."""
        self._open("text")
        self.out.append(_DELTA % (self._index, b'{"type":"text_delta","text":%b}' % _encode(text)))

    def refusal(self, text: str) -> None:
        """See Writer."""
        self._refused = True
        self.text(text)

    def thought(self, text: str) -> None:
        """See Writer."""
        self._open("thinking")
        self.out.append(_DELTA % (self._index, b'{"type":"thinking_delta","thinking":%b}' % _encode(text)))

    def thought_over(self, seal: str, hidden: str = "") -> None:
        """See Writer."""
        if hidden:
            self._start({"type": "redacted_thinking", "data": hidden})
        else:
            self._open("thinking")
            self.out.append(_DELTA % (self._index, b'{"type":"signature_delta","signature":%b}' % _encode(seal)))
        self._close()

    def call(self, key: int, call_id: str, name: str, seal: str = "") -> None:
        """See Writer."""
        self._start({"type": "tool_use", "id": plain_id(call_id), "name": name, "input": {}})
        self._kind, self._call = "tool_use", key

    def arguments(self, key: int, part: str) -> None:
        """See Writer. Blocks follow each other; a piece of a call that is over has no place any more."""
        if self._kind != "tool_use" or key != self._call:
            self.fail(Failure("server", "The provider mixed the pieces of several tool calls."))
            return
        self.out.append(_DELTA % (self._index, b'{"type":"input_json_delta","partial_json":%b}' % _encode(part)))

    def finish(self, why: Finish, told: Told, stopped_by: str = "") -> None:
        """See Writer."""
        self._close()
        reason = REASONS["filtered" if self._refused else why]
        delta: dict[str, Json] = {"stop_reason": reason, "stop_sequence": stopped_by or None}
        self._say("message_delta", {"delta": delta, "usage": messages_usage(told)})

    def fail(self, failure: Failure) -> None:
        """See Writer."""
        self.out.append(b"event: error\ndata: " + messages_error(failure) + b"\n\n")

    def end(self) -> None:
        """See Writer."""
        self._say("message_stop", {})

    def _open(self, kind: str) -> None:
        if self._kind == kind:
            return
        block: dict[str, Json] = {"type": kind, kind: ""}
        if kind == "thinking":
            block["signature"] = ""
        self._start(block)
        self._kind = kind

    def _start(self, block: dict[str, Json]) -> None:
        self._close()
        self._index += 1
        self._kind = str(block["type"])
        self._say("content_block_start", {"index": self._index, "content_block": block})

    def _close(self) -> None:
        if self._kind:
            self._kind = ""
            self.out.append(_STOP % self._index)

    def _say(self, name: str, members: dict[str, Json]) -> None:
        event: dict[str, Json] = {"type": name, **members}
        self.out.append(b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(event)))
