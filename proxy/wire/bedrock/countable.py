"""Everything in a request that is billed as input: texts to be counted, and what else has a size."""

from typing import Final

import msgspec

from proxy.wire.bedrock.fields import Fields, Json, decoded, objects, text, tool_specs
from proxy.wire.countable import Countable
from proxy.wire.endpoint import Endpoint

_NOT_READ: Final = frozenset(
    {"role", "type", "format", "status", "media_type", "signature", "redactedContent", "cachePoint", "cache_control"}
)
_FILES: Final = frozenset({"document", "video", "audio"})
_PARAMETERS: Final = frozenset(
    {"inferenceConfig", "toolConfig", "tools", "tool_choice", "anthropic_version", "anthropic_beta", "schemaVersion"}
    | {"additionalModelRequestFields", "additionalModelResponseFieldPaths", "requestMetadata", "metadata"}
    | {"performanceConfig", "serviceTier", "guardrailConfig", "stop_sequences", "taskType", "textGenerationConfig"}
)
_DEEPEST: Final = 32


def read_countable(endpoint: Endpoint, body: bytes) -> Countable:
    """The input of a body that has passed `read_request`; large ones are read off the loop."""
    try:
        fields = decoded(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Countable(texts=(body.decode("utf-8", "replace"),))
    if not isinstance(fields, dict):
        return Countable(texts=(body.decode("utf-8", "replace"),))
    gathered = _Gathered()
    for name, value in fields.items():
        if name == "messages":
            gathered.message_list(value)
        elif name not in _PARAMETERS:
            gathered.messages += name == "system"
            gathered.said(value)
    for name, schema in tool_specs(fields):
        gathered.tools += 1
        gathered.texts += [name, msgspec.json.encode(schema).decode()]
    return gathered.countable()


class _Gathered:
    """Sizes being added up."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.messages = self.tools = self.images = self.file_bytes = self.files = self.opaque_bytes = 0

    def countable(self) -> Countable:
        return Countable(
            texts=tuple(self.texts),
            messages=self.messages,
            tools=self.tools,
            images=self.images,
            file_bytes=self.file_bytes,
            files=self.files,
            opaque_bytes=self.opaque_bytes,
        )

    def message_list(self, messages: Json) -> None:
        for message in objects(messages):
            self.messages += 1
            self.said(message.get("content"))

    def said(self, value: Json, depth: int = 0) -> None:
        """Count a content: a text, a block, or a list of them; what is not known is counted as the text it is."""
        if isinstance(value, str):
            self.texts.append(value)
        elif depth > _DEEPEST:
            self.texts.append(msgspec.json.encode(value).decode())
        elif isinstance(value, list):
            for each in value:
                self.said(each, depth + 1)
        elif isinstance(value, dict):
            self.block(value, depth)

    def block(self, block: Fields, depth: int) -> None:
        for name, value in block.items():
            if name in ("toolUse", "toolResult"):
                self.messages += 1
            if name == "image" or (name == "source" and block.get("type") == "image"):
                self.images += 1
            elif name in _FILES or (name == "source" and block.get("type") == "document"):
                self.file(value)
            elif name in ("input", "json"):
                self.texts.append(msgspec.json.encode(value).decode())
            elif name == "redactedContent":
                self.opaque_bytes += _decoded_size(text(value))
            elif name not in _NOT_READ:
                self.said(value, depth + 1)

    def file(self, value: Json) -> None:
        source = value.get("source", value) if isinstance(value, dict) else {}
        data = text(source.get("bytes")) or text(source.get("data")) if isinstance(source, dict) else ""
        if data:
            self.file_bytes += _decoded_size(data)
        elif isinstance(source, dict) and isinstance(source.get("text"), str):
            self.texts.append(source["text"])
        else:
            self.files += 1


def _decoded_size(base64: str) -> int:
    return len(base64) * 3 // 4
