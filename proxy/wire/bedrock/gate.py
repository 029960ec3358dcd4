"""The tool calls of Converse's streams and answers: found block by block, withheld, and taken out.

A denied block becomes one of text that says so, in frames of its own with the right checksums; every other frame goes
on byte for byte. The bodies of InvokeModel are each model's own: what could be a call in them and is not written as
Converse writes it is denied, since it cannot be looked into.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from proxy.wire.bedrock.frames import EVENTSTREAM, inside_of
from proxy.wire.endpoint import Endpoint
from proxy.wire.eventstream import event_frame, exception_frame
from proxy.wire.gate import MOST_BYTES, MOST_NS, AnswerGate, Calls, ToolGate
from proxy.wire.strict import Json, Unreadable, object_or_none, objects, parsed, text_of, written
from proxy.wire.tool_calls import AMBIGUOUS, Slot, State, ToolCall, own_verdict, refusal_text

_NAMES: Final = {
    "event": frozenset({"contentBlockIndex", "start", "delta", "stopReason"}),
    "part": frozenset({"toolUse"}),
    "use": frozenset({"toolUseId", "name", "input", "type"}),
    "answer": frozenset({"output", "stopReason"}),
    "output": frozenset({"message"}),
    "message": frozenset({"content"}),
}
_BY_PROVIDER: Final = "server_tool_use"
_OF_CALLS: Final = "tool_use"
_MARKS: Final = (b"tooluse", b"tool_use", b"tool_call", b"function_call", b"input_json", b"\\u")
_KEYS: Final = frozenset({"tooluse", "tool_use", "tool_calls", "tool_call", "function_call"})
_KINDS: Final = frozenset({"tool_use", "tool_call", "function_call", "input_json_delta"})


@dataclass(slots=True, eq=False)
class _UseSlot(Slot):
    """One block of a call."""

    id: str = ""
    called: str = ""
    inputs: list[str] = field(default_factory=list)
    is_odd: bool = False
    is_done: bool = False

    def complete(self) -> None:
        """Find out how the call is read; a block that began twice, or not at all, can be read in several ways."""
        text = "".join(self.inputs) or "{}"
        self.readings = [ToolCall(self.id, self.called, text, self.index, "function")]
        if self.is_odd:
            self.deny(own_verdict(AMBIGUOUS))


class Seen:
    """One event, read."""

    __slots__ = ("is_start", "name", "slot", "value")

    def __init__(self, name: str, value: dict[str, Json]) -> None:
        self.name = name
        self.value = value
        self.slot: _UseSlot | None = None
        self.is_start = False


class ConverseCalls:
    """The calls of one stream or answer, by the index of their content block."""

    def __init__(self) -> None:
        self.fresh: list[_UseSlot] = []
        self.blocked: str = ""
        self._slots: dict[int, _UseSlot] = {}
        self._by_provider: set[int] = set()
        self._survivors = 0
        self._denied = 0

    def may_carry(self, raw: bytes) -> bool:
        """Whether bytes could hold a call: its member in any case, or written as an escape."""
        folded = raw.lower()
        return b"tooluse" in folded or b"\\u" in folded

    def is_last(self, data: bytes) -> bool:
        """No event says only that."""
        return False

    def see(self, value: dict[str, Json], name: bytes | None = None) -> Seen:
        """Read one event; a call is open until its block ends.

        Raises:
            Unreadable: what could be a call cannot be read in one way.
        """
        seen = Seen((name or b"").decode("utf-8", "replace"), value)
        _exactly(value, _NAMES["event"])
        if seen.name in ("contentBlockStart", "contentBlockDelta"):
            self._see_part(seen, value)
        elif seen.name == "contentBlockStop":
            if (slot := self._slots.get(_index(value))) is not None:
                slot.is_done = True
                seen.slot = slot
        elif seen.name == "messageStop":
            self.finish()
        return seen

    def see_answer(self, value: dict[str, Json]) -> list[tuple[int, _UseSlot]]:
        """Read a whole answer. Raises Unreadable."""
        found: list[tuple[int, _UseSlot]] = []
        for place, block in enumerate(_content(value)):
            _exactly(block, _NAMES["part"])
            use = object_or_none(block.get("toolUse"))
            if use is not None and (slot := self._begun(place, use)) is not None:
                slot.inputs.append(json.dumps(use.get("input")) if use.get("input") is not None else "")
                found.append((place, slot))
        return found

    def carries(self, seen: Seen) -> bool:
        """Whether an event is about a call that is not decided."""
        return seen.slot is not None and seen.slot.state is State.OPEN

    @property
    def is_open(self) -> bool:
        """Whether a call is not complete yet."""
        return not self.blocked and any(not slot.is_done for slot in self.fresh)

    def finish(self) -> None:
        """Nothing more comes."""
        for slot in self.fresh:
            slot.is_done = True

    def taken(self) -> list[_UseSlot]:
        """The calls to decide, complete; they are handed out once."""
        slots, self.fresh = self.fresh, []
        for slot in slots:
            slot.complete()
            if self.blocked:
                slot.deny(own_verdict(self.blocked))
        return slots

    def decided(self, slots: Sequence[Any]) -> None:
        """Count what is left, since the stream's last word hangs on it."""
        for slot in slots:
            self._denied += slot.state is State.DENIED
            self._survivors += slot.state is State.ALLOWED

    def soiled(self, held: Sequence[tuple[bytes, Any]]) -> None:
        """Nothing: events are not numbered, and blocks keep their index."""

    def rewritten(self, events: list[tuple[bytes, Any]]) -> bytes:
        """Frames as they are sent on: those that nothing was taken out of, byte for byte."""
        return b"".join(raw if seen is None else self._rewritten(raw, seen) for raw, seen in events)

    def change(self, value: dict[str, Json], seen: Any) -> bool:
        """Put a text in the place of each denied call of a whole answer; whether there were any."""
        denied = {place: slot for place, slot in seen if slot.state is State.DENIED}
        if not denied:
            return False
        content = value["output"]["message"]["content"]
        for place, slot in denied.items():
            content[place] = {"text": refusal_text(slot.name, slot.verdict)}
        if value.get("stopReason") == _OF_CALLS and not self._survivors:
            value["stopReason"] = "end_turn"
        return True

    def refusal(self, last: bytes, code: str) -> bytes:
        """The exception that stands for what could not be read."""
        self._denied += 1
        return _exception(code)

    def ends_unread(self, *, is_endless: bool) -> bytes | None:
        """The exception has ended the stream."""
        return b""

    def _see_part(self, seen: Seen, value: dict[str, Json]) -> None:
        member = "start" if seen.name == "contentBlockStart" else "delta"
        part = object_or_none(value.get(member)) or {}
        _exactly(part, _NAMES["part"])
        use = object_or_none(part.get("toolUse"))
        index = _index(value)
        if use is None:
            if index in self._slots and member == "start":
                raise Unreadable("a block that began as a call begins again as another")
            return
        _exactly(use, _NAMES["use"])
        if member == "start":
            seen.slot, seen.is_start = self._begun(index, use), True
        else:
            seen.slot = self._gone_on(index, use)

    def _begun(self, index: int, use: dict[str, Json]) -> _UseSlot | None:
        _exactly(use, _NAMES["use"])
        if use.get("type") == _BY_PROVIDER:
            self._by_provider.add(index)
            return None
        before = self._slots.get(index)
        slot = _UseSlot(index, index, id=text_of(use.get("toolUseId")), called=text_of(use.get("name")))
        slot.is_odd = before is not None
        if before is not None and before.state is State.OPEN:
            before.is_odd = True
        self._slots[index] = slot
        self.fresh.append(slot)
        return slot

    def _gone_on(self, index: int, use: dict[str, Json]) -> _UseSlot | None:
        slot = self._slots.get(index)
        piece = text_of(use.get("input"))
        if slot is None:
            if index not in self._by_provider:
                raise Unreadable("a call that did not begin")
            return None
        if slot.state is State.ALLOWED and piece:
            slot = self._begun(index, {})
            if slot is not None:
                slot.inputs.append(piece)
        elif slot.state is State.OPEN:
            slot.inputs.append(piece)
        return slot

    def _rewritten(self, raw: bytes, seen: Seen) -> bytes:
        slot = seen.slot
        if slot is not None and slot.state is State.DENIED and seen.name != "contentBlockStop":
            if slot.is_told:
                return b""
            slot.is_told = True
            text = refusal_text(slot.name, slot.verdict)
            told = {"contentBlockIndex": slot.index, "delta": {"text": text}}
            return event_frame("contentBlockDelta", written(told))
        if seen.name == "messageStop" and seen.value.get("stopReason") == _OF_CALLS and not self._survivors:
            return event_frame("messageStop", written({**seen.value, "stopReason": "end_turn"}))
        return raw


