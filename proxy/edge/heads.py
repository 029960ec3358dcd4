"""What a request's head must be like before anything is believed of it: one Host, and one of each header we act on."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.edge.credentials import BARE_HEADERS, OWN_HEADER

HOST: Final = re.compile(rb"[A-Za-z0-9._~-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
PORT: Final = re.compile(rb":[0-9]*\Z")
ONCE: Final = frozenset({b"host", b"authorization", b"content-encoding", OWN_HEADER, *BARE_HEADERS})
OURS: Final = b"x-flyball-"


def check_head(
    version: str,
    raw_headers: Sequence[tuple[bytes, bytes]],
    headers: Mapping[bytes, bytes],
    allowed_hosts: frozenset[bytes] | None,
) -> None:
    """Refuse a head that could be read in two ways, and a Host that this server does not answer to.

    Raises:
        Refused: INVALID_REQUEST, naming the header; HOST_NOT_ALLOWED.
    """
    if len(headers) != len(raw_headers):
        _refuse_repeats(raw_headers)
    host = headers.get(b"host")
    if host is None:
        # RFC 9112 §3.2: only HTTP/1.0 may do without.
        if version != "1.0":
            raise Refused(Refusal.INVALID_REQUEST, "The Host header is missing.", param="host")
        host = b""
    elif not HOST.fullmatch(host):
        raise Refused(Refusal.INVALID_REQUEST, "The Host header is malformed.", param="host")
    if allowed_hosts is not None and not _is_allowed(host.lower(), allowed_hosts):
        raise Refused(Refusal.HOST_NOT_ALLOWED, "This server does not answer to that Host (server.allowed_hosts).")


def _refuse_repeats(raw_headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Of two values one would be governed by us and the other one obeyed by somebody else."""
    for name, count in Counter(name for name, _ in raw_headers).items():
        if count > 1 and (name in ONCE or name.startswith(OURS)):
            text = name.decode("latin-1")
            raise Refused(Refusal.INVALID_REQUEST, f"The header {text[:100]} is given twice; give it once.", param=text)


def _is_allowed(host: bytes, allowed: frozenset[bytes]) -> bool:
    return host in allowed or PORT.sub(b"", host) in allowed
