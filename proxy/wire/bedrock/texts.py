"""Where in a request's body something is said: each text of its messages by its bytes, so that it can be changed there.

What is not known to be structure is taken for said, so that nothing is changed or let pass that was not looked at.
"""

from collections.abc import Mapping
from typing import Final

from proxy.wire.bedrock.fields import text
from proxy.wire.bedrock.strings import Found, Path, strings_in, text_of
from proxy.wire.endpoint import Endpoint
from proxy.wire.texts import Text, Texts

_SYSTEM: Final = "system"
_SAID_IN_CONVERSE: Final = frozenset({"messages", _SYSTEM, "promptVariables"})
_NOT_SAID_IN_INVOKE: Final = frozenset(
    {"tools", "toolConfig", "tool_choice", "metadata", "anthropic_version", "anthropic_beta", "schemaVersion"}
    | {"taskType", "response_format", "output_format", "output_config", "inferenceConfig", "textGenerationConfig"}
)
_STRUCTURE: Final = frozenset(
    {"role", "type", "id", "format", "status", "toolUseId", "tool_use_id", "tool_call_id", "media_type", "signature"}
    | {"redactedContent", "bucketOwner", "ttl", "truncationMode", "embeddingPurpose", "input_type", "detailLevel"}
)
_MEDIA: Final = frozenset({"bytes", "data", "uri", "url", "file_id"})
_NAMED_BY_ANYONE: Final = frozenset({"json", "input", "arguments"})
"""Objects whose members are called what their author likes, so that no name tells that nothing is said there."""
_RESULTS: Final = frozenset({"toolResult"})


def texts_in(endpoint: Endpoint, body: bytes) -> Texts:
    """The texts of a body that has passed `read_request`; off the loop where it is large.

    A tool's definition and a call's metadata are no messages.
    """
    found = [each for each in strings_in(body) if _is_of_messages(endpoint, each.path)]
    roles = _roles(body, found)
    numbers: dict[tuple[str | int, ...], int] = {}
    parts: list[Text] = []
    unread = 0
    for each in found:
        number = numbers.setdefault(_message(each.path), len(numbers))
        name = _name(each.path)
        if name in _MEDIA and not _is_free(each.path):
            unread += 1
        elif name not in _STRUCTURE or _is_free(each.path):
            parts.append(Text(_role(each.path, roles), number, each.start, each.end))
    return Texts(tuple(parts), unread)


def _is_of_messages(endpoint: Endpoint, path: Path) -> bool:
    first = path[0] if path else ""
    return first in _SAID_IN_CONVERSE if endpoint is Endpoint.CONVERSE else first not in _NOT_SAID_IN_INVOKE


def _message(path: Path) -> tuple[str | int, ...]:
    """What of a path names its message: the place in a list of messages, else the member."""
    return path[:2] if path[:1] == ("messages",) else path[:1]


def _roles(body: bytes, found: list[Found]) -> Mapping[tuple[str | int, ...], str]:
    """Who says each message; of two roles the one that is trusted less counts."""
    roles: dict[tuple[str | int, ...], str] = {}
    for path, start, end in found:
        if len(path) == 3 and path[0] == "messages" and path[2] == "role":
            role = text_of(body[start:end])
            if roles.get(path[:2], _SYSTEM) == _SYSTEM:
                roles[path[:2]] = role
    return roles


def _role(path: Path, roles: Mapping[tuple[str | int, ...], str]) -> str:
    if path[0] == _SYSTEM:
        return _SYSTEM
    if any(name in _RESULTS for name in path):
        return "tool"
    return text(roles.get(_message(path))) or "user"


def _name(path: Path) -> str:
    """The innermost member's name."""
    return next((name for name in reversed(path) if isinstance(name, str)), "")


def _is_free(path: Path) -> bool:
    """Whether a string stands within an object of somebody's own making."""
    return any(name in _NAMED_BY_ANYONE for name in path[3:-1])