class InvokeCalls(ConverseCalls):
    """The calls of an invoked model: only Nova's, written as Converse's are, are read, and only in whole answers."""

    def may_carry(self, raw: bytes) -> bool:
        """Whether bytes could hold a call; those of a stream are looked for within its base64."""
        folded = raw.lower() + (inside_of(raw) or b"").lower()
        return any(mark in folded for mark in _MARKS)

    def see(self, value: dict[str, Json], name: bytes | None = None) -> Seen:
        """Read one event. Raises Unreadable where it may hold a call."""
        inside = inside_of(written(value))
        if inside is None or _holds_call(parsed(inside)):
            raise Unreadable("a call of an invoked model")
        return Seen("", value)

    def see_answer(self, value: dict[str, Json]) -> list[tuple[int, _UseSlot]]:
        """Read a whole answer. Raises Unreadable where it holds calls and is not written as Converse's are."""
        if "output" in value:
            return super().see_answer(value)
        if _holds_call(value):
            raise Unreadable("a call of an invoked model")
        return []


def tool_gate(
    endpoint: Endpoint, *, observes: bool = False, most_bytes: int = MOST_BYTES, most_ns: int = MOST_NS
) -> ToolGate:
    """The gate of one stream."""
    return ToolGate(
        _calls(endpoint), observes=observes, framing=EVENTSTREAM, most_bytes=most_bytes, most_ns=most_ns
    )  # fmt: skip


