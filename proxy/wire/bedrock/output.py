"""The text that an answer puts out, in the body of any model: what output is estimated from when no usage is told."""

from collections.abc import Iterator
from typing import Any, Final

from proxy.wire.bedrock.fields import text

_SAID: Final = frozenset(
    {"text", "outputText", "generation", "completion", "content", "partial_json", "thinking", "reasoning_content"}
    | {"input", "arguments", "name", "refusal"}
)
"""Members that hold a model's words, its reasoning or the calls it makes."""
_DEEPEST: Final = 16


def said_in(value: Any, depth: int = 0) -> Iterator[str]:
    """Every piece of output in an answer or in an event of one."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict | list):
                yield from said_in(each, depth + 1)
    elif isinstance(value, dict):
        for name, each in value.items():
            if isinstance(each, str):
                if name in _SAID and each:
                    yield each
            elif isinstance(each, dict | list):
                yield from said_in(each, depth + 1)


def calls_in(value: Any, depth: int = 0) -> list[str]:
    """The tools that an answer, or an event that begins one, calls for the client to run: a name for each call."""
    if depth > _DEEPEST:
        return []
    if isinstance(value, list):
        return [name for each in value for name in calls_in(each, depth + 1)]
    if not isinstance(value, dict):
        return []
    if isinstance(use := value.get("toolUse"), dict):
        return [text(use["name"])] if "name" in use and use.get("type") != "server_tool_use" else []
    if value.get("type") == "tool_use":
        return [text(value.get("name"))]
    if isinstance(calls := value.get("tool_calls"), list):
        names = (text((each.get("function") or {}).get("name")) for each in calls if isinstance(each, dict))
        return [name for name in names if name]
    return [name for each in value.values() for name in calls_in(each, depth + 1)]
