"""One authenticated request on its way through a handler, and the answer it comes back with."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar, Union

import msgspec

from proxy.admin.binding import Binding
from proxy.admin.headers import Condition
from proxy.admin.rooms import AdminRooms, AuditLog, Change
from proxy.admin.shapes.common import Shape
from proxy.core.secret import Secret
from proxy.identity import AdminIdentity

Kind = TypeVar("Kind", bound=msgspec.Struct)
Header: TypeAlias = tuple[bytes, bytes]


class File(NamedTuple):
    """An answer that is not JSON: its bytes, what they are, and under which name a browser keeps them."""

    content: bytes
    media_type: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers. `made` is the beginning of the secret it made, which stands in `shape.secret`.

    A `file` is sent in place of the shape.
    """

    shape: Shape
    status: int = 200
    tag: str | None = None
    made: str | None = None
    headers: Sequence[Header] = ()
    file: File | None = None


@dataclass(kw_only=True, slots=True)
class Call:
    """What a handler knows of its request; everything in it has been checked."""

    rooms: AdminRooms
    audit_log: AuditLog
    identity: AdminIdentity
    binding: Binding
    path: dict[str, str]
    query_given: Shape
    body_given: Shape | None
    condition: Condition
    accepts: str = ""
    make_secret: Callable[[str], Secret] | None = field(default=None, repr=False)

    def query(self, kind: type[Kind]) -> Kind:
        """The parameters, of the shape that the route names."""
        return _as(kind, self.query_given)

    def body(self, kind: type[Kind]) -> Kind:
        """The body, of the shape that the route names."""
        return _as(kind, self.body_given)

    def now_ns(self) -> int:
        """The time of day."""
        return self.rooms.clock.now_ns()

    def fresh_secret(self, mark: str) -> Secret | None:
        """The secret that an Idempotency-Key leads to; None leaves it to the store to make one."""
        return None if self.make_secret is None else self.make_secret(mark)

    def audit(
        self,
        action: str,
        subject: str,
        *,
        org: str | None,
        team: str | None = None,
        before: Shape | None = None,
        after: Shape | None = None,
    ) -> None:
        """Put a change into the trail; the shapes given must be ones that hold no secret."""
        self.audit_log.append(
            Change(
                at_ns=self.now_ns(),
                actor=self.identity.name,
                role=self.identity.role.value,
                action=action,
                subject=subject,
                org=org,
                team=team,
                before=None if before is None else msgspec.json.encode(before),
                after=None if after is None else msgspec.json.encode(after),
            )
        )


Handler: TypeAlias = Callable[[Call], Union[Answer, Awaitable[Answer]]]


def _as(kind: type[Kind], given: msgspec.Struct | None) -> Kind:
    if not isinstance(given, kind):
        raise TypeError(f"the route does not say that it takes {kind.__name__}")
    return given
