"""What is told of a request and of its answer, whatever dialect they are in."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as slot
from typing import Final

from msgspec import Struct, field

from proxy.core.refusal import JsonValue
from proxy.core.usage import ToolFee

_MOST_TOOLS: Final = 128
_LONGEST_NAME: Final = 128


def and_tool(tools: tuple[str, ...], name: str | None) -> tuple[str, ...]:
    """The names of the tools that a model has called, with one more; within bounds."""
    return tools if len(tools) >= _MOST_TOOLS else (*tools, kept_name(name or ""))


def kept_name(name: str) -> str:
    """A tool's name as it can be written down: not too long, and half a surrogate pair as a question mark."""
    return name[:_LONGEST_NAME].encode("utf-8", "replace").decode()


class Media(Struct, frozen=True):
    """What is asked for where tokens are not all: images of a quality and size (empty: left open) made of `pictures`,
    with `partials` on the way; characters to be spoken; bytes of sound to be written down. `prompt` is its text."""

    images: int = 0
    quality: str = ""
    size: str = ""
    pictures: int = 0
    partials: int = 0
    characters: int = 0
    sound_bytes: int = 0
    prompt: str = ""


class RequestFacts(Struct, frozen=True):
    """What one request asks for.

    `max_output_tokens` is the largest output limit it gives, None when it gives none (or one of nothing or less, which
    some servers take as "no limit"). `choices` is how many completions are made and billed: `n` or `best_of`, times the
    prompts of a legacy completion. `hosted_tools` are types of provider-run tools. `session` is
    `metadata.session_id`. `model` is empty where only the provider can know it.
    `stateful` names what leans on state kept at the provider.
    """

    model: str
    streamed: bool = False
    asked_for_usage: bool = False
    max_output_tokens: int | None = None
    choices: int = 1
    has_tools: bool = False
    hosted_tools: tuple[str, ...] = ()
    user: str | None = None
    session: str | None = None
    stateful: tuple[str, ...] = ()
    service_tier: str | None = None
    in_background: bool = False
    """Whether the answer is made after the call was answered."""
    stores: bool = False
    """Whether the provider keeps the answer, to be asked for by its id."""
    is_object: bool = True
    """Whether the body is a JSON object; where it is read to be governed it always is."""
    media: Media | None = None


class UnaryFacts(Struct):
    """What a whole answer has told; the fields mean what they mean in `StreamFacts`.

    `error` is the error object of an answer that is one, whatever its status. `is_error` says that there is one.
    """

    model: str | None = None
    raw_usage: bytes | None = None
    service_tier: str | None = None
    finish_reason: str | None = None
    tool_calls: Mapping[ToolFee, int] = field(default_factory=dict)
    output_chars: int = 0
    delivered: list[str] = field(default_factory=list)
    tool_call_count: int = 0
    tools: tuple[str, ...] = ()
    """The names of the tools that were called, in their order; of very many the first."""
    is_error: bool = False
    error: bytes | None = None
    made: int = 0
    """Images that are in it."""
    fingerprint: str = ""


@dataclass(slots=True)
class StreamFacts:
    """What a stream has told so far.

    `raw_usage` is the latest usage object, its bytes as sent; running usage is cumulative, so it is never summed.
    `terminal`: the stream has said that it is over (`[DONE]`, a last event, an in-band error). `saw_output`: the
    first token has come. `delivered` keeps at most 256 Ki characters of `output_chars`. `events` counts events that
    carry data. `output_fifths` is a quick bound of the output's tokens, in fifths of one (`OutputText`). `overflow`: an
    event outgrew its bound; from there on nothing was read.
    """

    model: str | None = None
    raw_usage: bytes | None = None
    service_tier: str | None = None
    finish_reason: str | None = None
    terminal: bool = False
    error: bytes | None = None
    saw_output: bool = False
    events: int = 0
    tool_calls: Mapping[ToolFee, int] = slot(default_factory=dict)
    output_chars: int = 0
    output_fifths: int = 0
    delivered: list[str] = slot(default_factory=list)
    tool_call_count: int = 0
    tools: tuple[str, ...] = ()
    """The names of the tools that were called, in their order; of very many the first."""
    overflow: bool = False
    made: int = 0
    """Images that have come whole."""
    fingerprint: str = ""
    """What the provider calls the version of its model; told at the end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """What is said about a cut: our object, and the tokens as we counted them. A chat is told its usage if it asked."""

    flyball: Mapping[str, JsonValue]
    input_tokens: int
    output_tokens: int
    asked_for_usage: bool
