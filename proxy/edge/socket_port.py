"""Realtime sessions on the data port: from the handshake's first byte to their journey."""

import logging
from typing import Final

from proxy.core.ids import new_id
from proxy.core.refusal import Refusal, Refused
from proxy.edge.exchange import Receive, Scope, Send
from proxy.edge.heads import check_head
from proxy.edge.openai import under_base
from proxy.edge.realtime_key import realtime_secret
from proxy.edge.refuse import refuse
from proxy.edge.socket import AsgiSocket
from proxy.edge.strangers import Strangers
from proxy.journey.call import Call
from proxy.journey.realtime.talk import talk
from proxy.journey.rooms import Rooms
from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.dialect import OPENAI
from proxy.wire.openai.realtime.own_event import error_event

BROKEN: Final = 1011
RESTARTING: Final = 1012
log = logging.getLogger("flyball.edge")


class SocketPort:
    """Serves sockets; a refusal is the handshake's answer, or the last event of a session that had begun."""

    def __init__(self, rooms: Rooms, allowed_hosts: frozenset[bytes] | None, strangers: Strangers) -> None:
        self._rooms = rooms
        self._allowed_hosts = allowed_hosts
        self._strangers = strangers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One session. A crash boundary: a fault of ours ends it and is logged."""
        headers = dict(scope["headers"])
        socket = AsgiSocket(scope, receive, send)
        secret, operation = realtime_secret(headers, scope["subprotocols"]), new_id("op")
        try:
            check_head(scope["http_version"], scope["headers"], headers, self._allowed_hosts)
            await talk(self._call(scope, headers, secret, operation), socket, self._rooms)
        except Refused as refused:
            if refused.why is Refusal.INVALID_API_KEY:
                self._strangers.note(secret, operation)
            await self._refuse(socket, refused, operation)
        except Exception as fault:  # crash boundary: a client must never see a traceback or a hang
            log.exception("a session failed by a fault of ours", extra={"operation": operation})
            said = "Something in Flyball failed; the log has the details under this operation."
            no = Refused(Refusal.INTERNAL_ERROR, said, facts={"fault": type(fault).__name__})
            await self._refuse(socket, no, operation)

    def _call(self, scope: Scope, headers: dict[bytes, bytes], secret: str, operation: str) -> Call:
        clock = self._rooms.clock
        return Call(
            operation=operation,
            dialect=OPENAI,
            endpoint=Endpoint.REALTIME,
            path=under_base(scope["raw_path"]),
            query=scope["query_string"],
            raw_headers=scope["headers"],
            headers=headers,
            secret=secret,
            received_ns=clock.monotonic_ns(),
            arrived_ns=clock.now_ns(),
        )

    async def _refuse(self, socket: AsgiSocket, refused: Refused, operation: str) -> None:
        if not socket.started:
            await refuse(socket, refused, operation, OPENAI)
        elif socket.accepted:
            await socket.tell(error_event(operation, refused))
            restarting = refused.why is Refusal.SHUTTING_DOWN
            await socket.close(RESTARTING if restarting else BROKEN, refused.why.code)
