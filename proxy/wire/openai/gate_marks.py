"""What betrays a tool call of the OpenAI dialect before anything is read."""

from typing import Final

DONE: Final = b"[DONE]"
_MARKS: Final = (b"_call", b"mcp_approval", b"\\u", b"arguments")


def may_carry(raw: bytes) -> bool:
    """Whether bytes could hold a call in any client's reading: its members in any case, or written as escapes."""
    folded = raw.lower()
    return any(mark in folded for mark in _MARKS)
