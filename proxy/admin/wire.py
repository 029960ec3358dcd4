"""Reading a request's body within bounds, and writing an answer, in plain ASGI."""

from collections.abc import Sequence
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from proxy.admin.faults import Fault, Refusal, error_body

JSON_TYPE: Final = "application/json"
JSON: Final = (b"content-type", JSON_TYPE.encode("ascii"))
SECURITY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""On every answer that does not set the header itself, as the console does."""


class ClientGone(Exception):
    """The client hung up before its request was whole; nobody waits for an answer."""


async def read_bounded(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body, at most `most` bytes.

    Raises:
        Refusal: REQUEST_TOO_LARGE as soon as that is known.
        ClientGone: the client hung up.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and (len(value) > 15 or int(value) > most):
            raise _too_large(most)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return bytes(body)


async def answer(
    send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = (JSON,), *, head: bool = False
) -> None:
    """Send one whole answer; `head` leaves the body out."""
    length = (b"content-length", str(len(body)).encode("ascii"))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def refuse(send: Send, refusal: Refusal) -> None:
    """Send a refusal in the data port's shape."""
    await answer(send, refusal.fault.status, error_body(refusal), (JSON, *refusal.headers))


def hardened(send: Send) -> Send:
    """A `send` that adds the security headers an answer does not set itself."""

    async def send_hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            named = {name.lower() for name, _ in headers}
            headers += [each for each in SECURITY if each[0] not in named]
            message = {**message, "headers": headers}
        await send(message)

    return send_hardened


def _too_large(most: int) -> Refusal:
    # The rest of the body is not read: the connection cannot be used again.
    return Refusal(Fault.REQUEST_TOO_LARGE, f"A body may have {most} bytes.", headers=[(b"connection", b"close")])
