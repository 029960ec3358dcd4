"""The tool calls of chat chunks and chat answers: found part by part, and taken out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from proxy.wire.openai.gate_marks import DONE, may_carry
from proxy.wire.strict import Json, Unreadable, exactly, is_json, object_or_none, objects, parsed, text_of, written
from proxy.wire.tool_calls import AMBIGUOUS, Slot, State, ToolCall, own_verdict, refusal_text

_OF_CALLS: Final = frozenset({"tool_calls", "function_call"})
_LEGACY: Final = "function_call"
_IDENTITY: Final = ("id", "object", "created", "model", "system_fingerprint")
_NAMES: Final = {
    "chunk": frozenset({"choices"}),
    "choice": frozenset({"delta", "message", "index", "finish_reason"}),
    "delta": _OF_CALLS,
    "part": frozenset({"index", "id", "function", "custom"}),
    "named": frozenset({"name", "arguments", "input"}),
}


@dataclass(slots=True)
class _Segment:
    """The parts of a slot that stand under one id."""

    id: str = ""
    names: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)

    def readings(self, slot: Slot) -> Iterator[ToolCall]:
        text = "".join(self.arguments)
        # A name in several parts is joined by some clients; others keep the first or the last.
        names = dict.fromkeys(self.names[:1] + self.names[-1:] or [""])
        for name in names:
            yield ToolCall(self.id, name, text, slot.index, slot.kind)
        if len(self.names) > 1:
            is_repeated = len(set(self.names)) == 1
            yield ToolCall(self.id, "".join(self.names), text, slot.index, slot.kind, is_repeated=is_repeated)


@dataclass(slots=True, eq=False)
class _ChatSlot(Slot):
    segments: list[_Segment] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    is_numbered: bool = True

    def add(self, id_: str, kind: str, name: str, arguments: str) -> None:
        if kind:
            self.kinds.add(kind)
        if not self.segments or self._begins_another(id_, name):
            self.segments.append(_Segment())
        last = self.segments[-1]
        last.id = last.id or id_
        if name:
            last.names.append(name)
        if arguments:
            last.arguments.append(arguments)

    def _begins_another(self, id_: str, name: str) -> bool:
        last = self.segments[-1]
        if id_ and last.id and id_ != last.id:
            return True
        return bool(name and last.arguments and last.names and name != last.names[-1])

    def complete(self) -> None:
        """Find out in which ways the call can be read; in too many is a no."""
        self.kind = next(iter(self.kinds), "function")
        self.readings = [reading for segment in self.segments for reading in segment.readings(self)]
        if (len(self.segments) > 1 and not self.is_whole) or len(self.kinds) > 1:
            self.deny(own_verdict(AMBIGUOUS))

    @property
    def is_whole(self) -> bool:
        """Whether each of its parts stands for itself, so that joined they would be no arguments at all."""
        return all(is_json("".join(each.arguments)) for each in self.segments)


@dataclass(slots=True)
class _Mark:
    """A part of a call, where it stands in its event."""

    choice: dict[str, Json]
    delta: dict[str, Json]
    part: dict[str, Json]
    slot: _ChatSlot
    is_legacy: bool


class ChatSeen:
    """One event, read."""

    __slots__ = ("finishing", "marks", "value")

    def __init__(self, value: dict[str, Json]) -> None:
        self.value = value
        self.marks: list[_Mark] = []
        self.finishing: list[tuple[int, dict[str, Json]]] = []


class ChatCalls:
    """The calls of one chat stream or answer, by choice and index."""

    def __init__(self) -> None:
        self.slots: dict[tuple[int, int | str], _ChatSlot] = {}
        self.fresh: list[_ChatSlot] = []
        self._finished: set[int] = set()
        self._survivors: dict[int, int] = {}
        self._denied: set[int] = set()
        self.blocked: str = ""

    may_carry = staticmethod(may_carry)

    def is_last(self, data: bytes) -> bool:
        """Whether an event is `[DONE]`."""
        return data.strip() == DONE

    def see(self, value: dict[str, Json], name: bytes | None = None) -> ChatSeen:
        """Read one event; calls that it begins or goes on with are `open` until their choice ends.

        Raises:
            Unreadable: what could be a call cannot be read in one way.
        """
        seen = ChatSeen(value)
        exactly(value, _NAMES["chunk"])
        for choice in objects(value.get("choices")):
            self._see_choice(seen, choice)
        return seen

    def carries(self, seen: ChatSeen) -> bool:
        """Whether an event holds a part of a call."""
        return bool(seen.marks)

    @property
    def is_open(self) -> bool:
        """Whether a call is not complete yet."""
        return not self.blocked and any(slot.place not in self._finished for slot in self.fresh)

    def finish(self) -> None:
        """Nothing more comes."""
        self._finished |= {slot.place for slot in self.fresh}

    def taken(self) -> list[_ChatSlot]:
        """The calls to decide, complete; they are handed out once."""
        slots, self.fresh = self.fresh, []
        loose: dict[int, list[_ChatSlot]] = {}
        for slot in slots:
            slot.complete()
            if self.blocked:
                slot.deny(own_verdict(self.blocked))
            elif not slot.is_numbered:
                loose.setdefault(slot.place, []).append(slot)
        for together in loose.values():
            if len(together) > 1 and not all(slot.is_whole for slot in together):
                for slot in together:
                    slot.deny(own_verdict(AMBIGUOUS))
        return slots

    def decided(self, slots: Sequence[_ChatSlot]) -> None:
        """Number the calls that are left anew, as clients put them in a list by their index."""
        self._denied |= {slot.place for slot in slots if slot.state is State.DENIED}
        for slot in slots:
            if slot.state is State.ALLOWED:
                count = self._survivors.get(slot.place, 0)
                slot.sent_index = count if slot.place in self._denied else slot.index
                self._survivors[slot.place] = count + 1

    def rewritten(self, events: list[tuple[bytes, ChatSeen | None]]) -> bytes:
        """Events as they are sent on: those that nothing was taken out of, byte for byte."""
        return b"".join(raw if seen is None else self._rewritten(raw, seen) for raw, seen in events)

    def change_event(self, seen: ChatSeen) -> bool:
        """Take denied calls out of an event's value; whether any was in it."""
        changed = False
        for mark in seen.marks:
            changed |= self._change(mark)
        for place, choice in seen.finishing:
            if self._ends_otherwise(place, choice):
                choice["finish_reason"] = "stop"
                changed = True
        return changed

    def see_answer(self, value: dict[str, Json]) -> ChatSeen:
        """Read a whole answer: it is written as one event of a stream is."""
        return self.see(value)

    def change(self, value: dict[str, Json], seen: ChatSeen) -> bool:
        """Take the denied calls out of a whole answer; whether there were any."""
        return self.change_event(seen)

    def soiled(self, held: Sequence[tuple[bytes, ChatSeen | None]]) -> None:
        """Nothing: chunks are not numbered."""

    def ends_unread(self, *, is_endless: bool) -> bytes | None:
        """An event without end hides what is behind it; behind any other the stream goes on."""
        return b"data: [DONE]\n\n" if is_endless else None

    def refusal(self, last: bytes, code: str) -> bytes:
        """The chunk that stands for an event that could not be read."""
        value: dict[str, Json] = {
            "id": "chatcmpl-flyball",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "",
        }
        value |= identity_of(last)
        text = refusal_text("", own_verdict(code))
        self._denied.add(0)
        value["choices"] = [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
        return b"data: " + written(value) + b"\n\n"

    def _see_choice(self, seen: ChatSeen, choice: dict[str, Json]) -> None:
        exactly(choice, _NAMES["choice"])
        place = choice.get("index")
        place = 0 if place is None else place
        if type(place) is not int:
            raise Unreadable("a choice's index is no number")
        for member in ("delta", "message"):
            delta = object_or_none(choice.get(member))
            if delta is not None:
                self._see_delta(seen, place, choice, delta)
        if choice.get("finish_reason") is not None:
            seen.finishing.append((place, choice))
            self._finished.add(place)

    def _see_delta(self, seen: ChatSeen, place: int, choice: dict[str, Json], delta: dict[str, Json]) -> None:
        exactly(delta, _NAMES["delta"])
        for part in objects(delta.get("tool_calls")):
            slot = self._see_part(place, part)
            seen.marks.append(_Mark(choice, delta, part, slot, is_legacy=False))
        legacy = object_or_none(delta.get("function_call"))
        if legacy is not None:
            slot = self._add(place, _LEGACY, "", "function", legacy)
            seen.marks.append(_Mark(choice, delta, legacy, slot, is_legacy=True))

    def _see_part(self, place: int, part: dict[str, Json]) -> _ChatSlot:
        exactly(part, _NAMES["part"])
        function, custom = object_or_none(part.get("function")), object_or_none(part.get("custom"))
        if function is not None and custom is not None:
            raise Unreadable("a call of two kinds")
        index = part.get("index")
        if index is not None and (type(index) is not int or index < 0):
            raise Unreadable("a call's index is no number")
        id_ = text_of(part.get("id"))
        named = function if function is not None else custom
        kind = "" if named is None else "function" if function is not None else "custom"
        numbered = {isinstance(key, int) for at, key in self.slots if at == place and key != _LEGACY}
        if numbered - {index is not None}:
            raise Unreadable("some calls have an index, and some none")
        key: int | str = self._unnumbered(place, named) if index is None else index
        return self._add(place, key, id_, kind, named or {})

    def _unnumbered(self, place: int, named: dict[str, Json] | None) -> str:
        """Where calls have no index, each name begins one."""
        count = sum(1 for at, key in self.slots if at == place and key != _LEGACY)
        return str(count if (named and named.get("name")) or not count else count - 1)

    def _add(self, place: int, key: int | str, id_: str, kind: str, named: dict[str, Json]) -> _ChatSlot:
        exactly(named, _NAMES["named"])
        name = text_of(named.get("name"))
        arguments = text_of(named.get("arguments")) + text_of(named.get("input"))
        slot = self.slots.get((place, key))
        if slot is not None and (
            slot.state is State.DENIED or (slot.state is State.ALLOWED and not (name or arguments))
        ):
            return slot
        if slot is None or slot.state is State.ALLOWED:
            index = key if isinstance(key, int) else 0
            fresh = _ChatSlot(place, index, is_numbered=isinstance(key, int) or key == _LEGACY)
            if slot is not None:
                # More of a call that is on its way already: clients would join what was not decided together.
                fresh.kinds |= {"function", "custom"}
            slot = self.slots[(place, key)] = fresh
            self.fresh.append(slot)
        slot.add(id_, kind, name, arguments)
        return slot

    def _change(self, mark: _Mark) -> bool:
        slot = mark.slot
        if slot.state is State.ALLOWED:
            if mark.is_legacy or mark.part.get("index") in (None, slot.sent_index):
                return False
            mark.part["index"] = slot.sent_index
            return True
        if mark.is_legacy:
            del mark.delta["function_call"]
        else:
            mark.delta["tool_calls"] = [part for part in mark.delta["tool_calls"] if part is not mark.part]
            if not mark.delta["tool_calls"]:
                del mark.delta["tool_calls"]
        if not slot.is_told:
            slot.is_told = True
            _say(mark.delta, refusal_text(slot.name, slot.verdict))
        return True

    def _ends_otherwise(self, place: int, choice: dict[str, Json]) -> bool:
        is_of_calls = choice["finish_reason"] in ("tool_calls", "function_call")
        return is_of_calls and place in self._denied and not self._survivors.get(place)

    def _rewritten(self, raw: bytes, seen: ChatSeen) -> bytes:
        if not self.change_event(seen):
            return raw
        if not seen.value.get("usage") and all(_is_silent(choice) for choice in objects(seen.value.get("choices"))):
            return b""
        return b"data: " + written(seen.value) + b"\n\n"


def identity_of(last: bytes) -> dict[str, Json]:
    """What every chunk of a stream repeats, of its latest that can be read."""
    try:
        value = parsed(last)
    except Unreadable:
        return {}
    return {name: value[name] for name in _IDENTITY if name in value}


def _say(delta: dict[str, Json], text: str) -> None:
    """Put a text behind what the delta says."""
    content = delta.get("content")
    if isinstance(content, list):
        delta["content"] = [*content, {"type": "text", "text": text}]
    else:
        before = content if isinstance(content, str) and content else ""
        delta["content"] = f"{before}\n\n{text}" if before else text


def _is_silent(choice: dict[str, Json]) -> bool:
    """Whether a choice says nothing any more."""
    return not choice.get("delta") and not choice.get("message") and choice.get("finish_reason") is None
