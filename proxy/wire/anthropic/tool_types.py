"""Which tools the client runs and which the provider, by their types (Anthropic's API reference, tools)."""

from collections.abc import Mapping
from typing import Any, Final

_CLIENT_RUN: Final = ("bash_", "text_editor_", "computer_", "memory_", "browser_toolset_")
"""Beginnings of types whose calls come as `tool_use` for the client to run; dated versions come and go."""
_OWN: Final = frozenset({"", "custom"})


def is_client_run(kind: str) -> bool:
    """Whether the client runs the calls to a tool of this type; all others are run, and billed, by the provider."""
    return kind in _OWN or kind.startswith(_CLIENT_RUN)


def name_of_tool(tool: Any) -> str:
    """A tool's name; the type of one without, such as a toolset."""
    if not isinstance(tool, Mapping):
        return ""
    name, kind = tool.get("name"), tool.get("type")
    return name if isinstance(name, str) else kind if isinstance(kind, str) else ""
