"""The answer to a call that is refused, in the shape of its dialect."""

from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.journey.call import Exchange
from proxy.wire.dialect import Dialect

CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="flyball"')


async def refuse(exchange: Exchange, refused: Refused, operation: str, dialect: Dialect) -> None:
    """Send the refusal; our own answers carry the operation id as their request id."""
    body = dialect.error_body(refused, operation)
    name = operation.encode()
    headers = [
        *dialect.error_headers(refused),
        *refused.headers,
        (b"content-length", str(len(body)).encode()),
        *((header, name) for header in dialect.request_id_headers),
        (b"x-flyball-operation", name),
    ]
    if refused.why is Refusal.INVALID_API_KEY:
        headers.append(CHALLENGE)
    elif refused.why is Refusal.METHOD_NOT_ALLOWED:
        headers.append((b"allow", str(refused.facts.get("allow", "")).encode()))
    await exchange.answer(refused.status, headers, body)
