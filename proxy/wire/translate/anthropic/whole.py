"""Writes a whole message of the Messages API."""

import msgspec
from msgspec import Raw

from proxy.wire.translate.anthropic.write_errors import messages_error
from proxy.wire.translate.anthropic.write_parts import raw
from proxy.wire.translate.anthropic.write_usage import REASONS, messages_usage
from proxy.wire.translate.ids import plain_id
from proxy.wire.translate.members import Json
from proxy.wire.translate.telling import Failure, Finish, Told


class WholeMessage:
    """An answer in one piece; `body` is it once it is over."""

    def __init__(self) -> None:
        self.body = b""
        self.failed = False
        self._id = self._model = ""
        self._blocks: list[dict[str, Json]] = []
        self._kind = ""
        self._pieces: list[str] = []
        self._calls: dict[int, dict[str, Json]] = {}
        self._arguments: dict[int, list[str]] = {}
        self._refused = False

    def begin(self, answer_id: str, model: str) -> None:
        """See Writer."""
        self._id, self._model = answer_id, model

    def text(self, text: str) -> None:
        """See Writer."""
        self._add("text", text)

    def refusal(self, text: str) -> None:
        """See Writer."""
        self._refused = True
        self._add("text", text)

    def thought(self, text: str) -> None:
        """See Writer."""
        self._add("thinking", text)

    def thought_over(self, seal: str, hidden: str = "") -> None:
        """See Writer."""
        if hidden:
            self._close()
            self._blocks.append({"type": "redacted_thinking", "data": hidden})
        else:
            if self._kind != "thinking":
                self._add("thinking", "")
            block = self._close()
            if block is not None:
                block["signature"] = seal

    def call(self, key: int, call_id: str, name: str, seal: str = "") -> None:
        """See Writer."""
        self._close()
        block: dict[str, Json] = {"type": "tool_use", "id": plain_id(call_id), "name": name, "input": {}}
        self._calls[key], self._arguments[key] = block, []
        self._blocks.append(block)

    def arguments(self, key: int, part: str) -> None:
        """See Writer."""
        self._arguments[key].append(part)

    def finish(self, why: Finish, told: Told, stopped_by: str = "") -> None:
        """See Writer."""
        self._close()
        for key, block in self._calls.items():
            block["input"] = _input("".join(self._arguments[key]))
        answer: dict[str, Json] = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [*self._blocks],
            "stop_reason": REASONS["filtered" if self._refused else why],
            "stop_sequence": stopped_by or None,
            "usage": messages_usage(told),
        }
        self.body = msgspec.json.encode(answer)

    def fail(self, failure: Failure) -> None:
        """See Writer."""
        self.body, self.failed = messages_error(failure), True

    def end(self) -> None:
        """See Writer."""

    def _add(self, kind: str, text: str) -> None:
        if self._kind != kind:
            self._close()
            self._kind = kind
        self._pieces.append(text)

    def _close(self) -> dict[str, Json] | None:
        kind, pieces = self._kind, self._pieces
        self._kind, self._pieces = "", []
        if not kind:
            return None
        block: dict[str, Json] = {"type": kind, kind: "".join(pieces)}
        if kind == "thinking":
            block["signature"] = ""
        self._blocks.append(block)
        return block


def _input(arguments: str) -> Json:
    """A call's arguments as the object they are; what is none, because the model made a slip or was cut, as a text."""
    if not arguments.strip():
        return {}
    try:
        decoded: object = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        decoded = None
    return raw(Raw(arguments.encode())) if isinstance(decoded, dict) else {"invalid_arguments": arguments}
