"""Which parts of a request lean on state that the provider keeps: earlier responses, files, stores, containers.

State belongs to who made it, and what it adds to a prompt cannot be counted: such parts are named, not judged. Also:
whether the answer is kept.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from proxy.wire.endpoint import Endpoint
from proxy.wire.members import begins

_IN_RESPONSES: Final = ("previous_response_id", "conversation", "background", "prompt")
NO_CONTEXT: Final = frozenset({"background", "tools[].vector_store_ids", "tools[].container"})
"""What adds nothing to the prompt by itself: what tools that the provider runs bring is covered as theirs."""
UNOWNED: Final = frozenset({"prompt", "thread", "input[].item_reference", "messages[].item_reference"})
"""What is never made through us, or is a part of an object that the request does not name: its owner is not known."""
_FILE: Final = b'"file_id"'
_ID: Final = b'"id"'
# An escaped letter could spell any key.
_ESCAPED_LETTER: Final = b"\\u00"
_NOTHING: Final = frozenset({b"", b"null", b"false", b'""', b"[]", b"{}"})
_ABSENT: Final = Raw(b"")
_CHAT: Final = Endpoint.CHAT
_RESPONSES: Final = Endpoint.RESPONSES


class _Item(Struct, gc=False):
    type: Raw = _ABSENT
    id: Raw = _ABSENT
    role: Raw = _ABSENT
    content: Raw = _ABSENT
    output: Raw = _ABSENT


class _File(Struct, gc=False):
    file_id: Raw = _ABSENT


class _Part(Struct, gc=False):
    file_id: Raw = _ABSENT
    file: Raw = _ABSENT


class _Container(Struct, gc=False):
    file_ids: Raw = _ABSENT
    container_id: Raw = _ABSENT


class _Tool(Struct, gc=False):
    vector_store_ids: Raw = _ABSENT
    container: Raw = _ABSENT
    environment: Raw = _ABSENT


Shape = TypeVar("Shape", bound=Struct)


def state_fields(
    endpoint: Endpoint, body: bytes, members: dict[str, Raw], hosted_tools: tuple[str, ...]
) -> tuple[str, ...]:
    """The names of the fields of a request that lean on provider state, e.g. `previous_response_id`."""
    if endpoint is _CHAT:
        if _FILE not in body and _ESCAPED_LETTER not in body:
            return ()
        return tuple(sorted(set(_in_items("messages", members.get("messages")))))
    if endpoint is not _RESPONSES:
        return ()
    found: list[str] = [name for name in _IN_RESPONSES if name in members and _is_told(members[name])]
    if _ID in body or _FILE in body or _ESCAPED_LETTER in body:
        found += sorted(set(_in_items("input", members.get("input"))))
    if hosted_tools:
        found += sorted(set(_in_tools(members.get("tools"))))
    return tuple(found)


def is_stored(endpoint: Endpoint, members: dict[str, Raw]) -> bool:
    """Whether a request has its answer kept: a response unless it says no, a chat completion if it says yes."""
    if endpoint is _RESPONSES:
        return "store" not in members or bytes(members["store"]) != b"false"
    return endpoint is _CHAT and "store" in members and bytes(members["store"]) == b"true"


def _in_items(name: str, raw: Raw | None) -> Iterator[str]:
    for item in _each(raw, _Item):
        kind = _decoded(item.type, str)
        # The type of a reference may be left out: then nothing but the id is there.
        bare = kind is None and _is_told(item.id) and not _is_told(item.role) and not _is_told(item.content)
        if kind == "item_reference" or bare:
            yield f"{name}[].item_reference"
        # A tool's output may be a list of parts, as content may.
        for parts in (item.content, item.output):
            if any(_is_file(part) for part in _each(parts, _Part)):
                yield f"{name}[].content[].file_id"


def _is_file(part: _Part) -> bool:
    if _is_told(part.file_id):
        return True
    file = _decoded(part.file, _File) if _is_told(part.file) else None
    return file is not None and _is_told(file.file_id)


def _in_tools(raw: Raw | None) -> Iterator[str]:
    for tool in _each(raw, _Tool):
        if _is_told(tool.vector_store_ids):
            yield "tools[].vector_store_ids"
        if _is_kept(tool.container) or _is_kept(tool.environment):
            yield "tools[].container"


def _is_kept(container: Raw) -> bool:
    """Whether a container is one that exists already, or gets files that do."""
    if begins(container, b'"'):
        return bytes(container) != b'"auto"'
    if not begins(container, b"{"):
        return False
    told = _decoded(container, _Container)
    return told is not None and (_is_told(told.file_ids) or _is_told(told.container_id))


def _is_told(raw: Raw) -> bool:
    return bytes(raw) not in _NOTHING


def _each(raw: Raw | None, shape: type[Shape]) -> Iterable[Shape]:
    """The objects of an array; what is no object of that shape is the provider's to refuse."""
    if raw is None or not begins(raw, b"["):
        return ()
    parts = _decoded(raw, list[Raw]) or ()
    return [value for part in parts if (value := _decoded(part, shape)) is not None]


Kind = TypeVar("Kind")


def _decoded(raw: Raw, kind: type[Kind]) -> Kind | None:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
