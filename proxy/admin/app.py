"""The admin port as one ASGI app: host check, health, metrics, console, API."""

import hmac
from typing import Final

import anyio.to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from proxy.admin import headers as lines
from proxy.admin.api import Api
from proxy.admin.approval_webhook import PATH, ApprovalWebhook
from proxy.admin.audit import StateAuditLog
from proxy.admin.faults import Fault, Refusal
from proxy.admin.idempotency import Answers
from proxy.admin.openapi import openapi_document
from proxy.admin.rooms import AdminRooms
from proxy.admin.route import ROOT
from proxy.admin.routes import ROUTES
from proxy.admin.tables import Tables
from proxy.admin.translate import refusal_of
from proxy.admin.wire import answer, hardened, refuse

CONSOLE: Final = "/console"
_PROMETHEUS: Final = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


def build_admin(rooms: AdminRooms) -> ASGIApp:
    """The admin port over these rooms; raises what opening the state file raises."""
    tables = Tables(rooms.state)
    audit_log = rooms.audit or StateAuditLog(tables)
    answers = Answers(tables, rooms.hash_key, rooms.clock)
    routes = (*ROUTES, openapi_document(ROUTES, rooms.version))
    return _Port(rooms, Api(rooms, routes, audit_log, answers), ApprovalWebhook(rooms, audit_log))


class _Port:
    """What stands before the API; paths are compared raw, as the client sent them."""

    def __init__(self, rooms: AdminRooms, api: ASGIApp, webhook: ApprovalWebhook) -> None:
        self._rooms = rooms
        self._api = api
        self._webhook = webhook
        self._hosts = lines.LOOPBACK_NAMES | {each.lower() for each in rooms.allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, hardened(send))
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode("latin-1")
        if path == "/healthz":
            # Probes call by address: they are told nothing but that we live.
            await self._answer_get(scope, send, b'{"status":"ok"}', (b"content-type", b"application/json"))
        elif not self._known_host(scope):
            message = "This Host name is not one the admin port answers to; see server.allowed_hosts."
            await refuse(send, Refusal(Fault.HOST_NOT_ALLOWED, message))
        elif (asked := PATH.fullmatch(path)) is not None:
            await self._webhook(asked["approval"], scope, receive, send)
        elif path == ROOT or path.startswith(ROOT + "/"):
            await self._api(scope, receive, send)
        elif path == "/metrics":
            await self._metrics(scope, send)
        elif self._rooms.console is not None and (path == CONSOLE or path.startswith(CONSOLE + "/")):
            await self._rooms.console(_mounted(scope), receive, send)
        else:
            message = f"There is no such path; the admin API is {ROOT}, the console {CONSOLE}."
            await refuse(send, Refusal(Fault.PATH_NOT_FOUND, message))

    def _known_host(self, scope: Scope) -> bool:
        host = lines.host_name(scope["headers"])
        return host is not None and (host in self._hosts or "*" in self._hosts)

    async def _metrics(self, scope: Scope, send: Send) -> None:
        wanted = self._rooms.metrics_token
        given = lines.bearer(scope["headers"]) or ""
        if wanted is not None and not hmac.compare_digest(given.encode(), wanted.reveal().encode()):
            challenge = [(b"www-authenticate", b'Bearer realm="flyball metrics"')]
            refusal = Refusal(
                Fault.INVALID_ADMIN_TOKEN, "The metrics token is missing or not valid.", headers=challenge
            )
            await refuse(send, refusal)
            return
        try:
            text = await anyio.to_thread.run_sync(self._rooms.metrics)
        except Exception as error:  # noqa: BLE001 (a crash boundary: a broken metric must not look like a dead port)
            await refuse(send, refusal_of(error))
            return
        await self._answer_get(scope, send, text.encode(), _PROMETHEUS)

    async def _answer_get(self, scope: Scope, send: Send, body: bytes, kind: tuple[bytes, bytes]) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            refusal = Refusal(Fault.METHOD_NOT_ALLOWED, "This path takes GET.", headers=[(b"allow", b"GET, HEAD")])
            await refuse(send, refusal)
            return
        await answer(send, 200, body, (kind,), head=scope["method"] == "HEAD")


def _mounted(scope: Scope) -> Scope:
    # By the ASGI specification `path` keeps the whole path, `root_path` says which part of it is the mount.
    return {**scope, "root_path": scope.get("root_path", "") + CONSOLE}


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
