"""The tool calls of a message: blocks of its stream and of its content, found and replaced."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from proxy.wire.strict import Json, Unreadable, exactly, object_or_none, objects, text_of, written
from proxy.wire.tool_calls import AMBIGUOUS, Slot, State, ToolCall, own_verdict, refusal_text

_CALL: Final = "tool_use"
_RUN_BY_PROVIDERS: Final = frozenset({"server_tool_use", "mcp_tool_use"})
"""Decided at the request: they have run when the client hears of them."""
_OF_EVENT: Final = frozenset({"type", "index", "message", "content_block", "delta"})
_OF_BLOCK: Final = frozenset({"type", "id", "name", "input"})
_OF_DELTA: Final = frozenset({"type", "partial_json", "stop_reason"})
_OF_MESSAGE: Final = frozenset({"type", "content", "stop_reason"})
_OTHERWISE: Final = "end_turn"
_MARKS: Final = (b"tool_use", b"partial_json", b"input_json", b"\\u")


def may_carry(raw: bytes) -> bool:
    """Whether bytes could hold a call in any client's reading: its words in any case, or written as escapes."""
    folded = raw.lower()
    return any(mark in folded for mark in _MARKS)


@dataclass(slots=True, eq=False)
class _BlockSlot(Slot):
    """`given` is the input as the block tells it, `pieces` as it flowed."""

    id: str = ""
    tool: str = ""
    given: Json = None
    pieces: list[str] = field(default_factory=list)
    is_whole: bool = False
    is_doubtful: bool = False

    def complete(self) -> None:
        """Find out in which ways the call can be read: a client may take what flowed, or what the block began with."""
        flowed = "".join(self.pieces)
        texts = [flowed] if flowed else []
        if self.given or not flowed:
            texts.append(written(self.given).decode() if isinstance(self.given, dict) else text_of(self.given) or "{}")
        self.readings = [ToolCall(self.id, self.tool, text, self.place) for text in dict.fromkeys(texts)]
        if self.is_doubtful:
            self.deny(own_verdict(AMBIGUOUS))


class Seen:
    """One event, read: the call it is a part of, or how the answer ended."""

    __slots__ = ("kind", "slot", "value")

    def __init__(self, value: dict[str, Json], kind: str) -> None:
        self.value = value
        self.kind = kind
        self.slot: _BlockSlot | None = None


