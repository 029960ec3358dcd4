"""What a path of the Anthropic dialect means that is no call of a model: batches and files, and what is not known here.

Sources: Anthropic's API reference, and the paths that anthropic 2.10 asks for.
"""

from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.place import Does, Place, Spends, Yield, decoded, is_odd

_READS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_COLLECTIONS: Final = {
    "/v1/messages/batches": ("message_batch", Endpoint.BATCHES, Spends.UNBOUNDED),
    "/v1/files": ("file", Endpoint.FILES, Spends.NOTHING),
}
_ADMINISTRATION: Final = ("/v1/organizations", "/v1/vaults")
KEPT: Final = tuple(_COLLECTIONS)
CURSOR: Final = "after_id"


def place_of(method: str, path: str) -> Place | None:
    """What a method at a path means; None for one that is to be read as another."""
    if any(is_odd(part) for part in path[1:].split("/")):
        return None
    for root, (kind, endpoint, spends) in _COLLECTIONS.items():
        if path == root or path.startswith(root + "/"):
            return _in_collection(method, path, path[len(root) + 1 :].split("/"), kind, endpoint, spends)
    never = path.startswith(_ADMINISTRATION) or (path.startswith("/v1/models") and method != "GET")
    spends = Spends.NOTHING if method in _READS else Spends.UNBOUNDED
    return Place(endpoint=Endpoint.PASSTHROUGH, does=Does.UNKNOWN, spends=spends, never=never)


def _in_collection(method: str, path: str, rest: list[str], kind: str, endpoint: Endpoint, spends: Spends) -> Place:
    if rest == [""]:
        does = Does.MAKE if method == "POST" else Does.LIST
        return Place(
            endpoint=endpoint,
            does=does,
            kind=kind,
            spends=spends if method == "POST" else Spends.NOTHING,
            yields=(Yield("id", kind),) if method == "POST" else (),
            streams_in=does is Does.MAKE and kind == "file",
            cursor=CURSOR,
        )
    return Place(
        endpoint=endpoint,
        does=Does.USE,
        kind=kind,
        id=decoded(rest[0]),
        is_whole=len(rest) == 1,
        is_cancel=rest[1:] == ["cancel"],
        cursor=CURSOR,
    )
