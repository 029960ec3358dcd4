"""The OpenAI dialect on the data port: which paths are served, and how the others are refused by name."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote

from proxy.core.refusal import Refusal, Refused
from proxy.edge.realtime import unserved
from proxy.edge.surface import Matched, Placed, Surface
from proxy.wire.endpoint import PATHS, Endpoint
from proxy.wire.openai.dialect import OPENAI
from proxy.wire.openai.surface import place_of

PREFIXES: Final = ("/openai/v1", "/v1", "")
NOT_KEPT: Final = frozenset({Endpoint.COMPLETIONS, Endpoint.EMBEDDINGS})
"""Endpoints whose answers no provider keeps."""
LISTS: Final = frozenset({"GET", "POST"})
"""How a path that has a governed endpoint may be asked: also for a list of what was stored by it."""
MODELS: Final = "/models"
OURS: Final = "/flyball"
_PREFIXES_OF_ALL: Final = ("/anthropic/v1", "/openai/v1", "/v1", "/openai", "")
"""Under which a key's own pages are, in each dialect, and as Azure's clients ask for them."""


def under_base(raw_path: bytes) -> str:
    """What follows the base URL of a path, as sent: never decoded, never normalised."""
    path = raw_path.decode("latin-1")
    for prefix in _PREFIXES_OF_ALL:
        if path.startswith(prefix + "/"):
            return path[len(prefix) :]
    return path


MATCHED: Final = MappingProxyType(
    {(prefix + path).encode(): Matched(endpoint, path) for prefix in PREFIXES for path, endpoint in PATHS.items()}
)
"""Every raw path of a governed endpoint: a look-up in the place of taking prefixes off, on each call's way."""


def match(raw_path: bytes, query: bytes) -> Matched | None:
    """The governed endpoint at a path, None when there is none."""
    return MATCHED.get(raw_path)


def place(method: str, raw_path: bytes) -> Placed | None:
    """What a path of objects that a provider keeps means; None for our own, and for those that keep nothing."""
    path = under_base(raw_path)
    if not path.startswith("/") or PATHS.get(path) in NOT_KEPT or path.startswith(OURS):
        return None
    if path in PATHS and method not in LISTS:
        return None
    if path.startswith(MODELS) and method != "DELETE":
        return None
    found = place_of(method, path)
    return None if found is None else Placed(found, Matched(found.endpoint, path))


def unknown_path(path: str) -> Refused:
    """The refusal of a path that is not served, by name where we know it."""
    meant = "/" + "/".join(filter(None, unquote(path).lower().split("/")))
    if meant in PATHS:
        return Refused(
            Refusal.PATH_NOT_FOUND,
            f"There is nothing at {path[:100]!r}; paths are taken as written. Did you mean {meant!r}?",
            facts={"path": path[:200], "known": False, "nearest": meant},
        )
    if path.lstrip("/").partition("/")[0] == "realtime":
        return unserved(path)
    return Refused(
        Refusal.PATH_NOT_FOUND,
        f"There is nothing at {path[:100]!r}. Served are {', '.join(PATHS)} and /models, each with or without /v1.",
        facts={"path": path[:200], "known": False},
    )


def model_object(name: str) -> dict[str, Any]:
    """One model."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "flyball"}


def model_list(names: Sequence[str]) -> dict[str, Any]:
    """All models."""
    return {"object": "list", "data": [model_object(name) for name in names]}


OPENAI_SURFACE: Final = Surface(
    dialect=OPENAI,
    owns=lambda raw_path, headers: True,
    match=match,
    place=place,
    unknown_path=unknown_path,
    model_object=model_object,
    model_list=model_list,
)


def wrong_method(method: str, wanted: str) -> Refused:
    """The refusal of a method that a path does not take."""
    message = f"{method[:20]} is not taken here; use {wanted}."
    return Refused(Refusal.METHOD_NOT_ALLOWED, message, facts={"allow": wanted})
