"""Everything under /admin/v1: who asks, which route, whether the role may, what it answers."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeVar

import anyio
import anyio.to_thread
import msgspec
from starlette.types import Receive, Scope, Send

from proxy.admin import headers as lines
from proxy.admin.binding import Binding
from proxy.admin.call import Answer, Call
from proxy.admin.checking import read_body, read_query
from proxy.admin.faults import Fault, Refusal
from proxy.admin.idempotency import Answers, Asking, Kept
from proxy.admin.roles import may
from proxy.admin.rooms import AdminRooms, AuditLog
from proxy.admin.route import Route, find
from proxy.admin.shapes.common import Shape
from proxy.admin.translate import refusal_of
from proxy.admin.wire import JSON, JSON_TYPE, ClientGone, answer, read_bounded, refuse
from proxy.core.secret import Secret
from proxy.identity import AdminIdentity, IdentityError

LOG: Final = logging.getLogger("flyball.admin")
T = TypeVar("T")
_THREADS: Final = 8
_WHO: Final = ((b"www-authenticate", b'Bearer realm="flyball admin"'),)


class Api:
    """The routes of the admin API as one ASGI endpoint; the person is known before the path is looked at."""

    def __init__(self, rooms: AdminRooms, routes: Sequence[Route], audit_log: AuditLog, answers: Answers) -> None:
        self._rooms = rooms
        self._routes = routes
        self._audit_log = audit_log
        self._answers = answers
        self._threads: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, whatever happens."""
        try:
            status, body, headers = await self._answer(scope, receive)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 (the crash boundary of the admin API: every request gets an answer)
            await refuse(send, refusal_of(error))
            return
        await answer(send, status, body, headers)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes, Sequence[tuple[bytes, bytes]]]:
        token = lines.bearer(scope["headers"])
        identity = await self._in_thread(partial(self._who, token))
        route, path = find(self._routes, scope["method"], scope["raw_path"])
        if not may(identity.role, route.permission):
            message = f"The role {identity.role.value} may not {route.permission.value}."
            raise Refusal(Fault.PERMISSION_DENIED, message)
        raw = await read_bounded(scope, receive, lines.LARGEST_BODY)
        call = Call(
            rooms=self._rooms,
            audit_log=self._audit_log,
            identity=identity,
            binding=Binding(identity.org, identity.team),
            path=path,
            query_given=read_query(route.query, scope["query_string"]),
            body_given=_body(route, scope, raw),
            condition=lines.condition(scope["headers"]),
            accepts=lines.accepted(scope["headers"], (JSON_TYPE, *route.files)) or "",
        )
        if route.waits:
            return _written(await awaited(route, call))
        key = lines.idempotency_key(scope["headers"]) if route.method == "POST" and route.repeatable else None
        if key is None:
            return _written(await self._in_thread(partial(done, route, call)))
        what = b"\0".join((route.method.encode(), scope["raw_path"], scope["query_string"], raw))
        asking = Asking(Secret(token or ""), key, what)
        return await self._in_thread(partial(self._once, route, call, asking))

    def _who(self, token: str | None) -> AdminIdentity:
        try:
            return self._rooms.tokens.authenticate(token or "", self._rooms.clock.now_ns())
        except IdentityError as error:
            raise Refusal(Fault.INVALID_ADMIN_TOKEN, str(error), headers=_WHO) from None

    def _once(self, route: Route, call: Call, asking: Asking) -> tuple[int, bytes, Sequence[tuple[bytes, bytes]]]:
        """Answer a POST with an Idempotency-Key: as before if it was answered before, else for the first time."""
        begun = self._answers.begin(asking)
        if isinstance(begun, Kept):
            return begun.status, begun.body, (JSON, (b"idempotent-replayed", b"true"))
        call.make_secret = partial(self._answers.secret, asking, begun.nonce)
        try:
            given = done(route, call)
        except BaseException:
            self._answers.forget(begun)
            raise
        kept = given.shape if given.made is None else msgspec.structs.replace(given.shape, secret=None)
        self._answers.keep(begun, given.status, msgspec.json.encode(kept), given.made)
        return _written(given)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_THREADS)
        return await anyio.to_thread.run_sync(work, limiter=self._threads)


def _body(route: Route, scope: Scope, raw: bytes) -> Shape | None:
    if route.body is None:
        if raw:
            raise Refusal(Fault.INVALID_REQUEST, "This request takes no body.")
        return None
    if not raw:
        return read_body(route.body, b"{}")
    kind = (lines.only(scope["headers"], b"content-type") or b"").split(b";", 1)[0].strip().lower()
    if kind != b"application/json":
        raise Refusal(Fault.UNSUPPORTED_MEDIA_TYPE, "A body must be sent as application/json.", param="content-type")
    return read_body(route.body, raw)


def done(route: Route, call: Call) -> Answer:
    """What a handler answers that blocks."""
    given = route.handler(call)
    if not isinstance(given, Answer):
        raise TypeError(f"the handler of {route.path} does not answer")
    return given


async def awaited(route: Route, call: Call) -> Answer:
    """What a handler answers that can be awaited."""
    given = route.handler(call)
    if not isinstance(given, Awaitable):
        raise TypeError(f"the handler of {route.path} cannot be awaited")
    return await given


def _written(given: Answer) -> tuple[int, bytes, Sequence[tuple[bytes, bytes]]]:
    if given.file is not None:
        named = f'attachment; filename="{given.file.name}"'
        kind = (b"content-type", given.file.media_type.encode("ascii"))
        headers = [kind, (b"content-disposition", named.encode("ascii")), *given.headers]
        return given.status, given.file.content, headers
    headers = [JSON, *given.headers]
    if given.tag is not None:
        headers.append((b"etag", f'"{given.tag}"'.encode("ascii")))
    return given.status, msgspec.json.encode(given.shape), headers
