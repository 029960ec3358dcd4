"""The tool calls of Gemini's answers, for the gate: each stands whole in one part of one chunk.

A call that is told in pieces (`partialArgs`, which a request must ask for) cannot be decided before it is over, and
is denied as one that cannot be read.
"""

import json
from collections.abc import Sequence
from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.framing import SSE
from proxy.wire.gate import MOST_BYTES, MOST_NS, AnswerGate, ToolGate
from proxy.wire.gemini.listing import ARRAY
from proxy.wire.gemini.names import camel
from proxy.wire.sse import data_of
from proxy.wire.strict import Json, Unreadable, object_or_none, objects, parsed, text_of, written
from proxy.wire.tool_calls import Slot, State, ToolCall, own_verdict, refusal_text

_CALL: Final = "functionCall"
_MARKS: Final = (b"functioncall", b"function_call", b"\\u")
_IN_PIECES: Final = ("partialArgs", "willContinue")
_AS_LIST: Final = Endpoint.GENERATE_CONTENT_LIST
_IDENTITY: Final = ("modelVersion", "responseId", "createTime")
_PATH: Final = frozenset({"candidates", "content", "parts", _CALL, "name", "args", "id"})
_FOLDED: Final = {name.casefold(): name for name in _PATH}


class _Mark:
    """A call where it stands: its part, in the part's list."""

    __slots__ = ("part", "parts", "slot")

    def __init__(self, parts: list[Json], part: dict[str, Json], slot: Slot) -> None:
        self.parts, self.part, self.slot = parts, part, slot


class Seen:
    """One event, or a whole answer, read."""

    __slots__ = ("marks", "value")

    def __init__(self, value: dict[str, Json]) -> None:
        self.value = value
        self.marks: list[_Mark] = []


class GeminiCalls:
    """The calls of one stream or answer."""

    def __init__(self, *, is_list: bool) -> None:
        self.fresh: list[Slot] = []
        self.blocked = ""
        self._is_list = is_list
        self._count = 0

    def may_carry(self, raw: bytes) -> bool:
        """Whether bytes could hold a call in any client's reading: its member in either name, or written as escapes."""
        folded = raw.lower()
        return any(mark in folded for mark in _MARKS)

    def is_last(self, data: bytes) -> bool:
        """Never: a stream is over where it ends."""
        return False

    @property
    def is_open(self) -> bool:
        """Never: a call comes whole."""
        return False

    def see(self, value: dict[str, Json], name: bytes | None = None) -> Seen:
        """Read one event.

        Raises:
            Unreadable: what could be a call cannot be read in one way.
        """
        seen = Seen(value)
        for place, candidate in enumerate(objects(_only(value, "candidates"))):
            content = object_or_none(_only(candidate, "content"))
            parts = None if content is None else _only(content, "parts")
            for part in objects(parts):
                call = object_or_none(_only(part, _CALL))
                if call is not None:
                    seen.marks.append(_Mark(parts or [], part, self._slot(_index(candidate, place), call)))
        return seen

    def see_answer(self, value: dict[str, Json]) -> Seen:
        """Read a whole answer: it is written as one event of a stream is."""
        return self.see(value)

    def carries(self, seen: Seen) -> bool:
        """Whether an event holds a call."""
        return bool(seen.marks)

    def finish(self) -> None:
        """Nothing: no call is ever under way."""

    def taken(self) -> list[Slot]:
        """The calls to decide; they are handed out once."""
        slots, self.fresh = self.fresh, []
        if self.blocked:
            for slot in slots:
                slot.deny(own_verdict(self.blocked))
        return slots

    def decided(self, slots: Sequence[Slot]) -> None:
        """Nothing: a call is not numbered, and `STOP` ends an answer with calls as it ends one without."""

    def soiled(self, held: Sequence[tuple[bytes, Seen | None]]) -> None:
        """Nothing: chunks are not numbered."""

    def rewritten(self, events: list[tuple[bytes, Seen | None]]) -> bytes:
        """Events as they are sent on: those that nothing was taken out of, byte for byte."""
        return b"".join([raw if seen is None else self._rewritten(raw, seen) for raw, seen in events])

    def change(self, value: dict[str, Json], seen: Seen) -> bool:
        """Put a refusal in the place of each denied call; whether there were any."""
        changed = False
        for mark in seen.marks:
            if mark.slot.state is State.DENIED:
                at = next(place for place, part in enumerate(mark.parts) if part is mark.part)
                mark.parts[at] = {"text": refusal_text(mark.slot.name, mark.slot.verdict)}
                changed = True
        return changed

    def refusal(self, last: bytes, code: str) -> bytes:
        """The chunk that stands for an event that could not be read."""
        value: dict[str, Json] = {}
        try:
            told = parsed(last)
            value |= {name: told[name] for name in _IDENTITY if name in told}
        except Unreadable:
            pass
        text = refusal_text("", own_verdict(code))
        content = {"parts": [{"text": text}], "role": "model"}
        chunk = written({"candidates": [{"content": content, "index": 0}], **value})
        if self._is_list:
            return (b"," if last else b"[") + chunk
        return b"data: %b\n\n" % chunk

    def ends_unread(self, *, is_endless: bool) -> bytes | None:
        """An event without end hides what is behind it; behind any other the stream goes on."""
        if not is_endless:
            return None
        return b"]" if self._is_list else b""

    def _slot(self, place: int, call: dict[str, Json]) -> Slot:
        if any(camel(name) in _IN_PIECES for name in call):
            raise Unreadable("a call in pieces")
        args = object_or_none(_only(call, "args"))
        index, self._count = self._count, self._count + 1
        slot = Slot(place, index)
        arguments = json.dumps({} if args is None else args)
        slot.readings = [ToolCall(text_of(_only(call, "id")), text_of(_only(call, "name")), arguments, index)]
        self.fresh.append(slot)
        return slot

    def _rewritten(self, raw: bytes, seen: Seen) -> bytes:
        if not self.change(seen.value, seen):
            return raw
        chunk = written(seen.value)
        data = ARRAY.data_of(raw) if self._is_list else data_of(raw)
        at = -1 if data is None else raw.find(data)
        # What stands around the data stays: a comma of the array, the event's own line ends.
        return b"data: %b\n\n" % chunk if data is None or at < 0 else raw[:at] + chunk + raw[at + len(data) :]


def _only(found: dict[str, Json], name: str) -> Json:
    """A member by its name in camelCase; some clients take snake_case too.

    Raises:
        Unreadable: it stands there in two ways, or in letters that only some clients take for it.
    """
    meant = [key for key in found if camel(key) == name or _FOLDED.get(camel(key).casefold()) == name]
    if len(meant) > 1 or (meant and camel(meant[0]) != name):
        raise Unreadable(f"a member named {meant[0]!r}")
    return found[meant[0]] if meant else None


def _index(candidate: dict[str, Json], place: int) -> int:
    index = candidate.get("index")
    return index if type(index) is int else place


def tool_gate(
    endpoint: Endpoint, *, observes: bool = False, most_bytes: int = MOST_BYTES, most_ns: int = MOST_NS
) -> ToolGate:
    """The gate of one stream."""
    is_list = endpoint is _AS_LIST
    framing = ARRAY if is_list else SSE
    calls = GeminiCalls(is_list=is_list)
    return ToolGate(calls, observes=observes, framing=framing, most_bytes=most_bytes, most_ns=most_ns)


def answer_gate(endpoint: Endpoint, body: bytes) -> AnswerGate:
    """The gate of one answer in one piece."""
    return AnswerGate(GeminiCalls(is_list=False), body)
