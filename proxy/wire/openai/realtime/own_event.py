"""The events that we say ourselves, in the shape of the provider's own `error`."""

from collections.abc import Mapping

import msgspec

from proxy.core.refusal import JsonValue, Refused


def error_event(
    operation: str, refused: Refused, *, answers: str = "", more: Mapping[str, JsonValue] | None = None
) -> str:
    """A refusal as an event; `answers` is the id of the client's event that it answers."""
    return told_event(
        operation,
        refused.why.error_type,
        refused.why.code,
        refused.message,
        param=refused.param,
        answers=answers,
        facts={**refused.facts, **(more or {})},
    )


def told_event(
    operation: str,
    kind: str,
    code: str,
    message: str,
    *,
    param: str | None = None,
    answers: str = "",
    facts: Mapping[str, JsonValue] | None = None,
) -> str:
    """An `error` event with our object beside the dialect's own members."""
    error = {
        "type": kind,
        "code": code,
        "message": message,
        "param": param,
        "event_id": answers or None,
        "flyball": {"operation": operation, **(facts or {})},
    }
    return msgspec.json.encode({"type": "error", "event_id": f"event_{operation}", "error": error}).decode()
