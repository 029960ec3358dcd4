"""Where in a body something is said: each text of its messages by its bytes, so that it can be changed there."""

from collections.abc import Iterator
from typing import Final

from proxy.wire.anthropic.strings import Found, Place, strings_in
from proxy.wire.endpoint import Endpoint
from proxy.wire.texts import Text, Texts

_STRUCTURE: Final = frozenset(
    {"role", "type", "id", "tool_use_id", "media_type", "file_id", "signature", "encrypted_content", "encrypted_index"}
    | {"ttl", "stop_reason", "toolset_name"}
)
"""Members of a message in which nobody says anything."""
_SEALED: Final = frozenset({"redacted_thinking"})
_SOURCES: Final = frozenset({"base64", "url", "file"})
"""Kinds of sources that say something in another way than in text."""
_RESULT: Final = "tool_result"


def texts_in(endpoint: Endpoint, body: bytes) -> Texts:
    """The texts of a body that has passed `read_request`; off the loop where it is large.

    What a tool returned is a tool's, though it stands in a user's message. A tool's definition and a call's metadata
    are no messages.
    """
    parts: list[Text] = []
    unread: set[int] = set()
    number = 0
    for member in ("system", "messages"):
        numbers: dict[int, int] = {}
        for found in list(strings_in(body, member)):
            if _is_unread(found):
                unread.add(id(found.place))
            if _is_said(found):
                message = None if member == "system" else _message_of(found.place)
                at = number + numbers.setdefault(id(message) if message is not None else 0, len(numbers))
                parts.append(Text(_role(found.place, message, member), at, found.start, found.end))
        number += len(numbers)
    return Texts(tuple(parts), len(unread))


def _is_said(found: Found) -> bool:
    place, key = found.place, found.key
    if place.is_free:
        return True
    if key in _STRUCTURE or place.name == "cache_control" or place.type in _SEALED:
        return False
    # A plain text document has its words where an image has its bytes.
    return key != "data" or place.type == "text"


def _is_unread(found: Found) -> bool:
    if found.place.is_free:
        return False
    return (found.place.name == "source" and found.place.type in _SOURCES) or found.place.type == "container_upload"


def _message_of(place: Place) -> Place | None:
    """The message that a place is a part of: the outermost object."""
    objects = [each for each in place.within() if each.is_object]
    return objects[-1] if objects else None


def _role(place: Place, message: Place | None, member: str) -> str:
    if member == "system":
        return "system"
    if any(each.type == _RESULT for each in _blocks(place)):
        return "tool"
    return message.role if message is not None and message.role else "user"


def _blocks(place: Place) -> Iterator[Place]:
    return (each for each in place.within() if each.is_object and not each.is_free)
