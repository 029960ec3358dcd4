"""The text that an answer puts out, in the body of any model: what output is estimated from when no usage is told."""

from typing import Any, Final

from proxy.wire.bedrock.fields import text

_SAID: Final = frozenset(
    {"text", "outputText", "generation", "completion", "content", "partial_json", "thinking", "reasoning_content"}
    | {"input", "arguments", "name", "refusal"}
)
"""Members that hold a model's words, its reasoning or the calls it makes."""
_DEEPEST: Final = 16
_NESTED: Final = (dict, list)


def said_in(value: Any) -> list[str]:
    """Every piece of output in an answer or in an event of one."""
    found: list[str] = []
    _gather(value, 0, found)
    return found


def _gather(value: Any, depth: int, found: list[str]) -> None:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            if isinstance(each, _NESTED):
                _gather(each, depth + 1, found)
    elif isinstance(value, dict):
        for name, each in value.items():
            if isinstance(each, str):
                if name in _SAID and each:
                    found.append(each)
            elif isinstance(each, _NESTED):
                _gather(each, depth + 1, found)


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
