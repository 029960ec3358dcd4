"""Everything in a Gemini request that is billed as input: texts to be counted, and what else has a size."""

from typing import Final

import msgspec

from proxy.wire.countable import Countable
from proxy.wire.endpoint import Endpoint
from proxy.wire.gemini.names import Json, camel, fields, objects, text
from proxy.wire.gemini.tools import FUNCTIONS

_FORMS: Final = ("responseSchema", "responseJsonSchema", "_responseJsonSchema")


def read_countable(endpoint: Endpoint, body: bytes) -> Countable:
    """The input of a body that has passed `read_request`; large ones are read off the loop."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        told = None
    if not isinstance(told, dict):
        # It has not passed: all of it is text, which is never too little.
        return Countable(texts=(body.decode("utf-8", "replace"),))
    gathered = _Gathered()
    gathered.request(told)
    return gathered.countable()


class _Gathered:
    """Sizes being added up."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.messages = self.tools = self.images = 0
        self.audio_bytes = self.file_bytes = self.files = self.opaque_bytes = 0

    def countable(self) -> Countable:
        return Countable(
            texts=tuple(self.texts),
            messages=self.messages,
            tools=self.tools,
            images=self.images,
            audio_bytes=self.audio_bytes,
            file_bytes=self.file_bytes,
            files=self.files,
            opaque_bytes=self.opaque_bytes,
        )

    def request(self, body: Json) -> None:
        """One request, or several in one body."""
        told = fields(body)
        if told.get("systemInstruction"):
            self._content(told["systemInstruction"])
        for member in ("contents", "content"):
            for content in objects(told.get(member)):
                self._content(content)
        self._text(told.get("title"))
        for tool in objects(told.get("tools")):
            for declared in objects(tool.get(FUNCTIONS)):
                self._schema(declared)
        config = fields(told.get("generationConfig"))
        for name in _FORMS:
            if config.get(name) is not None:
                self._schema(config[name])
        for request in objects(told.get("requests")):
            self.request(request)
        for request in objects(told.get("generateContentRequest")):
            self.request(request)

    def _content(self, content: Json) -> None:
        self.messages += 1
        if isinstance(content, str):
            self._text(content)
            return
        for part in objects(fields(content).get("parts")):
            self._part(part)

    def _part(self, part: Json) -> None:
        for name, value in part.items():
            if name == "inlineData":
                self._inline(fields(value))
            elif name == "fileData":
                self.files += 1
            elif name == "thoughtSignature":
                self.opaque_bytes += len(text(value)) * 3 // 4
            elif isinstance(value, str):
                self._text(value)
            elif value is not None and not isinstance(value, bool):
                self._structure(name, value)

    def _structure(self, name: str, value: Json) -> None:
        """A call, a result, code: shown to the model in some form; its JSON is no shorter. Media in a result count."""
        if camel(name) == "functionResponse":
            answer = dict(fields(value))
            for part in objects(answer.pop("parts", None)):
                self._part(part)
            value = answer
        self.messages += 1
        self.texts.append(msgspec.json.encode(value).decode())

    def _inline(self, blob: Json) -> None:
        """Media in the body: an image is counted as one, other kinds by their size."""
        media, size = text(blob.get("mimeType")), len(text(blob.get("data"))) * 3 // 4
        if media.startswith("image/"):
            self.images += 1
        elif media.startswith("audio/"):
            self.audio_bytes += size
        else:
            self.file_bytes += size

    def _schema(self, value: Json) -> None:
        self.tools += 1
        self.texts.append(msgspec.json.encode(value).decode())

    def _text(self, value: Json) -> None:
        if isinstance(value, str) and value:
            self.texts.append(value)
