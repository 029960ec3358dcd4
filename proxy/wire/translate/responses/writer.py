"""Writes a response: event by event as a stream, and whole, as its last event has it."""

from typing import Final

import msgspec

from proxy.wire.translate.asked import Asked, Tool
from proxy.wire.translate.chat.errors import chat_error
from proxy.wire.translate.chat.usage import TIERS
from proxy.wire.translate.members import Json
from proxy.wire.translate.responses.usage import response_usage
from proxy.wire.translate.telling import Failure, Finish, Told

_INCOMPLETE: Final[dict[Finish, str]] = {
    "length": "max_output_tokens",
    "context": "max_output_tokens",
    "filtered": "content_filter",
}
Item = dict[str, Json]


class WrittenResponse:
    """One response. `out` is what there is to send of its stream; `body` is all of it, once it is over.

    Items follow each other: one is over when another begins, and calls are told apart by their keys.
    """

    def __init__(self, asked: Asked, at_s: int) -> None:
        self.out: list[bytes] = []
        self.body = b""
        self.failed = False
        self._asked = asked
        self._at_s = at_s
        self._id = self._model = ""
        self._items: list[Item] = []
        self._kind = ""
        self._key = -1
        self._pieces: list[str] = []
        self._number = 0
        self._last: Item = {}

    def begin(self, answer_id: str, model: str) -> None:
        """See Writer."""
        self._id, self._model = answer_id, model
        for name in ("response.created", "response.in_progress"):
            self._say(name, response=self._response("in_progress"))

    def text(self, text: str) -> None:
        """See Writer."""
        self._speak("output_text", "text", text)

    def refusal(self, text: str) -> None:
        """See Writer."""
        self._speak("refusal", "refusal", text)

    def thought(self, text: str) -> None:
        """See Writer."""
        if self._kind != "reasoning":
            self._open("reasoning", {"id": self._item_id("rs"), "type": "reasoning", "summary": []})
            self._place("response.content_part.added", part={"type": "reasoning_text", "text": ""})
        self._pieces.append(text)
        self._place("response.reasoning_text.delta", delta=text)

    def thought_over(self, seal: str, hidden: str = "") -> None:
        """See Writer."""
        if hidden or self._kind != "reasoning":
            self._open("reasoning", {"id": self._item_id("rs"), "type": "reasoning", "summary": []})
        if hidden or seal:
            self._items[-1]["encrypted_content"] = hidden or seal
        self._close()

    def call(self, key: int, call_id: str, name: str, seal: str = "") -> None:
        """See Writer."""
        item: Item = {"id": self._item_id("fc"), "type": "function_call", "status": "in_progress"}
        self._open("call", {**item, "call_id": call_id, "name": name, "arguments": ""})
        self._key = key

    def arguments(self, key: int, part: str) -> None:
        """See Writer. A piece of a call that is over has no place any more."""
        if self._kind != "call" or key != self._key:
            self.fail(Failure("server", "The provider mixed the pieces of several tool calls."))
            return
        self._pieces.append(part)
        self._of_item("response.function_call_arguments.delta", {"delta": part})

    def finish(self, why: Finish, told: Told, stopped_by: str = "") -> None:
        """See Writer."""
        self._close()
        status = "incomplete" if why in _INCOMPLETE else "completed"
        response = self._response(status)
        if why in _INCOMPLETE:
            response["incomplete_details"] = {"reason": _INCOMPLETE[why]}
        response["usage"] = response_usage(told)
        if told.tier is not None and told.tier in TIERS:
            response["service_tier"] = TIERS[told.tier]
        self._last = response
        self.body = msgspec.json.encode(response)

    def fail(self, failure: Failure) -> None:
        """See Writer. SDKs raise on an error that is nested."""
        self.body, self.failed = chat_error(failure), True
        error: Item = msgspec.json.decode(self.body)["error"]
        flat: Item = {"code": error["code"], "message": failure.message, "param": None}
        self._say("error", **flat, error=error)

    def end(self) -> None:
        """See Writer."""
        self._say(f"response.{self._last.get('status', 'completed')}", response=self._last)

    def _response(self, status: str) -> Item:
        asked = self._asked
        return {
            "id": f"resp_{self._id}",
            "object": "response",
            "created_at": self._at_s,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": asked.max_output,
            "model": self._model,
            "output": [*self._items],
            "parallel_tool_calls": asked.parallel is not False,
            "previous_response_id": None,
            "reasoning": {"effort": asked.effort, "summary": None},
            "store": False,
            "temperature": asked.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": asked.choice or "auto",
            "tools": [_tool(tool) for tool in asked.tools],
            "top_p": asked.top_p,
            "truncation": "disabled",
            "usage": None,
            "metadata": {},
        }

    def _speak(self, kind: str, member: str, text: str) -> None:
        if self._kind != kind:
            item: Item = {"id": self._item_id("msg"), "type": "message", "role": "assistant"}
            self._open(kind, {**item, "status": "in_progress", "content": []})
            self._place("response.content_part.added", part=_spoken(kind, ""))
        self._pieces.append(text)
        more: Item = {"logprobs": []} if kind == "output_text" else {}
        self._place(f"response.{kind}.delta", delta=text, **more)

    def _open(self, kind: str, item: Item) -> None:
        self._close()
        self._kind = kind
        self._items.append(item)
        self._say("response.output_item.added", output_index=len(self._items) - 1, item=dict(item))

    def _close(self) -> None:
        kind, text = self._kind, "".join(self._pieces)
        self._kind, self._pieces = "", []
        if not kind:
            return
        item = self._items[-1]
        if kind == "call":
            item |= {"arguments": text, "status": "completed"}
            self._of_item("response.function_call_arguments.done", {"arguments": text, "name": item["name"]})
        elif kind == "reasoning":
            if text:
                part: Item = {"type": "reasoning_text", "text": text}
                item["content"] = [part]
                self._place("response.reasoning_text.done", text=text)
                self._place("response.content_part.done", part=part)
        else:
            item |= {"content": [_spoken(kind, text)], "status": "completed"}
            told: Item = {"text": text, "logprobs": []} if kind == "output_text" else {"refusal": text}
            self._place(f"response.{kind}.done", **told)
            self._place("response.content_part.done", part=_spoken(kind, text))
        self._say("response.output_item.done", output_index=len(self._items) - 1, item=dict(item))

    def _item_id(self, prefix: str) -> str:
        return f"{prefix}_{self._id}_{len(self._items)}"

    def _place(self, event: str, **members: Json) -> None:
        self._of_item(event, {"content_index": 0, **members})

    def _of_item(self, event: str, members: Item) -> None:
        self._say(event, item_id=self._items[-1]["id"], output_index=len(self._items) - 1, **members)

    def _say(self, kind: str, **members: Json) -> None:
        event: Item = {"type": kind, "sequence_number": self._number, **members}
        self._number += 1
        self.out.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode(event)))


def _spoken(kind: str, text: str) -> Item:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _tool(tool: Tool) -> Json:
    told: Item = {"type": "function", "name": tool.name, "description": tool.description}
    return {**told, "parameters": tool.schema, "strict": tool.strict}
