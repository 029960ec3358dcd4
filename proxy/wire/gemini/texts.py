"""Where in a Gemini request something is said: each text by its bytes, so that it can be changed there.

One walk serves looking and changing, so that nothing is changed that was not looked at, nor the other way round.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.gemini.names import camel
from proxy.wire.members import raw_members, walk
from proxy.wire.texts import Text, Texts, said

_SAYING: Final = frozenset(
    {"systemInstruction", "contents", "content", "title", "requests", "generateContentRequest", "cachedContent"}
)
"""Members of a body in which something is said."""
_STRUCTURE: Final = frozenset(
    {"role", "mimeType", "data", "fileUri", "id", "thoughtSignature", "language", "outcome", "model", "taskType"}
    | {"cachedContent", "startOffset", "endOffset", "displayName", "scheduling", "mediaResolution"}
)
"""Members in which nobody says anything."""
_NAMED_BY_ANYONE: Final = frozenset({"args", "response"})
"""Objects whose members are called what their author likes, at any depth, so that no name tells that nothing is said
there."""
_MEDIA: Final = frozenset({"inlineData", "fileData"})
_OF_A_TOOL: Final = frozenset({"functionResponse", "codeExecutionResult"})
_ROLES: Final = {"model": "assistant", "function": "tool"}
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_QUOTE: Final = 0x22


def texts_in(endpoint: Endpoint, body: bytes) -> Texts:
    """The texts of a body that has passed `read_request`; off the loop where it is large.

    A tool's definition is no message. What a tool returned is a tool's, whoever says it.
    """
    reader = _Reader(body)
    members = sorted(walk(body, raw_members(body)), key=lambda member: camel(member[0]) != "systemInstruction")
    for key, _, start, end in members:
        if camel(key) in _SAYING:
            reader.read(camel(key), start, end)
    return Texts(tuple(reader.parts), reader.unread)


@dataclass(slots=True)
class _Level:
    """An object or an array that is being read. `key`: of the member under way; `waits`: for a key; `is_message`: a
    content with its parts; `is_free`: keys in it are anybody's words; `role`: whose words it holds."""

    is_object: bool
    key: str = ""
    waits: bool = False
    is_message: bool = False
    is_free: bool = False
    is_a_tools: bool = False


@dataclass(slots=True)
class _Message:
    roles: list[str] = field(default_factory=list)
    spans: list[tuple[int, int, bool]] = field(default_factory=list)


class _Reader:
    """Gathers the texts of one body."""

    def __init__(self, body: bytes) -> None:
        self.parts: list[Text] = []
        self.unread = 0
        self._body = body
        self._number = 0
        self._levels: list[_Level] = []
        self._message = _Message()
        self._default = ("user", "")

    def read(self, member: str, start: int, end: int) -> None:
        """Read one member's value."""
        self._default = ("user", "system" if member == "systemInstruction" else "")
        self._levels = [_Level(is_object=True, key=member)]
        for found in _TOKEN.finditer(self._body, start, end):
            mark = self._body[found.start()]
            if mark == _QUOTE:
                self._string(found.start(), found.end())
            elif mark in b"{[":
                self._open(is_object=mark == 0x7B)
            else:
                self._close()
        self._end_message()

    def _open(self, *, is_object: bool) -> None:
        above = self._levels[-1]
        key = above.key if above.is_object and not above.is_free else ""
        if key == "parts" and not any(level.is_message for level in self._levels):
            above.is_message = True
        self.unread += is_object and key in _MEDIA
        self._levels.append(
            _Level(
                is_object,
                waits=is_object,
                key="" if is_object else key,
                is_free=above.is_free or key in _NAMED_BY_ANYONE,
                is_a_tools=above.is_a_tools or key in _OF_A_TOOL,
            )
        )

    def _close(self) -> None:
        if self._levels.pop().is_message:
            self._end_message()
        self._after_value()

    def _string(self, start: int, end: int) -> None:
        level = self._levels[-1]
        if level.waits:
            level.key, level.waits = camel(self._decoded(start, end)), False
            return
        key = "" if level.is_free else level.key
        if key == "role":
            self._message.roles.append(self._decoded(start, end))
        elif key not in _STRUCTURE:
            self._message.spans.append((start, end, level.is_a_tools))
        self._after_value()

    def _after_value(self) -> None:
        level = self._levels[-1] if self._levels else None
        if level is not None and level.is_object and len(self._levels) > 1:
            # A number or a word that stood before needs no look: the next string is a key.
            level.waits = True

    def _end_message(self) -> None:
        message, self._message = self._message, _Message()
        if not message.spans and not message.roles:
            return
        role = self._default[1] or next((_ROLES.get(role, role) for role in message.roles), self._default[0])
        self.parts += [Text("tool" if of_tool else role, self._number, at, end) for at, end, of_tool in message.spans]
        self._number += 1

    def _decoded(self, start: int, end: int) -> str:
        return said(self._body, Text("", 0, start, end))
