"""Which objects at a provider a request's body names: files, stores, threads and the like, by where their ids stand.

Whatever is called `…_id` or `…_ids` is taken for one, unless it is known to be something else: what a provider adds
tomorrow is then refused rather than let through to somebody else's.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from proxy.core.refusal import Refusal, Refused

_NAMES: Final = frozenset({"conversation", "training_file", "validation_file", "file", "container", "prompt"})
_NO_IDS: Final = frozenset({"", "auto"})
_OTHERS: Final = frozenset(
    {
        "call_id",
        "tool_call_id",
        "tool_use_id",
        "custom_id",
        "user_id",
        "session_id",
        "approval_request_id",
        "connector_id",
        "message_id",
        "part_id",
        "part_ids",
        "item_id",
        "run_id",
        "step_id",
        "version_id",
        "domain_id",
        "language_id",
        "speaker_id",
    }
)
"""What is no object with an owner: names of the client's own, and parts of an object that is named before them."""
_OPAQUE: Final = frozenset(
    {
        "metadata",
        "attributes",
        "item",
        "sample",
        "parameters",
        "schema",
        "json_schema",
        "arguments",
        "item_schema",
        "data",
    }
)
"""Members whose insides are the client's own and are never looked into by a provider."""
_ID: Final = re.compile(r".+_ids?\Z")
_MOST: Final = 10_000
_FIELD: Final = re.compile(
    rb'content-disposition:[^\r\n]*?\bname="?([^"\r\n;]+)"?([^\r\n]*)\r\n(?:[^\r\n]+\r\n)*\r\n', re.IGNORECASE
)


def references_in(body: bytes, content_type: bytes) -> list[tuple[str, str]]:
    """The fields of a body that name objects, each with the id; JSON and forms are read.

    Raises:
        Refused: INVALID_REQUEST for what cannot be read: it could name anything.
    """
    if not body:
        return []
    kind = content_type.partition(b";")[0].strip().lower()
    if kind == b"multipart/form-data":
        found = list(_in_form(body))
    elif kind in (b"", b"application/json") or kind.endswith(b"+json"):
        found = list(_in_json(body))
    else:
        raise Refused(
            Refusal.INVALID_REQUEST,
            "A body that may name objects of a provider is read as JSON or as a form; send one of these.",
            param="content-type",
        )
    if len(found) > _MOST:
        raise Refused(Refusal.INVALID_REQUEST, f"The body names more than {_MOST} objects; send fewer at a time.")
    return found


def _in_json(body: bytes) -> Iterator[tuple[str, str]]:
    try:
        # Pairs, for of a repeated member one would be looked at and the other one obeyed.
        told = json.loads(body, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise Refused(Refusal.INVALID_REQUEST, "The body is not well-formed JSON.") from error
    yield from _within(told)


class _Pairs(list[tuple[str, Any]]):
    """An object's members, repeated ones each time."""


def _within(root: Any) -> Iterator[tuple[str, str]]:
    waiting: list[Any] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, _Pairs):
            for name, member in value:
                if name in _OPAQUE and not (name == "data" and isinstance(member, list)):
                    continue
                yield from _named(name, member)
                waiting.append(member)
            if ("type", "item_reference") in value:
                yield from ((f"{name}", each) for name, each in value if name == "id" and isinstance(each, str))
        elif isinstance(value, list):
            waiting.extend(value)


def _named(name: str, member: Any) -> Iterator[tuple[str, str]]:
    if name in _OTHERS or not (name in _NAMES or _ID.match(name)):
        return
    if isinstance(member, str):
        if name != "prompt" and member not in _NO_IDS:  # a prompt that is a text is what a model is told
            yield name, member
    elif isinstance(member, _Pairs):
        yield from ((name, each) for key, each in member if key == "id" and isinstance(each, str))
    elif isinstance(member, list):
        yield from ((name, each) for each in member if isinstance(each, str))


def _in_form(body: bytes) -> Iterator[tuple[str, str]]:
    for match in _FIELD.finditer(body):
        name = match[1].decode("utf-8", "replace").removesuffix("[]")
        name = name.rpartition("[")[2].rstrip("]") or name
        if b"filename" in match[2].lower() or name in _OTHERS or not (name in _NAMES or _ID.match(name)):
            continue
        end = body.find(b"\r\n", match.end())
        yield name, body[match.end() : len(body) if end < 0 else end].decode("utf-8", "replace")
