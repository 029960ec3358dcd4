"""Everything in a request that is billed as input: texts to be counted, and what else has a size."""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Final

import msgspec

from proxy.wire.countable import Countable
from proxy.wire.endpoint import Endpoint


def read_countable(endpoint: Endpoint, body: bytes) -> Countable:
    """The input of a body that has passed `read_request`; large ones are read off the loop."""
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        # It has not passed: all of it is text, which is never too little.
        return Countable(texts=(body.decode("utf-8", "replace"),))
    gathered = _Gathered()
    _GATHER[endpoint](gathered, fields)
    return gathered.countable()


class _Gathered:
    """Sizes being added up."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.messages = self.markers = self.tools = self.images = self.low_detail_images = 0
        self.audio_bytes = self.file_bytes = self.files = self.opaque_bytes = self.token_ids = 0

    def countable(self) -> Countable:
        return Countable(
            texts=tuple(self.texts),
            messages=self.messages,
            markers=self.markers,
            tools=self.tools,
            images=self.images,
            low_detail_images=self.low_detail_images,
            audio_bytes=self.audio_bytes,
            file_bytes=self.file_bytes,
            files=self.files,
            opaque_bytes=self.opaque_bytes,
            token_ids=self.token_ids,
        )

    def text(self, value: Any) -> None:
        if isinstance(value, str) and value:
            self.texts.append(value)

    def json(self, value: Any) -> None:
        """A structure that the model is shown in some form; its JSON is no shorter."""
        self.texts.append(msgspec.json.encode(value).decode())

    def definitions(self, values: Any) -> None:
        for value in values if isinstance(values, list) else ():
            self.schema(value)

    def schema(self, value: Any) -> None:
        self.tools += 1
        self.json(value)

    def image(self, detail: Any) -> None:
        self.images += 1
        self.low_detail_images += detail == "low"

    def file(self, part: dict[str, Any]) -> None:
        self.text(part.get("filename"))
        data = part.get("file_data")
        if isinstance(data, str):
            self.file_bytes += _decoded_size(data)
        else:
            self.files += 1

    def content(self, content: Any) -> None:
        """A message's content, or a tool's output: a text, or a list of parts."""
        if isinstance(content, str):
            self.text(content)
        for part in _objects(content):
            _PARTS.get(_kind(part), _part_unknown)(self, part)


def _part_text(gathered: _Gathered, part: dict[str, Any]) -> None:
    gathered.text(part.get("text") or part.get("refusal"))


def _part_image(gathered: _Gathered, part: dict[str, Any]) -> None:
    nested = part.get("image_url")
    gathered.image(nested.get("detail") if isinstance(nested, dict) else part.get("detail"))


def _part_audio(gathered: _Gathered, part: dict[str, Any]) -> None:
    audio = part.get("input_audio")
    data = audio.get("data") if isinstance(audio, dict) else None
    gathered.audio_bytes += _decoded_size(data) if isinstance(data, str) else 0


def _part_file(gathered: _Gathered, part: dict[str, Any]) -> None:
    nested = part.get("file")
    gathered.file(nested if isinstance(nested, dict) else part)


def _part_unknown(gathered: _Gathered, part: dict[str, Any]) -> None:
    gathered.json(part)


_PARTS: Final[MappingProxyType[str, Callable[[_Gathered, dict[str, Any]], None]]] = MappingProxyType(
    {
        "text": _part_text,
        "input_text": _part_text,
        "output_text": _part_text,
        "summary_text": _part_text,
        "reasoning_text": _part_text,
        "refusal": _part_text,
        "image_url": _part_image,
        "input_image": _part_image,
        "computer_screenshot": _part_image,
        "input_audio": _part_audio,
        "file": _part_file,
        "input_file": _part_file,
    }
)


def _of_chat(gathered: _Gathered, fields: dict[str, Any]) -> None:
    for message in _objects(fields.get("messages")):
        _of_message(gathered, message)
    gathered.definitions(fields.get("tools"))
    gathered.definitions(fields.get("functions"))
    wanted = fields.get("response_format")
    if isinstance(wanted, dict) and wanted.get("json_schema") is not None:
        gathered.schema(wanted["json_schema"])


_USUAL_MEMBERS: Final = 2
"""Most messages are a role and a text."""


def _of_message(gathered: _Gathered, message: dict[str, Any]) -> None:
    gathered.messages += 1
    content = message.get("content")
    if len(message) == _USUAL_MEMBERS and type(content) is str and "role" in message:
        gathered.text(content)
        return
    gathered.content(content)
    for key in ("refusal", "reasoning_content", "reasoning"):
        gathered.text(message.get(key))
    if isinstance(message.get("name"), str):
        gathered.markers += 1
        gathered.text(message["name"])
    calls = [call.get("function") or call.get("custom") for call in _objects(message.get("tool_calls"))]
    for call in [*calls, message.get("function_call")]:
        if isinstance(call, dict):
            _of_call(gathered, call)


def _of_call(gathered: _Gathered, call: dict[str, Any]) -> None:
    gathered.messages += 1
    for key in ("name", "arguments", "input"):
        gathered.text(call.get(key))


def _of_responses(gathered: _Gathered, fields: dict[str, Any]) -> None:
    given = fields.get("input")
    if fields.get("instructions"):
        gathered.messages += 1
        gathered.content(fields["instructions"])
    if isinstance(given, str):
        gathered.messages += 1
        gathered.text(given)
    for item in _objects(given):
        _of_item(gathered, item)
    gathered.definitions(fields.get("tools"))
    wanted = fields.get("text")
    if isinstance(wanted, dict) and isinstance(wanted.get("format"), dict) and "schema" in wanted["format"]:
        gathered.schema(wanted["format"])
    template = fields.get("prompt")
    if isinstance(template, dict) and template.get("variables"):
        gathered.json(template["variables"])


def _of_item(gathered: _Gathered, item: dict[str, Any]) -> None:
    kind = _kind(item)
    if kind in ("message", "") and "role" in item:
        gathered.messages += 1
        gathered.content(item.get("content"))
    elif kind in ("function_call", "custom_tool_call"):
        _of_call(gathered, item)
    elif kind in ("function_call_output", "custom_tool_call_output", "computer_call_output"):
        gathered.messages += 1
        output = item.get("output")
        gathered.content([output] if isinstance(output, dict) else output)
    elif kind == "reasoning":
        _of_reasoning(gathered, item)
    else:
        gathered.messages += 1
        gathered.json(item)


def _of_reasoning(gathered: _Gathered, item: dict[str, Any]) -> None:
    gathered.messages += 1
    gathered.content(item.get("summary"))
    gathered.content(item.get("content"))
    sealed = item.get("encrypted_content")
    if isinstance(sealed, str):
        gathered.opaque_bytes += _decoded_size(sealed)


def _of_completions(gathered: _Gathered, fields: dict[str, Any]) -> None:
    _of_prompts(gathered, fields.get("prompt"))
    gathered.text(fields.get("suffix"))


def _of_embeddings(gathered: _Gathered, fields: dict[str, Any]) -> None:
    _of_prompts(gathered, fields.get("input"))


def _of_prompts(gathered: _Gathered, prompts: Any) -> None:
    """A text or token ids, or a list of either."""
    for prompt in prompts if isinstance(prompts, list) else [prompts]:
        if isinstance(prompt, int):
            gathered.token_ids += 1
        elif isinstance(prompt, list):
            gathered.token_ids += len(prompt)
        elif isinstance(prompt, dict):
            # A multimodal embedding's input.
            gathered.content([prompt])
        else:
            gathered.text(prompt)


_GATHER: Final[MappingProxyType[Endpoint, Callable[[_Gathered, dict[str, Any]], None]]] = MappingProxyType(
    {
        Endpoint.CHAT: _of_chat,
        Endpoint.COMPLETIONS: _of_completions,
        Endpoint.RESPONSES: _of_responses,
        Endpoint.EMBEDDINGS: _of_embeddings,
    }
)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield item


def _kind(item: dict[str, Any]) -> str:
    kind = item.get("type")
    return kind if isinstance(kind, str) else ""


def _decoded_size(base64: str) -> int:
    """The size of base64 data, perhaps behind a `data:` prefix."""
    return (len(base64) - (base64.find(",", 0, 200) + 1)) * 3 // 4
