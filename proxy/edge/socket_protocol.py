"""uvicorn's WebSocket protocol as we run it: bounded, keyless in logs, and drained like calls when the worker ends."""

import logging
from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""A whole event: the largest that OpenAI takes is 15 MB."""
_SILENT: Final = logging.getLogger("flyball.sockets")
_SILENT.disabled = True
"""Whoever can connect could fill the disk, and what uvicorn says of a connection holds its query."""


class RealtimeSocketProtocol(WebSocketsSansIOProtocol):
    """One connection that has become a socket."""

    def connection_made(self, transport: object) -> None:
        """The HTTP protocol hands it over."""
        self.logger = self.conn.logger = _SILENT
        super().connection_made(transport)  # type: ignore[arg-type]  # a Transport, as uvicorn casts it itself

    def shutdown(self) -> None:
        """The worker ends: a session goes on until its task is cancelled at the deadline, and then says why it ends."""
        if not self.handshake_complete or self.close_sent:
            super().shutdown()