class BlockCalls:
    """The calls of one message, by their place in its content."""

    def __init__(self) -> None:
        self.fresh: list[_BlockSlot] = []
        self.blocked: str = ""
        self._slots: dict[int, _BlockSlot] = {}
        self._others: dict[int, str] = {}
        self._survivors = 0
        self._has_denied = False

    may_carry = staticmethod(may_carry)

    @property
    def is_open(self) -> bool:
        """Whether a call is not complete yet."""
        return not self.blocked and any(not slot.is_whole for slot in self.fresh)

    def is_last(self, data: bytes) -> bool:
        """Never: the last event is one like others."""
        return False

    def see(self, value: dict[str, Json], name: bytes | None = None) -> Seen:
        """Read one event; a call that it begins or goes on with is open until its block ends.

        Raises:
            Unreadable: what could be a call cannot be read in one way.
        """
        exactly(value, _OF_EVENT)
        kind, named = value.get("type"), None if name is None else name.decode("utf-8", "replace")
        if kind is None:
            kind = named or ""
        if not isinstance(kind, str) or (named is not None and named != kind):
            raise Unreadable("an event of two types")
        seen = Seen(value, kind)
        if kind == "content_block_start":
            seen.slot = self._begun(value)
        elif kind == "content_block_delta":
            seen.slot = self._gone_on(value)
        elif kind == "content_block_stop":
            seen.slot = self._ended(value)
        elif kind == "message_start":
            message = object_or_none(value.get("message")) or {}
            exactly(message, _OF_MESSAGE)
            if message.get("content"):
                raise Unreadable("a message that begins with content")
        elif "content_block" in value or (kind != "message_delta" and "delta" in value):
            raise Unreadable("a block in another event")
        elif kind == "message_delta":
            exactly(object_or_none(value.get("delta")) or {}, _OF_DELTA)
        return seen

    def see_answer(self, value: dict[str, Json]) -> None:
        """Read the content of a whole message.

        Raises:
            Unreadable: what could be a call cannot be read in one way.
        """
        exactly(value, _OF_MESSAGE)
        for place, block in enumerate(objects(value.get("content"))):
            if _is_call(block):
                self._open(place, block).is_whole = True

    def carries(self, seen: Seen) -> bool:
        """Whether an event is about a call that is not decided."""
        return seen.slot is not None and seen.slot.state is State.OPEN

    def finish(self) -> None:
        """Nothing more comes."""
        for slot in self.fresh:
            slot.is_whole = True

    def taken(self) -> list[_BlockSlot]:
        """The calls to decide; they are handed out once."""
        slots, self.fresh = self.fresh, []
        for slot in slots:
            slot.complete()
            if self.blocked:
                slot.deny(own_verdict(self.blocked))
        return slots

    def decided(self, slots: Sequence[Slot]) -> None:
        """Remember what is left of the calls: it decides what the answer is said to have ended for."""
        self._survivors += sum(slot.state is State.ALLOWED for slot in slots)
        self._has_denied = self._has_denied or any(slot.state is State.DENIED for slot in slots)

    def soiled(self, held: Sequence[tuple[bytes, Seen | None]]) -> None:
        """Nothing: events are not numbered."""

    def rewritten(self, events: Sequence[tuple[bytes, Seen | None]]) -> bytes:
        """Events as they are sent on: those that nothing was taken out of, byte for byte."""
        return b"".join(raw if seen is None else self._rewritten(raw, seen) for raw, seen in events)

    def change(self, value: dict[str, Json], seen: None) -> None:
        """Put text in the place of the denied calls in a whole message."""
        content = value["content"]
        for place, slot in self._slots.items():
            if slot.state is State.DENIED:
                content[place] = {"type": "text", "text": refusal_text(slot.name, slot.verdict)}
        if value.get("stop_reason") == _CALL and not self._survivors:
            value["stop_reason"] = _OTHERWISE

    def ends_unread(self, *, is_endless: bool) -> bytes | None:
        """The error that stands for it: nothing comes behind one."""
        return b""

    def refusal(self, last: bytes, code: str) -> bytes:
        """The event that stands for one that could not be read: an error."""
        error = {"type": "permission_error", "message": refusal_text("", own_verdict(code))}
        return _event({"type": "error", "error": {**error, "details": {"error_code": code}}})

    def _begun(self, event: dict[str, Json]) -> _BlockSlot | None:
        place, block = _place(event), object_or_none(event.get("content_block"))
        if block is None:
            raise Unreadable("a block of no kind")
        if not _is_call(block):
            self._others[place] = text_of(block.get("type"))
            if place in self._slots:
                raise Unreadable("another block in a call's place")
            return None
        return self._open(place, block)

    def _open(self, place: int, block: dict[str, Json]) -> _BlockSlot:
        given = block.get("input")
        if given is not None and not isinstance(given, dict | str):
            raise Unreadable("a call's input is no object")
        slot = _BlockSlot(place, place, id=text_of(block.get("id")), tool=text_of(block.get("name")), given=given)
        # Two calls in one place would be told apart by some clients and joined by others.
        slot.is_doubtful = place in self._slots or place in self._others
        if slot.is_doubtful and place in self._slots and self._slots[place].state is State.OPEN:
            self._slots[place].is_doubtful = self._slots[place].is_whole = True
        self._slots[place] = slot
        self.fresh.append(slot)
        return slot

    def _gone_on(self, event: dict[str, Json]) -> _BlockSlot | None:
        place, delta = _place(event), object_or_none(event.get("delta")) or {}
        exactly(delta, _OF_DELTA)
        slot = self._slots.get(place)
        piece = text_of(delta.get("partial_json"))
        if slot is None:
            if (piece or delta.get("type") == "input_json_delta") and self._others.get(place) not in _RUN_BY_PROVIDERS:
                raise Unreadable("the input of no call")
            return None
        if slot.state is State.ALLOWED and piece:
            raise Unreadable("more of a call that was decided")
        if slot.state is State.OPEN:
            slot.pieces.append(piece)
        return slot

    def _ended(self, event: dict[str, Json]) -> _BlockSlot | None:
        slot = self._slots.get(_place(event))
        if slot is not None:
            slot.is_whole = True
        return slot

    def _rewritten(self, raw: bytes, seen: Seen) -> bytes:
        slot = seen.slot
        if slot is not None and slot.state is State.DENIED:
            if slot.is_told:
                return b""
            slot.is_told = True
            return _told_no(slot)
        delta = seen.value.get("delta") if seen.kind == "message_delta" else None
        if isinstance(delta, dict) and delta.get("stop_reason") == _CALL and not self._survivors and self._has_denied:
            delta["stop_reason"] = _OTHERWISE
            return _event(seen.value)
        return raw


def _is_call(block: dict[str, Json]) -> bool:
    """Whether a block asks the client to run something.

    Raises:
        Unreadable: it has no type that can be read.
    """
    exactly(block, _OF_BLOCK)
    kind = block.get("type")
    if not isinstance(kind, str):
        raise Unreadable("a block's type is no text")
    if kind != kind.casefold() and _CALL in kind.casefold():
        raise Unreadable("a block's type in other letters")
    return _CALL in kind and kind not in _RUN_BY_PROVIDERS


def _place(event: dict[str, Json]) -> int:
    index = event.get("index")
    if type(index) is not int or index < 0:
        raise Unreadable("a block's place is no number")
    return index


def _told_no(slot: _BlockSlot) -> bytes:
    """The events of a block of text in the place of the call."""
    at = {"index": slot.place}
    delta = {"type": "text_delta", "text": refusal_text(slot.name, slot.verdict)}
    return b"".join(
        (
            _event({"type": "content_block_start", **at, "content_block": {"type": "text", "text": ""}}),
            _event({"type": "content_block_delta", **at, "delta": delta}),
            _event({"type": "content_block_stop", **at}),
        )
    )


def _event(value: dict[str, Json]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (text_of(value.get("type")).encode("ascii", "replace"), written(value))
