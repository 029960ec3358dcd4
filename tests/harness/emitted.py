"""Answers that hold tool calls, as models emit them: for the gate's tests."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Any
DONE = b"data: [DONE]\n\n"


def chunk(delta: Mapping[str, Json] | None = None, *, index: int = 0, finish: str | None = None) -> bytes:
    """A chat chunk."""
    return raw_chunk({"index": index, "delta": dict(delta or {}), "finish_reason": finish})


def raw_chunk(*choices: Json) -> bytes:
    """A chat chunk of these choices."""
    value = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": list(choices)}
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def part(index: int | None = 0, name: str | None = None, arguments: str | None = None, id_: str | None = None) -> Json:
    """A piece of a chat tool call."""
    told: dict[str, Json] = {} if index is None else {"index": index}
    if id_ is not None:
        told |= {"id": id_, "type": "function"}
    told["function"] = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return told


def calls(*parts: Json, index: int = 0) -> bytes:
    """A chunk with pieces of tool calls."""
    return chunk({"tool_calls": list(parts)}, index=index)


def ends(finish: str = "tool_calls", index: int = 0) -> bytes:
    """The chunk that ends a choice."""
    return chunk(index=index, finish=finish)


def call(name: str, arguments: str = "{}", index: int = 0, id_: str = "a") -> bytes:
    """A whole call in one chunk."""
    return calls(part(index, name, arguments, id_))


class Response:
    """A stream of the responses endpoint, event by event, numbered."""

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self._number = 0
        self.event("response.created", response=self.body([]))

    def event(self, kind: str, **members: Json) -> "Response":
        """One event."""
        value = {"type": kind, "sequence_number": self._number, **members}
        self._number += 1
        self.events.append(f"event: {kind}\ndata: {json.dumps(value)}\n\n".encode())
        return self

    def call(self, name: str, arguments: str = "{}", place: int = 0, **more: Json) -> "Response":
        """A function call as it flows, whole."""
        item = function_item(name, arguments, place)
        at = {"output_index": place, "item_id": item["id"]}
        self.event("response.output_item.added", output_index=place, item={**item, "arguments": ""})
        for piece in (arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]):
            self.event("response.function_call_arguments.delta", **at, delta=piece)
        self.event("response.function_call_arguments.done", **at, arguments=arguments)
        return self.event("response.output_item.done", output_index=place, item={**item, **more})

    def completed(self, *items: Json, kind: str = "response.completed") -> bytes:
        """The whole stream, its last event with these items."""
        self.event(kind, response=self.body(list(items)))
        return b"".join(self.events)

    @staticmethod
    def body(output: list[Json]) -> Json:
        """A response object."""
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": "m",
            "status": "completed",
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }


def function_item(name: str, arguments: str = "{}", place: int = 0) -> Json:
    """A function call as an output item."""
    return {
        "type": "function_call",
        "id": f"fc_{place}",
        "call_id": f"call_{place}",
        "name": name,
        "arguments": arguments,
        "status": "completed",
    }
