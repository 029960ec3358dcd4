"""Ends a stream that we cut because its money ran out: the last events, in the words of the stream itself.

`finish_reason: "length"` (a response: `incomplete`, `max_output_tokens`) is true here: the answer was ended by a limit.
Nothing in this file reads more of a stream than it was handed, and what it cannot read is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import Cut
from proxy.wire.openai.events import ABSENT

MAX_CHOICES: Final = 1024
"""No provider takes as many; an index beyond is not one."""
MAX_KEPT_BYTES: Final = 1024 * 1024
_DONE: Final = b"data: [DONE]\n\n"
_IDENTITY: Final = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
_ARGUMENTS: Final = {"function_call": "arguments", "mcp_call": "arguments", "custom_tool_call": "input"}

Read = TypeVar("Read")


@dataclass(slots=True)
class Kept:
    """What a tap keeps of a stream so that it can be ended: references to bytes that were read anyway.

    `first` is the first chunk with a choice, or `response.created`; `last` the latest event of a response. `highest`
    is the highest index of a choice seen, `finished` those that ended. `items` are the events of whole output items,
    `opened` that of the item under way, `opened_at` how many characters of output came before it.
    """

    first: bytes = b""
    last: bytes = b""
    highest: int = 0
    finished: set[int] = field(default_factory=set)
    items: list[bytes] = field(default_factory=list)
    items_bytes: int = 0
    opened: bytes = b""
    opened_at: int = 0

    def see(self, index: int) -> None:
        """A choice other than the first has said something."""
        if self.highest < index < MAX_CHOICES:
            self.highest = index

    def finish(self, index: int) -> None:
        """A choice has ended."""
        if 0 <= index < MAX_CHOICES:
            self.see(index)
            self.finished.add(index)

    def begin(self, data: bytes) -> None:
        """Remember where the stream's own names stand, once."""
        if not self.first and len(data) <= MAX_KEPT_BYTES:
            self.first = data

    def open(self, data: bytes, chars: int) -> None:
        """An output item begins after so many characters of output."""
        self.opened, self.opened_at = data if len(data) <= MAX_KEPT_BYTES else b"", chars

    def close(self, data: bytes) -> None:
        """An output item is whole."""
        self.opened = b""
        self.items_bytes += len(data)
        if self.items_bytes <= MAX_KEPT_BYTES:
            self.items.append(data)


class _Event(msgspec.Struct):
    sequence_number: int | None = None
    response: dict[str, Raw] | None = None
    item: Raw = ABSENT


def cut_ending(endpoint: Endpoint, kept: Kept, delivered: Sequence[str], cut: Cut) -> bytes:
    """The events that end the stream; to be sent only where `StreamTap.between_events`.

    `delivered` is the text of the output so far, from which the item under way is told.
    """
    if endpoint is Endpoint.RESPONSES:
        return _incomplete(kept, delivered, cut)
    identity = _identity(endpoint, kept.first)
    body = b"".join(_ending_chunks(endpoint, identity, kept, cut))
    return body + _DONE


def _ending_chunks(endpoint: Endpoint, identity: Mapping[str, object], kept: Kept, cut: Cut) -> Iterator[bytes]:
    silent: dict[str, object] = {"text": ""} if endpoint is Endpoint.COMPLETIONS else {"delta": {}}
    choices = [
        {"index": index, **silent, "logprobs": None, "finish_reason": "length"}
        for index in range(kept.highest + 1)
        if index not in kept.finished
    ]
    # Our object rides on the last chunk that every client reads: the usage chunk only some have asked for.
    yield _chunk({**identity, "choices": choices, "flyball": dict(cut.flyball)})
    if cut.asked_for_usage:
        usage = {
            "prompt_tokens": cut.input_tokens,
            "completion_tokens": cut.output_tokens,
            "total_tokens": cut.input_tokens + cut.output_tokens,
        }
        yield _chunk({**identity, "choices": [], "usage": usage})


def _chunk(content: Mapping[str, object]) -> bytes:
    return b"data: " + msgspec.json.encode(content) + b"\n\n"


def _identity(endpoint: Endpoint, first: bytes) -> dict[str, object]:
    """The members that every chunk of this stream repeats, as they were sent."""
    told = _read(first, dict[str, Raw]) or {}
    default = "text_completion" if endpoint is Endpoint.COMPLETIONS else "chat.completion.chunk"
    return {"object": default, **{name: told[name] for name in _IDENTITY if name in told}}


def _incomplete(kept: Kept, delivered: Sequence[str], cut: Cut) -> bytes:
    began, last = _read(kept.first, _Event), _read(kept.last, _Event)
    response: dict[str, object] = {"id": cut.flyball.get("operation"), "object": "response"}
    response |= (began.response if began is not None else None) or {}
    response |= {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "error": None,
        "output": _output(kept, delivered),
        "usage": _response_usage(cut),
        "flyball": dict(cut.flyball),
    }
    number = last.sequence_number if last is not None else None
    event = {"type": "response.incomplete", "sequence_number": (number or 0) + 1, "response": response}
    return b"event: response.incomplete\ndata: " + msgspec.json.encode(event) + b"\n\n"


def _response_usage(cut: Cut) -> dict[str, object]:
    return {
        "input_tokens": cut.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": cut.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": cut.input_tokens + cut.output_tokens,
    }


def _output(kept: Kept, delivered: Sequence[str]) -> list[object]:
    """The items so far; of the one under way what of its text was kept."""
    output: list[object] = []
    for data in kept.items:
        done = _read(data, _Event)
        if done is not None and len(done.item):
            output.append(done.item)
    under_way = _under_way(kept, delivered)
    return output if under_way is None else [*output, under_way]


def _under_way(kept: Kept, delivered: Sequence[str]) -> dict[str, object] | None:
    opened = _read(kept.opened, _Event)
    item = None if opened is None else _read(bytes(opened.item), dict[str, object])
    if item is None:
        return None
    text, kind = "".join(delivered)[kept.opened_at :], str(item.get("type"))
    if kind == "message":
        item["content"] = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    elif kind in _ARGUMENTS:
        item[_ARGUMENTS[kind]] = text
    return {**item, "status": "incomplete"}


def _read(data: bytes, shape: type[Read]) -> Read | None:
    try:
        return msgspec.json.decode(data, type=shape) if data else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
