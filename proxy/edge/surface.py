"""What the data port serves of one dialect: its paths, and where they lead."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from proxy.core.refusal import Refused
from proxy.edge.credentials import secret_of
from proxy.wire.dialect import Dialect
from proxy.wire.endpoint import Endpoint
from proxy.wire.place import Place


class Matched(NamedTuple):
    """A governed endpoint, and the path that continues a provider's base URL, as it came. `deployment` is the model
    that the path names, where that is not for the provider to see."""

    endpoint: Endpoint
    path: str
    deployment: str = ""


class Placed(NamedTuple):
    """What a path of objects that a provider keeps means, or one that nobody here knows."""

    place: Place
    matched: Matched


def nowhere(method: str, raw_path: bytes) -> Placed | None:
    """For a dialect that has no such paths."""
    return None


def _of_headers(headers: Mapping[bytes, bytes], query: bytes) -> str:
    return secret_of(headers)


def _as_it_is(query: bytes) -> bytes:
    return query


@dataclass(frozen=True, kw_only=True)
class Surface:
    """One dialect's paths. `owns(raw_path, headers)`: whether an answer to it, an error too, is in this dialect.

    `match(raw_path, query)`: the endpoint of a `POST` to it; None where there is none. `place(method, raw_path)`: what
    is carried as it is; None for what is not to be passed on at all. `secret(headers, query)`: the client's key;
    `query(query)`: what of the query goes on. `unknown_path(path)` is the refusal of one that leads nowhere;
    `model_object` and `model_list` tell models as the dialect does. `own(raw_path, method, models)`, where there is
    one, answers every other path itself, given the models that the key may use.
    """

    dialect: Dialect
    owns: Callable[[bytes, Mapping[bytes, bytes]], bool]
    match: Callable[[bytes, bytes], Matched | None]
    unknown_path: Callable[[str], Refused]
    model_object: Callable[[str], dict[str, Any]]
    model_list: Callable[[Sequence[str]], dict[str, Any]]
    place: Callable[[str, bytes], Placed | None] = nowhere
    secret: Callable[[Mapping[bytes, bytes], bytes], str] = _of_headers
    query: Callable[[bytes], bytes] = _as_it_is
    own: Callable[[bytes, str, Sequence[str]], object] | None = None
