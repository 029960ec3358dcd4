"""Which parts of a request lean on state that Google keeps: cached contents, files, stores.

State belongs to who made it, and what it adds to a prompt cannot be counted: such parts are named, not judged.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from proxy.wire.gemini.names import Json, Members, camel, decoded

_FILE_MARKS: Final = (b"ileUri", b"file_uri", b"\\u")
"""Without one of these in the body there is no file in it; an escape could spell any key."""
_KEPT_HOSTS: Final = ("googleapis.com", "storage.cloud.google.com")
"""Whose addresses are opened with the provider's own rights."""
_STORES: Final = frozenset({"fileSearch", "retrieval"})
_DEEPEST: Final = 64


def state_fields(members: Members, tools: Sequence[Mapping[str, Json]]) -> tuple[str, ...]:
    """The names of the fields of a request that lean on provider state, e.g. `cachedContent`."""
    found = ["cachedContent"] if members.get("cachedContent") is not None else []
    nested = members.object("generateContentRequest")
    if nested is not None and nested.get("cachedContent") is not None:
        found.append("generateContentRequest.cachedContent")
    if any(mark in members.body for mark in _FILE_MARKS):
        given = {name: decoded(value) for name, value in members.raw.items()}
        found += ["fileData.fileUri"] if any(_is_kept(uri) for uri in _uris(given, 0)) else []
    found += sorted({f"tools[].{name}" for tool in tools for name in _STORES & tool.keys()})
    return tuple(found)


def _uris(value: Json, depth: int) -> Iterator[Json]:
    if depth > _DEEPEST:
        # Nobody's request is as deep; what stands there is taken for a file.
        yield None
    elif isinstance(value, dict):
        for name, each in value.items():
            if camel(name) == "fileUri":
                yield each
            else:
                yield from _uris(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _uris(each, depth + 1)


def _is_kept(uri: Json) -> bool:
    """Whether an address leads to something kept at Google; what anybody may open in the web does not."""
    if not isinstance(uri, str):
        return True
    try:
        parts = urlsplit(uri)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return True
    if parts.scheme not in ("http", "https") or not host:
        return True
    return any(host == kept or host.endswith("." + kept) for kept in _KEPT_HOSTS)
