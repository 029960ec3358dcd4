"""Bedrock's paths: `/model/{id}/converse` and its like, the model's id or ARN percent-encoded in one segment."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from proxy.wire.endpoint import Endpoint

_BEGINNING: Final = "/model/"
_ACTIONS: Final[Mapping[str, tuple[Endpoint, bool]]] = MappingProxyType(
    {
        "converse": (Endpoint.CONVERSE, False),
        "converse-stream": (Endpoint.CONVERSE, True),
        "invoke": (Endpoint.INVOKE, False),
        "invoke-with-response-stream": (Endpoint.INVOKE, True),
    }
)
"""Last segment → endpoint, and whether it streams."""
ACTIONS: Final = tuple(_ACTIONS)


class ModelPath(NamedTuple):
    """What a path says."""

    endpoint: Endpoint
    model: str
    streamed: bool
    action: str


@lru_cache(maxsize=256)
def read_path(path: str) -> ModelPath | None:
    """The parts of a path, None where it is none of these; asked several times a call, and the same for many calls."""
    if not path.startswith(_BEGINNING):
        return None
    model, slash, action = path.removeprefix(_BEGINNING).rpartition("/")
    if not slash or not model or "/" in model or action not in _ACTIONS:
        return None
    endpoint, streamed = _ACTIONS[action]
    return ModelPath(endpoint, unquote(model), streamed, action)


def with_model(path: str, model: str) -> str:
    """The path of the same call to another model."""
    read = read_path(path)
    return path if read is None else f"{_BEGINNING}{quote(model, safe='')}/{read.action}"
