"""The admin API asked from inside its process, for a person who has signed in: the same desks, roles and trail."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlencode

import anyio
import anyio.to_thread
import msgspec

from proxy.admin.api import awaited, done
from proxy.admin.audit import StateAuditLog
from proxy.admin.binding import Binding
from proxy.admin.call import Answer, Call
from proxy.admin.checking import read_body, read_query
from proxy.admin.faults import Fault, Refusal
from proxy.admin.headers import Condition, condition
from proxy.admin.roles import Permission, Role, may
from proxy.admin.rooms import AdminRooms
from proxy.admin.route import ROOT, Route, find
from proxy.admin.routes import ROUTES
from proxy.admin.shapes.common import Shape
from proxy.admin.tables import Tables
from proxy.admin.translate import refusal_of
from proxy.identity import AdminIdentity

Kind = TypeVar("Kind", bound=Shape)
_THREADS: Final = 8


class Person(NamedTuple):
    """Somebody who has signed in."""

    name: str
    role: str
    org: str | None
    team: str | None


class Told(NamedTuple):
    """An answer's object, and the tag to change it by."""

    shape: Any
    tag: str | None


class Inside:
    """The admin API without its port. What it refuses it raises; what it changes stands in the audit trail."""

    def __init__(self, rooms: AdminRooms, routes: Sequence[Route] = ROUTES) -> None:
        self._rooms = rooms
        self._routes = routes
        self._audit_log = rooms.audit or StateAuditLog(Tables(rooms.state))
        self._threads: anyio.CapacityLimiter | None = None

    def may(self, person: Person, permission: Permission) -> bool:
        """Whether a person's role includes it."""
        return may(Role(person.role), permission)

    async def ask(
        self,
        person: Person,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        tag: str | None = None,
    ) -> Told:
        """One request, as over the wire; `tag` is what must still hold of the object (If-Match).

        Raises:
            Refusal: as the API refuses.
        """
        try:
            answer = await self._answer(person, method, path, dict(query or {}), body, tag)
        except Exception as error:  # noqa: BLE001 (the crash boundary of the API, on this side of it)
            raise refusal_of(error) from None
        return Told(answer.shape, answer.tag)

    async def _answer(
        self,
        person: Person,
        method: str,
        path: str,
        query: dict[str, str],
        body: Mapping[str, object] | None,
        tag: str | None,
    ) -> Answer:
        route, names = find(self._routes, method, (ROOT + path).encode("ascii", "replace"))
        identity = AdminIdentity(name=person.name, role=Role(person.role), org=person.org, team=person.team)
        if not may(identity.role, route.permission):
            raise Refusal(Fault.PERMISSION_DENIED, f"The role {person.role} may not {route.permission.value}.")
        call = Call(
            rooms=self._rooms,
            audit_log=self._audit_log,
            identity=identity,
            binding=Binding(person.org, person.team),
            path=names,
            query_given=read_query(route.query, urlencode(query).encode("ascii")),
            body_given=None if route.body is None else read_body(route.body, msgspec.json.encode(body or {})),
            condition=_condition(tag),
        )
        if route.waits:
            return await awaited(route, call)
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_THREADS)
        return await anyio.to_thread.run_sync(partial(done, route, call), limiter=self._threads)


def _condition(tag: str | None) -> Condition:
    return condition([] if tag is None else [(b"if-match", f'"{tag}"'.encode("ascii"))])
