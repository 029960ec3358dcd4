"""The Anthropic dialect on the data port: which paths are served, and how models are told in its shape."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from proxy.core.refusal import Refusal, Refused
from proxy.edge.surface import Matched, Placed, Surface
from proxy.wire.anthropic.dialect import ANTHROPIC
from proxy.wire.anthropic.surface import place_of
from proxy.wire.endpoint import PATHS as OPENAI_PATHS
from proxy.wire.endpoint import Endpoint

PREFIX: Final = "/anthropic"
"""A base URL of `…/anthropic` leads to this dialect only."""
MESSAGES: Final = "/v1/messages"
PATHS: Final[Mapping[str, Endpoint]] = MappingProxyType(
    {MESSAGES: Endpoint.MESSAGES, f"{MESSAGES}/count_tokens": Endpoint.COUNT_TOKENS}
)
"""Path under a base URL, which an Anthropic SDK is given without `/v1` → endpoint."""
VERSION_HEADER: Final = b"anthropic-version"
"""Every request of an Anthropic SDK has it: by it paths that two dialects share are told apart."""
_OF_OTHERS: Final = frozenset(b"/v1" + path.encode() for path in OPENAI_PATHS)
_NO_DATE: Final = "1970-01-01T00:00:00Z"


def owns(raw_path: bytes, headers: Mapping[bytes, bytes]) -> bool:
    """Whether an answer to a path is in this dialect."""
    if raw_path.startswith((b"/anthropic/", b"/v1/messages")):
        return True
    return VERSION_HEADER in headers and raw_path.startswith(b"/v1/") and raw_path not in _OF_OTHERS


def match(raw_path: bytes, query: bytes) -> Matched | None:
    """The governed endpoint at a path, None when there is none."""
    path = raw_path.decode("latin-1").removeprefix(PREFIX)
    endpoint = PATHS.get(path)
    return None if endpoint is None else Matched(endpoint, path)


def unknown_path(path: str) -> Refused:
    """The refusal of a path under `…/v1` that is not served, by name where we know it."""
    return Refused(
        Refusal.PATH_NOT_FOUND,
        f"There is nothing at {path[:100]!r}. Served are {', '.join(PATHS)} and /v1/models, each also under {PREFIX}; "
        "paths are taken as written.",
        facts={"path": path[:200], "known": False},
    )


def model_object(name: str) -> dict[str, Any]:
    """One model; when it was made is not known here, which this dialect has a date for."""
    return {"type": "model", "id": name, "display_name": name, "created_at": _NO_DATE}


def model_list(names: Sequence[str]) -> dict[str, Any]:
    """All models on one page."""
    return {
        "data": [model_object(name) for name in names],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def place(method: str, raw_path: bytes) -> Placed | None:
    """What a path of objects that a provider keeps means; None for calls of models, and for our list of models."""
    path = raw_path.decode("latin-1").removeprefix(PREFIX)
    if path in PATHS or not path.startswith("/v1/") or (path.startswith("/v1/models") and method != "DELETE"):
        return None
    found = place_of(method, path)
    return None if found is None else Placed(found, Matched(found.endpoint, path))


ANTHROPIC_SURFACE: Final = Surface(
    dialect=ANTHROPIC,
    owns=owns,
    match=match,
    place=place,
    unknown_path=unknown_path,
    model_object=model_object,
    model_list=model_list,
)
