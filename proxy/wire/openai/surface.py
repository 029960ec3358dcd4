"""What a path under the base URL is of: which object that a provider keeps, what is done with it, and whether it costs.

Only the first id of a path counts: what stands below an object is its own at the provider too. Sources: OpenAI's API
reference, and the paths that openai-python 3.51 asks for.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import unquote

from proxy.wire.endpoint import PATHS, Endpoint
from proxy.wire.place import Does, Place, Spends, Yield, decoded, is_odd


class _Collection(NamedTuple):
    kind: str
    endpoint: Endpoint
    also: tuple[Yield, ...] = ()
    works: frozenset[str] = frozenset()
    """Words that stand where an id would."""


_COLLECTIONS: Final[Mapping[tuple[str, ...], _Collection]] = MappingProxyType(
    {
        ("files",): _Collection("file", Endpoint.FILES),
        ("uploads",): _Collection("upload", Endpoint.UPLOADS),
        ("batches",): _Collection(
            "batch", Endpoint.BATCHES, (Yield("output_file_id", "file"), Yield("error_file_id", "file"))
        ),
        ("responses",): _Collection(
            "response", Endpoint.STORED_RESPONSES, works=frozenset({"compact", "input_tokens"})
        ),
        ("chat", "completions"): _Collection("chat_completion", Endpoint.STORED_CHATS),
        ("conversations",): _Collection("conversation", Endpoint.CONVERSATIONS),
        ("vector_stores",): _Collection("vector_store", Endpoint.VECTOR_STORES),
        ("containers",): _Collection("container", Endpoint.CONTAINERS),
        ("fine_tuning", "jobs"): _Collection("fine_tuning_job", Endpoint.FINE_TUNING, (Yield("result_files", "file"),)),
        ("evals",): _Collection("eval", Endpoint.EVALS),
        ("assistants",): _Collection("assistant", Endpoint.ASSISTANTS),
        ("threads",): _Collection("thread", Endpoint.THREADS, works=frozenset({"runs"})),
        ("videos",): _Collection("video", Endpoint.VIDEOS, works=frozenset({"characters", "edits", "extensions"})),
    }
)
KEPT: Final = frozenset(found.kind for found in _COLLECTIONS.values())
"""Every kind of object that has an owner."""
SERVED: Final = MappingProxyType({"/" + "/".join(path): found.endpoint for path, found in _COLLECTIONS.items()})
"""The paths under which such objects are, and the endpoint that rows name."""

_ADMINISTRATION: Final = frozenset({"organization", "projects", "webhook_endpoints", "vaults", "safety", "realtime"})
"""What governs the account itself, or makes keys that lead past us."""
_EXTRA_YIELDS: Final = (
    (re.compile(r"/threads/runs"), Yield("thread_id", "thread")),
    (re.compile(r"/uploads/[^/]+/complete"), Yield("file.id", "file")),
    (re.compile(r"/videos/(edits|extensions|[^/]+/remix)"), Yield("id", "video")),
)
_FREE: Final = re.compile(
    r"/files|/uploads|/uploads/[^/]+/(parts|complete|cancel)|/batches/[^/]+/cancel"
    r"|/responses/input_tokens|/responses/[^/]+/cancel|/chat/completions/[^/]+"
    r"|/conversations(/[^/]+(/items)?)?"
    r"|/vector_stores(/[^/]+(/files(/[^/]+)?|/file_batches(/[^/]+/cancel)?)?)?"
    r"|/containers/[^/]+/files|/fine_tuning/jobs/[^/]+/(cancel|pause)"
    r"|/evals(/[^/]+(/runs/[^/]+)?)?|/assistants(/[^/]+)?"
    r"|/threads(/[^/]+(/messages(/[^/]+)?|/runs/[^/]+(/cancel)?)?)?|/videos/characters"
)
"""What may be sent to without anything being billed by the call; storage is billed by the day, to nobody's call."""
_READS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_UPLOADS: Final = re.compile(r"/files|/uploads/[^/]+/parts")


def place_of(method: str, path: str) -> Place | None:
    """What a method at a path under the base URL means; None for one that is to be read as another (`is_lenient`)."""
    parts = path[1:].split("/")
    if _is_lenient(path, parts):
        return None
    spends = Spends.NOTHING if method in _READS or _FREE.fullmatch(path) else Spends.UNBOUNDED
    for length in (1, 2):
        found = _COLLECTIONS.get(tuple(parts[:length]))
        if found is not None:
            return _in_collection(found, method, path, parts[length:], spends)
    if parts[0] == "fine_tuning":
        # Graders are run, which costs; checkpoints are the account's, and who may use them too.
        never = parts[1:2] == ["checkpoints"]
        return Place(endpoint=Endpoint.FINE_TUNING, does=Does.WORK, spends=spends, never=never)
    never = parts[0] in _ADMINISTRATION or (parts[0] == "models" and method != "GET")
    return Place(endpoint=Endpoint.PASSTHROUGH, does=Does.UNKNOWN, spends=spends, never=never)


def _in_collection(found: _Collection, method: str, path: str, rest: list[str], spends: Spends) -> Place:
    extra = tuple(each for pattern, each in _EXTRA_YIELDS if pattern.fullmatch(path) and method == "POST")
    does, id = Does.USE, ""
    if not rest:
        does = Does.MAKE if method == "POST" else Does.LIST
        extra = (Yield("id", found.kind),) if method == "POST" else ()
    elif rest[0] in found.works:
        does = Does.WORK
    else:
        id = decoded(rest[0])
    if does is Does.MAKE and found.kind == "batch":
        spends = Spends.BATCH
    return Place(
        endpoint=found.endpoint,
        does=does,
        kind=found.kind,
        id=id,
        spends=spends,
        yields=(*extra, *found.also),
        is_whole=len(rest) == 1,
        is_cancel=rest[1:] == ["cancel"],
        streams_in=method == "POST" and _UPLOADS.fullmatch(path) is not None,
    )


def _is_lenient(path: str, parts: list[str]) -> bool:
    """Whether a server that is free with paths could take this one for another: dots, doubled slashes, what is escaped
    and need not be, capitals where a known word stands."""
    if any(is_odd(part) for part in parts):
        return True
    meant = "/" + "/".join(filter(None, unquote(path).lower().split("/")))
    if meant == path:
        return False
    known = tuple(meant[1:].split("/"))
    is_known = meant in PATHS or any(known[:length] in _COLLECTIONS for length in (1, 2))
    is_known = is_known or known[0] in _ADMINISTRATION or known[0] in ("models", "fine_tuning")
    return is_known and not path.startswith("/" + "/".join(_word_part(known)))


def _word_part(known: tuple[str, ...]) -> tuple[str, ...]:
    """The beginning of a path that is made of words of ours; ids may be written as they like."""
    if "/" + "/".join(known) in PATHS:
        return known
    length = next((length for length in (2, 1) if known[:length] in _COLLECTIONS), 1)
    return known[:length]
