"""The data port: one raw ASGI callable, from a request's first bytes to its journey (DESIGN §2, edge)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from proxy.core.ids import new_id
from proxy.core.refusal import Refusal, Refused
from proxy.core.tenant import Principal
from proxy.edge.answers import answer_json
from proxy.edge.exchange import AsgiExchange, Receive, Scope, Send
from proxy.edge.heads import check_head
from proxy.edge.health import HEALTH_PATHS, Readiness, answer_health
from proxy.edge.openai import under_base, wrong_method
from proxy.edge.own import FindOperation, key_facts, own_approval, own_operation
from proxy.edge.refuse import refuse
from proxy.edge.socket_port import SocketPort
from proxy.edge.strangers import Strangers
from proxy.edge.surface import Placed, Surface
from proxy.edge.surfaces import surface_of
from proxy.journey.call import Call
from proxy.journey.dry_run import dry_run
from proxy.journey.kept.carry import carry
from proxy.journey.pipeline import travel
from proxy.journey.resolve import is_routed, usable_models
from proxy.journey.rooms import Rooms
from proxy.upstream import UpstreamFailed
from proxy.wire.dialect import Dialect
from proxy.wire.endpoint import Endpoint
from proxy.wire.place import Does

OWN_PATHS: Final = ("/models", "/flyball/")
ROUTE_PATH: Final = "/flyball/route"
CHAT_PATH: Final = "/chat/completions"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
log = logging.getLogger("flyball.edge")


@dataclass(frozen=True, kw_only=True)
class EdgeLimits:
    """What the data port accepts: bytes of a body, and names in `Host` (None: any well-formed one)."""

    max_body_bytes: int = 32 * 1024 * 1024
    max_upload_bytes: int = 528 * 1024 * 1024
    allowed_hosts: frozenset[bytes] | None = None


class DataPort:
    """Serves the OpenAI dialect, health probes and a key's view of itself; everything but health needs a key."""

    def __init__(
        self, rooms: Rooms, limits: EdgeLimits, readiness: Callable[[], Readiness], find_operation: FindOperation
    ) -> None:
        self._rooms = rooms
        self._limits = limits
        self._readiness = readiness
        self._find_operation = find_operation
        self._strangers = Strangers(rooms)
        self._sockets = SocketPort(rooms, limits.allowed_hosts, self._strangers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request or one socket. The last crash boundary: a fault of ours is answered with 500 and logged."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await self._sockets(scope, receive, send)
            return
        raw_headers = scope["headers"]
        headers = dict(raw_headers)
        limits = self._limits
        exchange = AsgiExchange(receive, send, headers, limits.max_body_bytes, limits.max_upload_bytes)
        operation = new_id("op")
        surface = surface_of(scope["raw_path"], headers)
        try:
            await self._serve(surface, scope, raw_headers, headers, exchange, operation)
        except Refused as refused:
            if refused.why is Refusal.INVALID_API_KEY:
                self._strangers.note(surface.secret(headers, scope["query_string"]), operation)
            await self._refuse(exchange, refused, operation, surface.dialect)
        except UpstreamFailed:
            # The answer was under way: leaving it unfinished makes the server cut the connection, which is the truth.
            return
        except Exception as fault:  # crash boundary: a client must never see a traceback or a hang
            log.exception("a call failed by a fault of ours", extra={"operation": operation})
            await self._refuse(exchange, _our_fault(fault), operation, surface.dialect)
        finally:
            exchange.close()

    async def _serve(
        self,
        surface: Surface,
        scope: Scope,
        raw_headers: list[tuple[bytes, bytes]],
        headers: dict[bytes, bytes],
        exchange: AsgiExchange,
        operation: str,
    ) -> None:
        raw_path: bytes = scope["raw_path"]
        if raw_path in HEALTH_PATHS:
            await answer_health(exchange, raw_path, self._readiness)
            return
        check_head(scope["http_version"], raw_headers, headers, self._limits.allowed_hosts)
        method: str = scope["method"]
        query: bytes = scope["query_string"]
        secret = surface.secret(headers, query)
        matched = surface.match(raw_path, query)
        place = None
        if matched is None or method != "POST":
            placed = self._placed(surface, method, raw_path)
            if placed is None:
                principal = self._principal(secret)
                if matched is not None:
                    raise wrong_method(method, "POST")
                if method == "POST" and surface.own is None and under_base(raw_path) == ROUTE_PATH:
                    asked = self._asked(surface, raw_headers, headers, secret, operation)
                    await answer_json(exchange, await dry_run(asked, exchange, self._rooms))
                    return
                await self._serve_own(surface, method, raw_path, principal, exchange)
                return
            place, matched = placed.place, placed.matched
        clock = self._rooms.clock
        call = Call(
            operation=operation,
            dialect=surface.dialect,
            endpoint=matched.endpoint,
            path=matched.path,
            query=surface.query(query),
            raw_headers=raw_headers,
            headers=headers,
            secret=secret,
            received_ns=clock.monotonic_ns(),
            arrived_ns=clock.now_ns(),
            method=method,
            deployment=matched.deployment,
        )
        if place is None:
            await travel(call, exchange, self._rooms)
        else:
            await carry(call, exchange, self._rooms, place)

    def _placed(self, surface: Surface, method: str, raw_path: bytes) -> Placed | None:
        """What a path of objects at providers means, or one that a provider passes on; None for all others."""
        placed = surface.place(method, raw_path) if method in METHODS else None
        if placed is None:
            return None
        is_unknown = placed.place.does is Does.UNKNOWN
        return None if is_unknown and not self._rooms.snapshot().passes_unknown else placed

    async def _serve_own(
        self, surface: Surface, method: str, raw_path: bytes, principal: Principal, exchange: AsgiExchange
    ) -> None:
        if surface.own is not None:
            models = usable_models(self._rooms.snapshot(), principal, surface.dialect.name)
            await answer_json(exchange, surface.own(raw_path, method, models))
            return
        path = under_base(raw_path)
        if not path.startswith(OWN_PATHS):
            raise surface.unknown_path(path)
        if method != "GET":
            raise wrong_method(method, "GET")
        await answer_json(exchange, await self._own(surface, path, principal))

    def _asked(
        self,
        surface: Surface,
        raw_headers: list[tuple[bytes, bytes]],
        headers: dict[bytes, bytes],
        secret: str,
        operation: str,
    ) -> Call:
        """A chat of which is asked where it would go."""
        clock = self._rooms.clock
        return Call(
            operation=operation,
            dialect=surface.dialect,
            endpoint=Endpoint.CHAT,
            path=CHAT_PATH,
            query=b"",
            raw_headers=raw_headers,
            headers=headers,
            secret=secret,
            received_ns=clock.monotonic_ns(),
            arrived_ns=clock.now_ns(),
        )

    async def _own(self, surface: Surface, path: str, principal: Principal) -> object:
        rooms = self._rooms
        if path == "/models":
            return surface.model_list(usable_models(rooms.snapshot(), principal, surface.dialect.name))
        if path.startswith("/models/"):
            return surface.model_object(self._model(surface, unquote(path.removeprefix("/models/")), principal))
        if path == "/flyball/key":
            return await key_facts(rooms, principal, rooms.clock.now_ns())
        if path.startswith("/flyball/operations/"):
            return await own_operation(self._find_operation, path.removeprefix("/flyball/operations/"), principal)
        if path.startswith("/flyball/approvals/"):
            return await own_approval(rooms, path.removeprefix("/flyball/approvals/"), principal)
        if path == ROUTE_PATH:
            raise wrong_method("GET", "POST")
        raise surface.unknown_path(path)

    def _model(self, surface: Surface, name: str, principal: Principal) -> str:
        snapshot, dialect = self._rooms.snapshot(), surface.dialect.name
        if name not in usable_models(snapshot, principal, dialect) and not is_routed(
            snapshot, principal, name, dialect
        ):
            raise Refused(Refusal.MODEL_NOT_FOUND, f"This key may use no model named {name[:200]!r}.", param="model")
        return name

    def _principal(self, secret: str) -> Principal:
        rooms = self._rooms
        return rooms.snapshot().keyring.authenticate(secret, rooms.clock.now_ns())

    async def _refuse(self, exchange: AsgiExchange, refused: Refused, operation: str, dialect: Dialect) -> None:
        if not exchange.started:
            await refuse(exchange, refused, operation, dialect)


def _our_fault(fault: Exception) -> Refused:
    return Refused(
        Refusal.INTERNAL_ERROR,
        "Something in Flyball failed; the log has the details under this operation.",
        facts={"fault": type(fault).__name__},
    )
