"""The tool calls of the responses endpoint: items of its streams and of its answers, found and taken out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from proxy.wire.openai.gate_marks import DONE, may_carry
from proxy.wire.strict import Json, Unreadable, exactly, object_or_none, objects, text_of, written
from proxy.wire.tool_calls import AMBIGUOUS, Slot, State, ToolCall, own_verdict, refusal_text

_RUN_BY_PROVIDERS: Final = (
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_call",
)
"""Decided at the request: they have run when the client hears of them."""
_OF_EVENT: Final = frozenset(
    {"type", "item", "response", "output_index", "item_id", "delta", "arguments", "input", "name"}
)
_OF_RESPONSE: Final = frozenset({"output"})
_OF_ITEM: Final = frozenset({"type", "id", "call_id", "name", "arguments", "input"})
_NOT_ARGUMENTS: Final = frozenset({"type", "id", "call_id", "name", "status"})
_ARGUMENTS: Final = re.compile(r"response\.(?:function_call_arguments|custom_tool_call_input)\.(delta|done)")
_WITH_TEXT: Final = frozenset({"function", "custom"})
_ADDED: Final = "response.output_item.added"


@dataclass(slots=True, eq=False)
class _ItemSlot(Slot):
    """`whole` are the arguments as the item and its last event tell them, `pieces` as they flowed."""

    id: str = ""
    names: dict[str, None] = field(default_factory=dict)
    whole: dict[str, None] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    is_done: bool = False
    is_doubtful: bool = False

    def complete(self) -> None:
        """Find out in which ways the call can be read."""
        flowed = "".join(self.pieces)
        texts = dict.fromkeys([*([flowed] if flowed else ()), *self.whole]) or {"": None}
        self.kind = next(iter(self.kinds), "function")
        self.readings = [
            ToolCall(self.id, name, text, self.index, self.kind) for name in self.names or {"": None} for text in texts
        ]
        if self.is_doubtful or len(self.kinds) > 1:
            self.deny(own_verdict(AMBIGUOUS))


class ItemsSeen:
    """One event, read: the calls it is about, and those in the output that it tells."""

    __slots__ = ("listed", "slot", "value")

    def __init__(self, value: dict[str, Json]) -> None:
        self.value = value
        self.slot: _ItemSlot | None = None
        self.listed: list[tuple[int, _ItemSlot]] = []


class ItemCalls:
    """The calls of one response, by their place in its output."""

    def __init__(self) -> None:
        self.fresh: list[_ItemSlot] = []
        self.blocked: str = ""
        self._slots: dict[int | str, _ItemSlot] = {}
        self._by_id: dict[str, _ItemSlot] = {}
        self._listed: dict[tuple[str, str, str], _ItemSlot] = {}
        self._number: int | None = None

    may_carry = staticmethod(may_carry)

    def is_last(self, data: bytes) -> bool:
        """Whether an event is `[DONE]`, which some servers send here too."""
        return data.strip() == DONE

    def see(self, value: dict[str, Json], name: bytes | None = None) -> ItemsSeen:
        """Read one event; a call that it begins or goes on with is open until its item is told whole.

        Raises:
            Unreadable: what could be a call cannot be read in one way.
        """
        seen = ItemsSeen(value)
        exactly(value, _OF_EVENT)
        kind = value.get("type")
        named = None if name is None else name.decode("utf-8", "replace")
        if kind is None:
            kind = named or ""
        if not isinstance(kind, str) or (named is not None and named != kind):
            raise Unreadable("an event of two types")
        item, response = object_or_none(value.get("item")), object_or_none(value.get("response"))
        if item is not None and is_call(item):
            seen.slot = self._see_item(value, item, is_whole=kind != _ADDED)
        elif (
            item is None
            and "_call" in kind.casefold()
            and not kind.removeprefix("response.").startswith(_RUN_BY_PROVIDERS)
        ):
            seen.slot = self._see_piece(kind, value)
        if response is not None:
            exactly(response, _OF_RESPONSE)
            self.see_output(seen, response)
        return seen

    def see_output(self, seen: ItemsSeen, response: dict[str, Json]) -> None:
        """Read the output of a response: calls that were not told before are to be decided."""
        for place, item in enumerate(objects(response.get("output"))):
            if is_call(item):
                seen.listed.append((place, self._see_listed(place, item)))

    def carries(self, seen: ItemsSeen) -> bool:
        """Whether an event is about a call that is not decided."""
        slots = [slot for _, slot in seen.listed] + ([seen.slot] if seen.slot is not None else [])
        return any(slot.state is State.OPEN for slot in slots)

    @property
    def is_open(self) -> bool:
        """Whether a call is not complete yet."""
        return not self.blocked and any(not slot.is_done for slot in self.fresh)

    def finish(self) -> None:
        """Nothing more comes."""
        for slot in self.fresh:
            slot.is_done = True

    def taken(self) -> list[_ItemSlot]:
        """The calls to decide, complete; they are handed out once."""
        slots, self.fresh = self.fresh, []
        for slot in slots:
            slot.complete()
            if self.blocked:
                slot.deny(own_verdict(self.blocked))
        return slots

    def decided(self, slots: Sequence[_ItemSlot]) -> None:
        """Remember by what they say which calls were decided: the whole output tells them once more."""
        for slot in slots:
            for reading in slot.readings:
                known = self._listed.setdefault((reading.kind, reading.name, reading.arguments), slot)
                if slot.state is State.DENIED and known.state is State.ALLOWED and not slot.is_doubtful:
                    self._listed[(reading.kind, reading.name, reading.arguments)] = slot

    def rewritten(self, events: list[tuple[bytes, ItemsSeen | None]]) -> bytes:
        """Events as they are sent on, numbered anew; in the place of a denied call stands a message."""
        return b"".join(raw if seen is None else self._rewritten(seen) for raw, seen in events)

    def soiled(self, held: Sequence[tuple[bytes, ItemsSeen | None]]) -> None:
        """From these events on others are sent than came: remember where their numbers begin."""
        if self._number is None:
            numbers = [seen.value.get("sequence_number") for _, seen in held if seen is not None]
            self._number = next((number for number in numbers if isinstance(number, int)), None)

    def change_output(self, response: dict[str, Json], listed: list[tuple[int, _ItemSlot]]) -> bool:
        """Put messages in the place of the denied calls in a response's output; whether any was in it."""
        denied = {place: slot for place, slot in listed if slot.state is State.DENIED}
        if not denied:
            return False
        response["output"] = [
            _message(f"msg_flyball_{place}", refusal_text(denied[place].name, denied[place].verdict))
            if place in denied
            else item
            for place, item in enumerate(response["output"])
        ]
        return True

    def see_answer(self, value: dict[str, Json]) -> ItemsSeen:
        """Read a whole response."""
        seen = ItemsSeen(value)
        self.see_output(seen, value)
        return seen

    def change(self, value: dict[str, Json], seen: ItemsSeen) -> bool:
        """Take the denied calls out of a whole response; whether there were any."""
        return self.change_output(value, seen.listed)

    def ends_unread(self, *, is_endless: bool) -> bytes | None:
        """Nothing follows: a response is told whole at its end."""
        return b""

    def refusal(self, last: bytes, code: str) -> bytes:
        """The event that stands for one that could not be read: an error, behind which nothing comes."""
        verdict = own_verdict(code)
        value: dict[str, Json] = {"type": "error", "code": code, "message": refusal_text("", verdict), "param": None}
        error = {"type": "permission_error", "code": code, "message": value["message"], "param": None}
        return self._event({**value, "sequence_number": 0, "error": error})

    def _see_item(self, event: dict[str, Json], item: dict[str, Json], *, is_whole: bool) -> _ItemSlot:
        exactly(item, _OF_ITEM)
        key = _key(event, item.get("id"))
        id_, name, arguments, kind = _told(item)
        slot = self._slots.get(key)
        if slot is not None and slot.state is not State.OPEN and _agrees(slot, name, arguments, is_whole=is_whole):
            return slot
        slot = self._opened(key)
        if slot.state is State.DENIED:
            return slot
        slot.id = slot.id or id_
        slot.kinds.add(kind)
        slot.names[name] = None
        self._bind(item.get("id"), slot)
        if is_whole or (arguments and kind in _WITH_TEXT):
            slot.whole[arguments] = None
        slot.is_done = slot.is_done or is_whole
        return slot

    def _see_piece(self, kind: str, event: dict[str, Json]) -> _ItemSlot:
        match = _ARGUMENTS.fullmatch(kind)
        key = _key(event, event.get("item_id"))
        slot = self._slots.get(key)
        whole = text_of(event.get("arguments")) + text_of(event.get("input"))
        is_told_again = slot is not None and slot.state is not State.OPEN and match is not None and match[1] == "done"
        if slot is not None and is_told_again and any(reading.arguments == whole for reading in slot.readings):
            return slot
        slot = self._opened(key)
        if slot.state is State.DENIED:
            return slot
        self._bind(event.get("item_id"), slot)
        if match is None:
            return slot
        if match[1] == "delta":
            slot.pieces.append(text_of(event.get("delta")))
        else:
            slot.whole[whole] = None
            if event.get("name") is not None:
                slot.names[text_of(event["name"])] = None
        return slot

    def _see_listed(self, place: int, item: dict[str, Json]) -> _ItemSlot:
        exactly(item, _OF_ITEM)
        id_, name, arguments, kind = _told(item)
        by_id = self._by_id.get(text_of(item.get("id"))) if item.get("id") else None
        for told in (by_id, self._slots.get(place)):
            if told is not None and (told.state is State.DENIED or told in self.fresh):
                # Denied as it flowed, or under way: what the list says of it is of no account, or another reading.
                if told.state is State.OPEN:
                    told.whole[arguments] = told.names[name] = None
                    told.kinds.add(kind)
                    told.is_done = True
                return told
        known = self._listed.get((kind, name, arguments))
        if known is not None:
            return known
        slot = _ItemSlot(place, place, id=id_, is_done=True)
        slot.kinds.add(kind)
        slot.whole[arguments] = slot.names[name] = None
        self.fresh.append(slot)
        return slot

    def _opened(self, key: int | str) -> _ItemSlot:
        slot = self._slots.get(key)
        if slot is not None and slot.state is State.ALLOWED:
            # More of a call that is on its way already: what is joined to it was not decided with it.
            slot = None
            is_doubtful = True
        else:
            is_doubtful = False
        if slot is None:
            place = key if isinstance(key, int) else 0
            # The place of one that is on its way is taken: what comes late is left out, and nothing put in.
            slot = self._slots[key] = _ItemSlot(place, place, is_doubtful=is_doubtful, is_told=is_doubtful)
            self.fresh.append(slot)
        return slot

    def _bind(self, id_: Json, slot: _ItemSlot) -> None:
        """Two calls under one id would be told apart by some clients and joined by others."""
        if not isinstance(id_, str) or not id_:
            return
        other = self._by_id.setdefault(id_, slot)
        if other is not slot:
            slot.is_doubtful = True
            if other.state is State.OPEN:
                other.is_doubtful = True

    def _rewritten(self, seen: ItemsSeen) -> bytes:
        slot = seen.slot
        if slot is not None and slot.state is State.DENIED:
            if slot.is_told:
                return b""
            slot.is_told = True
            return self._told_no(slot)
        response = seen.value.get("response")
        if isinstance(response, dict):
            self.change_output(response, seen.listed)
        return self._event(seen.value)

    def _told_no(self, slot: _ItemSlot) -> bytes:
        """The events of a message in the place of the call."""
        text, id_ = refusal_text(slot.name, slot.verdict), f"msg_flyball_{slot.place}"
        whole = _message(id_, text)
        at = {"output_index": slot.place}
        part_at = {**at, "item_id": id_, "content_index": 0}
        part = whole["content"][0]
        events: list[dict[str, Json]] = [
            {"type": _ADDED, **at, "item": {**whole, "status": "in_progress", "content": []}},
            {"type": "response.content_part.added", **part_at, "part": {**part, "text": ""}},
            {"type": "response.output_text.delta", **part_at, "delta": text, "logprobs": []},
            {"type": "response.output_text.done", **part_at, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **part_at, "part": part},
            {"type": "response.output_item.done", **at, "item": whole},
        ]
        return b"".join(self._event({**event, "sequence_number": 0}) for event in events)

    def _event(self, value: dict[str, Json]) -> bytes:
        if self._number is not None:
            value["sequence_number"] = self._number
            self._number += 1
        kind = value.get("type")
        name = (
            b"event: %b\n" % kind.encode() if isinstance(kind, str) and kind.isascii() and kind.isprintable() else b""
        )
        return name + b"data: " + written(value) + b"\n\n"


