"""Everything in a request that is billed as input: texts to be counted, and what else has a size."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from proxy.wire.anthropic.tool_types import is_client_run
from proxy.wire.countable import Countable
from proxy.wire.endpoint import Endpoint

_OWN_TOOL: Final = 1024
"""Tokens that a tool of Anthropic's own adds (245 for bash to 735 for a computer by its table, and some more)."""
_SEALED: Final = frozenset({"signature", "encrypted_content", "encrypted_index", "data"})


def read_countable(endpoint: Endpoint, body: bytes) -> Countable:
    """The input of a body that has passed `read_request`; large ones are read off the loop."""
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        # It has not passed: all of it is text, which is never too little.
        return Countable(texts=(body.decode("utf-8", "replace"),))
    return _Gathered().all_of(fields)


class _Gathered:
    """Sizes being added up."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.messages = self.markers = self.tools = self.images = self.file_bytes = self.files = self.opaque_bytes = 0

    def all_of(self, fields: Mapping[str, Any]) -> Countable:
        if fields.get("system"):
            self.messages += 1
            self._content(fields["system"])
        for message in _objects(fields.get("messages")):
            self.messages += 1
            self._content(message.get("content"))
        for tool in _objects(fields.get("tools")):
            self._tool(tool)
        for name in ("output_config", "output_format", "mcp_servers"):
            if fields.get(name):
                self.tools += 1
                self._json(fields[name])
        return Countable(
            texts=tuple(self.texts),
            messages=self.messages,
            markers=self.markers,
            tools=self.tools,
            images=self.images,
            file_bytes=self.file_bytes,
            files=self.files,
            opaque_bytes=self.opaque_bytes,
        )

    def _tool(self, tool: Mapping[str, Any]) -> None:
        self.tools += 1
        self._json({name: value for name, value in tool.items() if name != "cache_control"})
        kind = tool.get("type")
        if isinstance(kind, str) and kind != "custom" and is_client_run(kind):
            # Anthropic's own tools are described by it: bash, a text editor, a computer.
            self.markers += _OWN_TOOL

    def _content(self, content: Any) -> None:
        """A message's content or a tool's result: a text, or a list of blocks."""
        if isinstance(content, str):
            self._text(content)
        for block in _objects(content):
            self._block(block)

    def _block(self, block: Mapping[str, Any]) -> None:
        kind = block.get("type")
        if kind == "text":
            self._text(block.get("text"))
        elif kind in ("image", "document"):
            self._source(kind, block)
        elif kind == "tool_use":
            self.messages += 1
            self._text(block.get("name"))
            self._json(block.get("input"))
        elif kind == "tool_result":
            self.messages += 1
            self._content(block.get("content"))
        elif kind in ("thinking", "redacted_thinking"):
            self._text(block.get("thinking"))
            self._sealed(block)
        else:
            self.messages += 1
            self._json(block)

    def _source(self, kind: str, block: Mapping[str, Any]) -> None:
        for name in ("title", "context"):
            self._text(block.get(name))
        source = block.get("source")
        told = source if isinstance(source, dict) else {}
        data, of = told.get("data"), told.get("type")
        if of == "content":
            self._content(told.get("content"))
        elif of == "text":
            self._text(data)
        elif kind == "image":
            self.images += 1
        elif isinstance(data, str):
            self.file_bytes += len(data) * 3 // 4
        else:
            self.files += 1

    def _sealed(self, block: Mapping[str, Any]) -> None:
        for name in _SEALED:
            value = block.get(name)
            if isinstance(value, str):
                self.opaque_bytes += len(value) * 3 // 4

    def _text(self, value: Any) -> None:
        if isinstance(value, str) and value:
            self.texts.append(value)

    def _json(self, value: Any) -> None:
        """A structure that the model is shown in some form; its JSON is no shorter."""
        self.texts.append(msgspec.json.encode(value).decode())


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield item
