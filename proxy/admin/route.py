"""One route of the admin API, and how a request finds it: by the raw path, byte for byte, never decoded."""

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from proxy.admin.call import Handler
from proxy.admin.faults import Fault, Refusal
from proxy.admin.roles import Permission
from proxy.admin.shapes.common import Nothing, Shape

ROOT: Final = "/admin/v1"
Method: TypeAlias = Literal["GET", "PUT", "POST", "DELETE"]
_PIECE: Final = r"(?P<\1>[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127})"
"""No percent sign: no name of ours needs one, so no path can be written in two ways."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A request that the route accepts; the bodies of a chain of examples fit each other from top to bottom."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A method and path, what is needed for it, what goes in and what comes out.

    `answer` is the shape of the usual answer; `row` the shape of a list's rows when it is a list.
    `repeatable` POSTs take an Idempotency-Key. `files` are the media types it can answer with beside JSON.
    """

    method: Method
    path: str
    permission: Permission
    handler: Handler
    answer: type[Shape]
    example: Example
    status: int = 200
    query: type[Shape] = Nothing
    body: type[Shape] | None = None
    row: type[Shape] | None = None
    repeatable: bool = True
    conditional: bool = False
    files: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first sentence of what the handler says of itself."""
        return self.text.split("\n", 1)[0].rstrip(".")

    @property
    def text(self) -> str:
        """All that the handler says of itself."""
        return inspect.getdoc(self.handler) or ""

    @property
    def name(self) -> str:
        """The handler's name: the operation's id in the OpenAPI document."""
        return self.handler.__name__

    @cached_property
    def waits(self) -> bool:
        """Whether the handler awaits; the others block for a short disk access and run in a thread."""
        return inspect.iscoroutinefunction(self.handler)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the raw path must be, whole."""
        return re.compile(
            re.sub(r"\{(\w+)\}", _PIECE, re.escape(ROOT + self.path).replace(r"\{", "{").replace(r"\}", "}"))
        )


def find(routes: Sequence[Route], method: str, raw_path: bytes) -> tuple[Route, dict[str, str]]:
    """The route for a request, with the names that stand in its path.

    Raises:
        Refusal: PATH_NOT_FOUND, or METHOD_NOT_ALLOWED with the methods there are.
    """
    path = raw_path.decode("latin-1")
    met = [(route, match) for route in routes if (match := route.pattern.fullmatch(path)) is not None]
    for route, match in met:
        if route.method == method:
            return route, match.groupdict()
    if met:
        allowed = ", ".join(sorted({route.method for route, _ in met}))
        raise Refusal(
            Fault.METHOD_NOT_ALLOWED,
            f"This path takes {allowed}.",
            headers=[(b"allow", allowed.encode("ascii"))],
        )
    raise Refusal(Fault.PATH_NOT_FOUND, f"There is no such path; see {ROOT}/openapi.json.")
