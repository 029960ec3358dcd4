"""The tool calls that a model emits, as the gate is told of them, and the verdicts it is given."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

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
