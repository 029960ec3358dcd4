"""What a request asks for, in words of no dialect: read from the client's, written in the provider's."""

from typing import Literal, TypeAlias

from msgspec import Raw, Struct, field

from proxy.wire.translate.members import Json

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

Choice: TypeAlias = Literal["auto", "none", "required"]
Tier: TypeAlias = Literal["auto", "standard"]


class Text(Struct, gc=False):
    """Words. `cache` is the client's mark that the provider should cache up to here: seconds it is to be kept."""

    text: str
    cache: int = 0
    at: str = ""


class Image(Struct, gc=False):
    """A picture: its bytes in base64 with their type, or where it is."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    cache: int = 0
    at: str = ""


class Document(Struct, gc=False):
    """A file for the model to read: its bytes in base64 with their type, its plain text, or where it is."""

    media_type: str = ""
    data: str = ""
    text: str = ""
    url: str = ""
    name: str = ""
    cache: int = 0
    at: str = ""


class Sound(Struct, gc=False):
    """Recorded sound, in base64; `form` is wav, mp3 and the like."""

    form: str
    data: str
    at: str = ""


Shown: TypeAlias = Text | Image | Document | Sound


class ToolCall(Struct, gc=False):
    """A call that the model has made; `arguments` is a JSON object, byte for byte. `seal` is what its provider wants
    back with it, unread."""

    id: str
    name: str
    arguments: Raw
    seal: str = ""
    cache: int = 0
    at: str = ""


class ToolOutput(Struct):
    """What came of a call. `name` is the tool's, where it is known."""

    id: str
    parts: list[Shown]
    name: str = ""
    failed: bool = False
    cache: int = 0
    at: str = ""


class Thought(Struct, gc=False):
    """What the model thought, with its provider's signature; or, where it is `hidden`, only what the provider reads.

    `form` names who can read the signature; empty where that was not told.
    """

    text: str = ""
    seal: str = ""
    hidden: str = ""
    form: str = ""
    at: str = ""


Part: TypeAlias = Shown | ToolCall | ToolOutput | Thought


class Turn(Struct):
    """One message."""

    role: Role
    parts: list[Part]
    at: str = ""


class Tool(Struct):
    """A tool that the client runs; `schema` is the JSON schema of its arguments, None where it takes none."""

    name: str
    description: str | None = None
    schema: Json = None
    strict: bool = False
    cache: int = 0
    at: str = ""


class Form(Struct):
    """The form an answer must have: any JSON object, or one of a schema."""

    schema: Json = None
    name: str = ""
    description: str = ""


class Asked(Struct, kw_only=True):
    """A whole request. `choice` is how tools are to be used, `chosen` the one that must be; None is not told.

    `effort` is how hard to think, `budget` how many tokens of thinking at most. `tier` is `auto` or `standard`.
    """

    model: str
    turns: list[Turn]
    max_output: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    choice: Choice | None = None
    chosen: str | None = None
    parallel: bool | None = None
    form: Form | None = None
    effort: Effort | None = None
    budget: int | None = None
    user: str | None = None
    tier: Tier | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    streamed: bool = False
    wants_usage: bool = False