def answer_gate(endpoint: Endpoint, body: bytes) -> AnswerGate:
    """The gate of one answer in one piece."""
    return AnswerGate(_calls(endpoint), body)


def _calls(endpoint: Endpoint) -> Calls:
    return InvokeCalls() if endpoint is Endpoint.INVOKE else ConverseCalls()


def _exactly(found: dict[str, Json], names: frozenset[str]) -> None:
    """See to it that no member is a name of ours in other letters: some clients take no notice of case."""
    folded = {name.casefold() for name in names}
    for name in found:
        if name not in names and name.casefold() in folded:
            raise Unreadable(f"a member named {name!r}")


def _index(value: dict[str, Json]) -> int:
    index = value.get("contentBlockIndex", 0)
    if type(index) is not int:
        raise Unreadable("a block's index is no number")
    return index


def _content(value: dict[str, Json]) -> list[dict[str, Json]]:
    _exactly(value, _NAMES["answer"])
    output = object_or_none(value.get("output")) or {}
    _exactly(output, _NAMES["output"])
    message = object_or_none(output.get("message")) or {}
    _exactly(message, _NAMES["message"])
    return objects(message.get("content"))


def _holds_call(value: Json) -> bool:
    """Whether anything in a value is written as a call of some model is, its members in any case."""
    if isinstance(value, list):
        return any(_holds_call(each) for each in value)
    if not isinstance(value, dict):
        return False
    for name, each in value.items():
        folded = name.casefold()
        if folded in _KEYS and each:
            return True
        if folded == "type" and isinstance(each, str) and each.casefold() in _KINDS:
            return True
        if _holds_call(each):
            return True
    return False


def _exception(code: str) -> bytes:
    return exception_frame("validationException", written({"message": refusal_text("", own_verdict(code))}))
