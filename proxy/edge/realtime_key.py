"""A browser cannot set headers on a WebSocket: its key comes as a subprotocol, which goes no further than this."""

from collections.abc import Iterable, Mapping
from typing import Final

from proxy.edge.credentials import secret_of

KEY_PROTOCOL: Final = "openai-insecure-api-key."
OFFERED: Final = b"sec-websocket-protocol"


def realtime_secret(headers: Mapping[bytes, bytes], subprotocols: Iterable[str]) -> str:
    """The client's key: where any call has it, else in the subprotocol that browsers use."""
    if secret := secret_of(headers):
        return secret
    return next((each[len(KEY_PROTOCOL) :] for each in subprotocols if each.startswith(KEY_PROTOCOL)), "")


def without_key(subprotocols: Iterable[str]) -> tuple[str, ...]:
    """The subprotocols that may be told to others."""
    return tuple(each for each in subprotocols if not each.startswith(KEY_PROTOCOL))
