"""Results of tool calls in a request's history."""

from typing import Final

import msgspec

LEGACY: Final = "function_call "
"""Before the name of a legacy function: its calls and results have no id."""


class ToolResult(msgspec.Struct, frozen=True):
    """One result: the id of the call it answers, as it says; its tool's name, where it or the call in the history
    tells; and its place among the messages or items."""

    id: str
    name: str | None
    index: int
