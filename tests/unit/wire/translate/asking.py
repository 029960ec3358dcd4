"""Requests of each dialect, and what a pair makes of them."""

import json
from typing import Any

from proxy.core.refusal import Refused
from proxy.wire.translate.pair import Pair
from proxy.wire.translate.translated import Context

CONTEXT = Context(model="there-1", at_s=1_790_000_000)


def asked(pair: Pair, body: dict[str, Any], context: Context = CONTEXT) -> dict[str, Any]:
    """The request that the provider gets, decoded."""
    call = pair.translation()(json.dumps(body).encode(), context)
    decoded: dict[str, Any] = json.loads(call.request.body)
    return decoded


def refused_field(pair: Pair, body: dict[str, Any], context: Context = CONTEXT) -> tuple[str, str | None]:
    """The code of the refusal and the field it names; empty where there is none."""
    try:
        pair.translation()(json.dumps(body).encode(), context)
    except Refused as no:
        assert no.param is not None and f"`{no.param}`" in no.message
        return no.why.code, no.param
    return "", None


def chat(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A chat request; of one message from a user where none is given."""
    return {"model": "asked-1", "messages": list(messages) or [{"role": "user", "content": "Hi"}], **fields}


def messages(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A request to the Messages API."""
    said = list(messages) or [{"role": "user", "content": "Hi"}]
    return {"model": "asked-1", "max_tokens": 100, "messages": said, **fields}
