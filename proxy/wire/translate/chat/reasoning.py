"""What a chat provider thought, in the place where another dialect has a signature, and back again."""

import base64
import binascii
from typing import Final

import msgspec

from proxy.wire.translate.asked import Thought
from proxy.wire.translate.members import Json

_PREFIX: Final = "flyball-chat-1."


def sealed(details: list[dict[str, Json]]) -> str:
    """What stands for a signature: the provider's own details of its reasoning, or that it gave none."""
    return _PREFIX + (base64.b64encode(msgspec.json.encode(details)).decode() if details else "")


def unsealed(thought: Thought) -> dict[str, Json]:
    """The members of the message that give a thought back to the chat provider it came from; none for another's."""
    held = thought.hidden or thought.seal
    if not held.startswith(_PREFIX):
        return {}
    encoded = held[len(_PREFIX) :]
    if not encoded:
        return {"reasoning_content": thought.text}
    try:
        details = msgspec.json.decode(base64.b64decode(encoded, validate=True), type=list[dict[str, object]])
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return {"reasoning_details": details}  # type: ignore[dict-item]


class DetailsRead:
    """The details of a stream's reasoning: pieces with one index and type are one entry."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[dict[str, Json]] = []

    def add(self, entry: dict[str, Json]) -> None:
        """One entry, or a further piece of the last one."""
        last = self._entries[-1] if self._entries else None
        if last is None or last.get("type") != entry.get("type") or last.get("index") != entry.get("index"):
            self._entries.append(dict(entry))
            return
        for name, value in entry.items():
            before = last.get(name)
            if name in ("text", "summary", "data", "signature") and isinstance(before, str) and isinstance(value, str):
                last[name] = before + value
            elif value is not None:
                last[name] = value

    def taken(self) -> list[dict[str, Json]]:
        """What has come since it was taken last."""
        entries, self._entries = self._entries, []
        return entries