def is_call(item: dict[str, Json]) -> bool:
    """Whether an output item asks the client to run, or to allow, something.

    Raises:
        Unreadable: it has no type that can be read.
    """
    exactly(item, _OF_ITEM)
    kind = item.get("type")
    if kind is not None and not isinstance(kind, str):
        raise Unreadable("an item's type is no text")
    if kind is None:
        return "arguments" in item or "call_id" in item
    folded = kind.casefold()
    if folded in _RUN_BY_PROVIDERS and folded == kind:
        return False
    return folded.endswith(("_call", "_approval_request")) or "arguments" in item


def _told(item: dict[str, Json]) -> tuple[str, str, str, str]:
    """An item's id, name, arguments and kind."""
    kind = text_of(item.get("type")) or "function_call"
    short = kind.removesuffix("_call")
    id_ = text_of(item.get("call_id")) or text_of(item.get("id"))
    if kind == "function_call":
        return id_, text_of(item.get("name")), text_of(item.get("arguments")), "function"
    if kind == "custom_tool_call":
        return id_, text_of(item.get("name")), text_of(item.get("input")), "custom"
    rest = {name: value for name, value in item.items() if name not in _NOT_ARGUMENTS}
    arguments = written(rest).decode()
    return id_, text_of(item.get("name")) or short, arguments, short


def _key(event: dict[str, Json], id_: Json) -> int | str:
    index = event.get("output_index")
    if index is None:
        return text_of(id_)
    if type(index) is not int or index < 0:
        raise Unreadable("an item's place is no number")
    return index


def _agrees(slot: _ItemSlot, name: str, arguments: str, *, is_whole: bool) -> bool:
    """Whether an item says what was decided of it already."""
    if not is_whole and not arguments:
        return any(reading.name == name for reading in slot.readings)
    return any((reading.name, reading.arguments) == (name, arguments) for reading in slot.readings)


def _message(id_: str, text: str) -> dict[str, Json]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": id_, "type": "message", "role": "assistant", "status": "completed", "content": [part]}
