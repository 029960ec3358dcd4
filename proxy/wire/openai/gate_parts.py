"""What the tool-call gate is told and tells: calls, verdicts, and a strict reading of events that may carry calls."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, TypeAlias

import msgspec

Json: TypeAlias = Any
AMBIGUOUS: Final = "ambiguous_tool_call"
TOO_LARGE: Final = "tool_call_too_large"
TOO_SLOW: Final = "tool_call_too_slow"
UNREADABLE: Final = "unreadable_tool_call"
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A complete call that the model emits. `kind`: `function`, `custom`, or the type of a call such as `local_shell`.

    `is_repeated`: its name came several times, and this is all of them joined: of no account where no tool has it.
    """

    id: str
    name: str
    arguments: str
    index: int
    kind: str = "function"
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a call may reach the client; `code` and `message` are the rule's that says no.

    `decision` is the id of what is written down of it; the gate's own have none.
    """

    allow: bool
    code: str = ""
    message: str = ""
    decision: str = ""


ALLOWED: Final = Verdict(True)


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that was taken out, by which rule; `decision` as its verdict has it."""

    name: str
    code: str
    decision: str = ""


class Unreadable(ValueError):
    """An event that may carry a call, and that two clients could read in two ways, or none at all."""


class State(Enum):
    """What became of a call."""

    OPEN = auto()
    ALLOWED = auto()
    DENIED = auto()


@dataclass(slots=True, eq=False)
class Slot:
    """One call on its way, in all the ways it could be read. `place` is its choice, or its place in the output."""

    place: int
    index: int
    kind: str = "function"
    readings: list[ToolCall] = field(default_factory=list)
    state: State = State.OPEN
    verdict: Verdict = ALLOWED
    is_told: bool = False
    sent_index: int = 0

    @property
    def name(self) -> str:
        """The name that a refusal tells."""
        return self.readings[0].name if self.readings else ""

    def decide(self, verdicts: Iterable[Verdict]) -> None:
        """Every reading must be allowed."""
        no = next((verdict for verdict in verdicts if not verdict.allow), None)
        if no is None:
            self.state = State.ALLOWED
        else:
            self.deny(no)

    def deny(self, verdict: Verdict) -> None:
        """Take it out, whatever else was decided of it."""
        self.state, self.verdict = State.DENIED, verdict


def refusal_text(name: str, verdict: Verdict) -> str:
    """What stands where the call stood."""
    said = verdict.message or "It is not allowed."
    return f"The tool call {name[:_LONGEST_NAME]!r} was denied by policy ({verdict.code}): {said}"


_WHY: Final = {
    AMBIGUOUS: "It could be read in more than one way.",
    TOO_LARGE: "It is too large to be looked into.",
    TOO_SLOW: "It took too long to come.",
    UNREADABLE: "It could not be read.",
}


def own_verdict(code: str) -> Verdict:
    """The gate's own no."""
    return Verdict(False, code, _WHY[code])


def parsed(data: bytes) -> dict[str, Json]:
    """One JSON object in which no member stands twice.

    Raises:
        Unreadable: it is none.
    """
    try:
        value = _decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    if not isinstance(value, dict):
        raise Unreadable("not an object")
    return value


def once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """An object of JSON in which no member stands twice.

    Raises:
        Unreadable: one does; clients differ in which of the two they take.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a member stands twice")
    return found


_decode: Final = json.JSONDecoder(object_pairs_hook=once).decode
"""`json.loads` would make such a decoder anew for each event."""


def exactly(found: Mapping[str, Json], names: frozenset[str]) -> None:
    """See to it that no member is a name of ours in other letters: some clients take no notice of case.

    Raises:
        Unreadable: one is.
    """
    for name in found:
        if name not in names and name.casefold() in names:
            raise Unreadable(f"a member named {name!r}")


def text_of(value: Json) -> str:
    """A text, empty for null; an object as its JSON.

    Raises:
        Unreadable: anything else.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return json.dumps(value)
    raise Unreadable("not a text")


def objects(value: Json) -> list[dict[str, Json]]:
    """A list of objects, empty for null.

    Raises:
        Unreadable: anything else.
    """
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Unreadable("not a list of objects")
    return value


def object_or_none(value: Json) -> dict[str, Json] | None:
    """An object, or None for null.

    Raises:
        Unreadable: anything else.
    """
    if value is None or isinstance(value, dict):
        return value
    raise Unreadable("not an object")


def is_json(text: str) -> bool:
    """Whether a text is a whole JSON object."""
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False


def written(value: Mapping[str, Json]) -> bytes:
    """JSON as it is put into an event: ASCII, so that halves of a character that came in pass."""
    return json.dumps(value, separators=(",", ":")).encode()
