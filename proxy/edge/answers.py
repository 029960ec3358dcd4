"""Small JSON answers of our own."""

from typing import Any

import msgspec

from proxy.edge.exchange import AsgiExchange


async def answer_json(exchange: AsgiExchange, value: Any, status: int = 200) -> None:
    """Send a value as JSON."""
    body = msgspec.json.encode(value)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await exchange.answer(status, headers, body)
