"""What the data port serves of one dialect: its paths, and where they lead."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from proxy.wire.dialect import Dialect
from proxy.wire.endpoint import Endpoint


class Matched(NamedTuple):
    """A governed endpoint, and the path that continues a provider's base URL, as it came."""

    endpoint: Endpoint
    path: str


@dataclass(frozen=True, kw_only=True)
class Surface:
    """One dialect's paths. `owns(raw_path)`: whether an answer to it, an error too, is in this dialect.

    `match(raw_path)`: the endpoint of a `POST` to it; None where there is none.
    """

    dialect: Dialect
    owns: Callable[[bytes], bool]
    match: Callable[[bytes], Matched | None]
