"""Writes a whole chat completion."""

from typing import Final

import msgspec

from proxy.wire.translate.chat.errors import chat_error
from proxy.wire.translate.chat.usage import FINISHES, TIERS, chat_usage
from proxy.wire.translate.members import Json
from proxy.wire.translate.telling import Failure, Finish, Told

_MOST_THOUGHT: Final = 4 * 1024 * 1024
"""Characters of one block of thinking that are kept to be told whole."""


class Details:
    """What the model thought, as clients have to give it back: one entry a block, whole (docs/translation.md)."""

    __slots__ = ("_format", "_index", "_kept", "_pieces")

    def __init__(self, form: str) -> None:
        self._format = form
        self._index = 0
        self._pieces: list[str] = []
        self._kept = 0

    def add(self, text: str) -> None:
        """A piece of the block under way."""
        self._kept += len(text)
        if self._kept <= _MOST_THOUGHT:
            self._pieces.append(text)

    def entry(self, seal: str, hidden: str) -> dict[str, Json] | None:
        """The block that is over; None where there is nothing to be given back."""
        text, self._pieces = "".join(self._pieces), []
        whole, self._kept = self._kept <= _MOST_THOUGHT, 0
        entry: dict[str, Json] = {"format": self._format, "index": self._index}
        if hidden:
            entry = {"type": "reasoning.encrypted", "data": hidden, **entry}
        elif seal and whole:
            entry = {"type": "reasoning.text", "text": text, "signature": seal, **entry}
        else:
            return None
        self._index += 1
        return entry


class WholeChat:
    """An answer in one piece; `body` is it once it is over."""

    def __init__(self, at_s: int, form: str) -> None:
        self.body = b""
        self.failed = False
        self._at_s = at_s
        self._id = self._model = ""
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._thoughts: list[str] = []
        self._details = Details(form)
        self._entries: list[Json] = []
        self._calls: dict[int, dict[str, Json]] = {}
        self._arguments: dict[int, list[str]] = {}

    def begin(self, answer_id: str, model: str) -> None:
        """See Writer."""
        self._id, self._model = answer_id, model

    def text(self, text: str) -> None:
        """See Writer."""
        self._texts.append(text)

    def refusal(self, text: str) -> None:
        """See Writer."""
        self._refusals.append(text)

    def thought(self, text: str) -> None:
        """See Writer."""
        self._thoughts.append(text)
        self._details.add(text)

    def thought_over(self, seal: str, hidden: str = "") -> None:
        """See Writer."""
        entry = self._details.entry(seal, hidden)
        if entry is not None:
            self._entries.append(entry)

    def call(self, key: int, call_id: str, name: str, seal: str = "") -> None:
        """See Writer."""
        self._arguments[key] = []
        self._calls[key] = {"id": call_id, "type": "function"}
        self._calls[key]["function"] = {"name": name, "arguments": ""}
        if seal:
            self._calls[key]["extra_content"] = {"google": {"thought_signature": seal}}

    def arguments(self, key: int, part: str) -> None:
        """See Writer."""
        self._arguments[key].append(part)

    def finish(self, why: Finish, told: Told, stopped_by: str = "") -> None:
        """See Writer."""
        answer: dict[str, Json] = {
            "id": self._id,
            "object": "chat.completion",
            "created": self._at_s,
            "model": self._model,
            "choices": [
                {"index": 0, "message": self._message(), "logprobs": None, "finish_reason": FINISHES[why]},
            ],
            "usage": chat_usage(told),
        }
        if told.tier is not None and told.tier in TIERS:
            answer["service_tier"] = TIERS[told.tier]
        self.body = msgspec.json.encode(answer)

    def fail(self, failure: Failure) -> None:
        """See Writer."""
        self.body, self.failed = chat_error(failure), True

    def end(self) -> None:
        """See Writer."""

    def _message(self) -> Json:
        message: dict[str, Json] = {
            "role": "assistant",
            "content": "".join(self._texts) or ("" if not self._calls and not self._refusals else None),
            "refusal": "".join(self._refusals) or None,
        }
        if self._thoughts:
            message["reasoning_content"] = "".join(self._thoughts)
        if self._entries:
            message["reasoning_details"] = self._entries
        if self._calls:
            message["tool_calls"] = [self._whole_call(key, call) for key, call in self._calls.items()]
        return message

    def _whole_call(self, key: int, call: dict[str, Json]) -> Json:
        function = call["function"]
        if isinstance(function, dict):
            function["arguments"] = "".join(self._arguments[key])
        return call
