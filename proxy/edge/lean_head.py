"""Writing an answer's head without asking two regular expressions about each header: a tenth of a call's time.

uvicorn checks name and value of every header and lower-cases the names. Ours are lower-case, and what must not be in
them (a line end that would begin another header, RFC 9112 §11.1) is looked for once, in the finished block.
"""

from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from proxy.journey.call import Headers

BODILESS: Final = frozenset({204, 304})
CONTROLS: Final = bytes(code for code in (*range(0x20), 0x7F) if code not in b"\t\r\n")


def cycle_of(receive: object) -> RequestResponseCycle | None:
    """uvicorn's own object behind an ASGI `receive`; None on another server."""
    owner = getattr(receive, "__self__", None)
    return owner if isinstance(owner, RequestResponseCycle) else None


def write_head(cycle: RequestResponseCycle, status: int, headers: Headers) -> bool:
    """Write the status line and headers; false, with nothing done, where the long way round must be taken."""
    head = _begun(cycle, status, headers, next((value for name, value in headers if name == b"content-length"), None))
    if head is None:
        return False
    cycle.transport.write(head)
    return True


def write_whole(cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes) -> bool:
    """Write a whole answer in one piece; `headers` tell its length. False, with nothing done, as `write_head`."""
    length = b"%d" % len(body)
    if (b"content-length", length) not in headers:
        return False
    head = _begun(cycle, status, headers, length)
    if head is None:
        return False
    cycle.transport.write(head + body)
    cycle.expected_content_length = 0
    cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def write_part(cycle: RequestResponseCycle, part: bytes) -> bool:
    """Write a part of an answer of unknown length at once; false, with nothing done, as `write_head`, or to wait."""
    if not part or not cycle.chunked_encoding or not cycle.response_started or cycle.response_complete:
        return False
    if cycle.flow.write_paused or cycle.disconnected:
        return False
    cycle.transport.write(b"%x\r\n%b\r\n" % (len(part), part))
    return True


def _begun(cycle: RequestResponseCycle, status: int, headers: Headers, length: bytes | None) -> bytes | None:
    """The head's bytes, its answer noted as begun; None where uvicorn must write it."""
    if cycle.response_started or cycle.disconnected or cycle.flow.write_paused:
        return None
    if status in BODILESS or status not in STATUS_LINE or cycle.scope["method"] == "HEAD":
        return None
    block = b"\r\n".join([*map(b": ".join, headers), b""])
    if not block.count(b"\r") == block.count(b"\n") == len(headers) or block.translate(None, CONTROLS) != block:
        return None
    if length is None:
        cycle.chunked_encoding = True
        block += b"transfer-encoding: chunked\r\n"
    else:
        cycle.chunked_encoding = False
        cycle.expected_content_length = int(length)
    if not cycle.keep_alive:
        block += b"connection: close\r\n"
    cycle.response_started = True
    cycle.waiting_for_100_continue = False
    return b"%b%b\r\n" % (STATUS_LINE[status], block)
