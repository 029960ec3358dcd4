"""Where in a request's body something is said: each text of its messages by its bytes, so that it can be changed there.

One walk serves looking and changing, so that nothing is changed that was not looked at, nor the other way round; of a
member that is written twice both are read, since which of them a provider takes is not known.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from proxy.wire.endpoint import Endpoint
from proxy.wire.members import raw_members, walk
from proxy.wire.texts import Text, Texts, said

_SAYING: Final = {
    Endpoint.CHAT: ("messages", "prediction"),
    Endpoint.COMPLETIONS: ("prompt", "suffix"),
    Endpoint.RESPONSES: ("instructions", "input", "prompt"),
    Endpoint.EMBEDDINGS: ("input",),
    Endpoint.MODERATIONS: ("input",),
    Endpoint.IMAGES: ("prompt",),
    Endpoint.IMAGE_EDITS: ("prompt", "images", "mask"),
    Endpoint.SPEECH: ("instructions", "input"),
}
"""Members of a body in which something is said, in the order that their messages are counted in."""
_STRUCTURE: Final = frozenset(
    {"role", "type", "id", "call_id", "tool_call_id", "status", "detail", "file_id", "encrypted_content", "signature"}
)
"""Members of a message in which nobody says anything."""
_MEDIA: Final = frozenset({"data", "file_data", "b64_json"})
_URLS: Final = frozenset({"url", "image_url", "file_url", "video_url", "audio_url"})
"""Members that lead somewhere; what begins like a URL of data is one only there, and elsewhere is a text."""
_NAMED_BY_ANYONE: Final = frozenset({"variables", "env", "attributes"})
"""Objects whose members are called what their author likes, so that no name tells that nothing is said there."""
_MEDIA_PARTS: Final = frozenset(
    {"image_url", "input_image", "input_audio", "audio", "file", "input_file", "computer_screenshot", "video_url"}
    | {"audio_url", "image", "video", "document"}
)
"""Types of parts that say something in another way than in text."""
_SYSTEM: Final = frozenset({"system", "developer"})
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|[^\s"{}\[\],:]+', re.DOTALL)
_QUOTE: Final = 0x22
_DATA_URL: Final = b'"data:'


def texts_in(endpoint: Endpoint, body: bytes) -> Texts:
    """The texts of a body that has passed `read_request`; off the loop where it is large.

    A tool's definition and a call's metadata are no messages.
    """
    given: dict[str, list[tuple[int, int]]] = {}
    for key, _, start, end in walk(body, raw_members(body)):
        given.setdefault(key, []).append((start, end))
    reader = _Reader(body)
    for member in _SAYING.get(endpoint, ()):
        for start, end in given.get(member, ()):
            reader.read(member, start, end)
    return Texts(tuple(reader.parts), reader.unread)


@dataclass(slots=True)
class _Level:
    """An object or an array that is being read. `key`: of the member that is under way; `waits`: for a key; `is_free`:
    its keys are anybody's words."""

    is_object: bool
    is_message: bool
    key: str = ""
    waits: bool = False
    is_quiet: bool = False
    is_free: bool = False

    @property
    def known_key(self) -> str:
        """The key, where it is a word of the API."""
        return self.key if self.is_object and not self.is_free else ""


@dataclass(slots=True)
class _Message:
    """What is known of the message that is being read."""

    roles: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)

    @property
    def role(self) -> str:
        """Who says it. What a tool returned is a tool's; of two roles the one that is trusted less counts."""
        for kind in self.types:
            if kind.endswith("_output"):
                return "tool"
            if kind.endswith("_call") or kind == "reasoning":
                return "assistant"
        return next((role for role in self.roles if role not in _SYSTEM), self.roles[0] if self.roles else "")


class _Reader:
    """Gathers the texts of one body."""

    def __init__(self, body: bytes) -> None:
        self.parts: list[Text] = []
        self.unread = 0
        self._body = body
        self._number = 0
        self._levels: list[_Level] = []
        self._message = _Message()
        self._default = "user"
        self._has_ids = False

    def read(self, member: str, start: int, end: int) -> None:
        """Read one member's value."""
        self._default = {"instructions": "system", "prediction": "assistant"}.get(member, "user")
        self._has_ids = False
        for found in _TOKEN.finditer(self._body, start, end):
            mark = self._body[found.start()]
            if mark == _QUOTE:
                self._string(found.start(), found.end())
            elif mark in b"{[":
                self._open(mark == 0x7B)
            elif mark in b"}]":
                self._close()
            else:
                self._scalar(mark)
        self.unread += self._has_ids

    def _open(self, is_object: bool) -> None:
        above = self._levels[-1] if self._levels else None
        is_message = is_object and (above is None or (len(self._levels) == 1 and not above.is_object))
        key = "" if above is None else above.known_key
        quiet = above is not None and (above.is_quiet or key in _STRUCTURE)
        is_free = is_object and key in _NAMED_BY_ANYONE
        self._levels.append(_Level(is_object, is_message, waits=is_object, is_quiet=quiet, is_free=is_free))

    def _close(self) -> None:
        if self._levels.pop().is_message:
            self._end_message()
        self._after_value()

    def _scalar(self, mark: int) -> None:
        if self._default == "user" and mark in b"-0123456789" and not any(level.is_object for level in self._levels):
            self._has_ids = True
        self._after_value()

    def _string(self, start: int, end: int) -> None:
        if self._levels and self._levels[-1].waits:
            level = self._levels[-1]
            level.key, level.waits = self._decoded(start, end), False
            return
        if not any(each.is_object for each in self._levels):
            self._message.spans.append((start, end))
            self._end_message()
            return
        self._member(self._levels[-1], start, end)
        self._after_value()

    def _member(self, level: _Level, start: int, end: int) -> None:
        """A string within a message."""
        key = level.known_key
        if level.is_message and key in ("role", "type"):
            (self._message.roles if key == "role" else self._message.types).append(self._decoded(start, end))
        if key == "type":
            self.unread += self._decoded(start, end) in _MEDIA_PARTS
        is_said = not level.is_quiet and key not in _STRUCTURE and key not in _MEDIA
        if is_said and not (key in _URLS and self._body.startswith(_DATA_URL, start)):
            self._message.spans.append((start, end))

    def _after_value(self) -> None:
        if self._levels and self._levels[-1].is_object:
            self._levels[-1].waits = True

    def _end_message(self) -> None:
        role = self._message.role or self._default
        self.parts += [Text(role, self._number, start, end) for start, end in self._message.spans]
        self._message = _Message()
        self._number += 1

    def _decoded(self, start: int, end: int) -> str:
        return said(self._body, Text("", 0, start, end))
