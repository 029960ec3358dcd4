"""Reads a chat provider's errors, in the forms of OpenAI and of those who speak like it (field notes on errors)."""

from collections.abc import Mapping
from typing import Final

import msgspec

from proxy.wire.translate.errors import Kind, kind_of_status, original_of
from proxy.wire.translate.members import Json
from proxy.wire.translate.telling import Failure

_CODES: Final[Mapping[str, Kind]] = {
    "context_length_exceeded": "context_length",
    "content_filter": "content_filter",
    "insufficient_quota": "quota",
    "credit_balance_exhausted": "quota",
    "organization_spend_limit_exceeded": "quota",
    "project_spend_limit_exceeded": "quota",
    "organization_usage_limit_exceeded": "quota",
    "rate_limit_exceeded": "rate_limit",
    "model_not_found": "not_found",
    "invalid_api_key": "authentication",
    "server_is_overloaded": "overloaded",
    "slow_down": "overloaded",
}
_TYPES: Final[Mapping[str, Kind]] = {"insufficient_quota": "quota", "invalid_request_error": "invalid"}
_TOO_LONG: Final = "maximum context length"


def read_chat_error(body: bytes, status: int = 0) -> Failure:
    """The error that a body, or an event of a stream, tells."""
    try:
        decoded: Json = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        decoded = None
    if isinstance(decoded, list) and decoded:
        decoded = decoded[0]
    error = decoded.get("error", decoded) if isinstance(decoded, dict) else None
    message = _message(error) or f"The provider answered with status {status}."
    return Failure(_kind(error, message, status), message, original_of(body))


def _message(error: Json) -> str:
    if isinstance(error, str):
        return error
    if not isinstance(error, dict):
        return ""
    told = error.get("message") or error.get("detail")
    return told if isinstance(told, str) else ""


def _kind(error: Json, message: str, status: int) -> Kind:
    if isinstance(error, dict):
        for name, kinds in (("code", _CODES), ("type", _CODES), ("type", _TYPES)):
            value = error.get(name)
            kind = kinds.get(value) if isinstance(value, str) else None
            if kind is not None and not (kind == "invalid" and _TOO_LONG in message):
                return kind
    return "context_length" if _TOO_LONG in message else kind_of_status(status)
