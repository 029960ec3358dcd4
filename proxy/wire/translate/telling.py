"""What an answer tells, in words of no dialect: a provider's reader says it, the client's writer writes it down."""

from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

Finish: TypeAlias = Literal["stop", "stop_sequence", "length", "tool_calls", "filtered", "paused", "context"]
"""Why an answer ended; `context`: the model's window was full."""

Kind: TypeAlias = Literal[
    "invalid",
    "authentication",
    "permission",
    "not_found",
    "too_large",
    "rate_limit",
    "quota",
    "overloaded",
    "timeout",
    "context_length",
    "content_filter",
    "server",
]
"""What an error means, in any dialect."""


class Told(Struct, gc=False):
    """What an answer used. `given` is all input, `cached`, `written` and `written_1h` are parts of it; `made` is all
    output, `thought` a part of it. None is not told."""

    given: int = 0
    made: int = 0
    cached: int | None = None
    written: int | None = None
    written_1h: int | None = None
    thought: int | None = None
    tier: str | None = None


class Failure(Struct):
    """An error of the provider's. `kind` is what it means in any dialect; `original` is the provider's own, as JSON."""

    kind: Kind
    message: str
    original: bytes = b""


class Writer(Protocol):
    """Writes an answer in the client's dialect, as it is told. Texts, thoughts and calls come in the answer's order."""

    def begin(self, answer_id: str, model: str) -> None:
        """The answer begins; once, before all else."""
        ...

    def text(self, text: str) -> None:
        """A piece of what the model says."""
        ...

    def refusal(self, text: str) -> None:
        """Why the model, or its provider, does not answer."""
        ...

    def thought(self, text: str) -> None:
        """A piece of what the model thinks."""
        ...

    def thought_over(self, seal: str, hidden: str = "") -> None:
        """A block of thinking is over, with its signature; or it was `hidden`, and this is all there is of it."""
        ...

    def call(self, key: int, call_id: str, name: str, seal: str = "") -> None:
        """A tool call begins; `key` names it within the answer."""
        ...

    def arguments(self, key: int, part: str) -> None:
        """A piece of a call's arguments."""
        ...

    def finish(self, why: Finish, told: Told, stopped_by: str = "") -> None:
        """The answer is over, and what it used; `stopped_by` is the stop sequence it met, where that is told."""
        ...

    def fail(self, failure: Failure) -> None:
        """It ends in an error."""
        ...

    def end(self) -> None:
        """Nothing comes any more, and all was told."""
        ...
