"""Writes a chat completion as a stream, chunk by chunk."""

from typing import Final

import msgspec

from proxy.wire.translate.chat.errors import chat_error
from proxy.wire.translate.chat.usage import FINISHES, TIERS, chat_usage
from proxy.wire.translate.chat.whole import Details
from proxy.wire.translate.members import Json
from proxy.wire.translate.telling import Failure, Finish, Told

DONE: Final = b"data: [DONE]\n\n"
_encode = msgspec.json.encode


class StreamedChat:
    """An answer as chunks; `out` is what there is to send, and whoever sends it empties it.

    With `usage` each chunk has the member, null but in the last one, as OpenAI's `include_usage` has it.
    """

    def __init__(self, at_s: int, form: str, *, usage: bool) -> None:
        self.out: list[bytes] = []
        self._at_s = at_s
        self._usage = usage
        self._head = self._start = b""
        self._tail = b',"logprobs":null,"finish_reason":null}]%b}\n\n' % (b',"usage":null' if usage else b"")
        self._details = Details(form)
        self._calls: dict[int, int] = {}
        self._told = Told()

    def begin(self, answer_id: str, model: str) -> None:
        """See Writer."""
        self._head = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b' % (
            _encode(answer_id),
            self._at_s,
            _encode(model),
        )
        self._start = self._head + b',"choices":[{"index":0,"delta":'
        self._say(b'{"role":"assistant"}')

    def text(self, text: str) -> None:
        """See Writer."""
        self.out.append(b'%b{"content":%b}%b' % (self._start, _encode(text), self._tail))

    def refusal(self, text: str) -> None:
        """See Writer."""
        self._say(b'{"refusal":%b}' % _encode(text))

    def thought(self, text: str) -> None:
        """See Writer."""
        self._details.add(text)
        self._say(b'{"reasoning_content":%b}' % _encode(text))

    def thought_over(self, seal: str, hidden: str = "") -> None:
        """See Writer."""
        entry = self._details.entry(seal, hidden)
        if entry is not None:
            self._say(b'{"reasoning_details":%b}' % _encode([entry]))

    def call(self, key: int, call_id: str, name: str, seal: str = "") -> None:
        """See Writer."""
        index = self._calls[key] = len(self._calls)
        call: dict[str, Json] = {"index": index, "id": call_id, "type": "function"}
        call["function"] = {"name": name, "arguments": ""}
        if seal:
            call["extra_content"] = {"google": {"thought_signature": seal}}
        self._say(b'{"tool_calls":%b}' % _encode([call]))

    def arguments(self, key: int, part: str) -> None:
        """See Writer."""
        self._say(
            b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (self._calls[key], _encode(part)),
        )

    def finish(self, why: Finish, told: Told, stopped_by: str = "") -> None:
        """See Writer."""
        self._told = told
        end = b'{},"logprobs":null,"finish_reason":"%b"}]' % FINISHES[why].encode()
        if told.tier is not None and told.tier in TIERS:
            end += b',"service_tier":"%b"' % TIERS[told.tier].encode()
        self.out.append(b"%b%b%b}\n\n" % (self._start, end, b',"usage":null' if self._usage else b""))

    def fail(self, failure: Failure) -> None:
        """See Writer."""
        self.out.append(b"data: " + chat_error(failure) + b"\n\n")

    def end(self) -> None:
        """See Writer."""
        if self._usage:
            self.out.append(b'%b,"choices":[],"usage":%b}\n\n' % (self._head, _encode(chat_usage(self._told))))
        self.out.append(DONE)

    def _say(self, delta: bytes) -> None:
        self.out.append(self._start + delta + self._tail)
