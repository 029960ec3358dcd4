"""The results of tool calls that stand in a Gemini request's history, and which calls they say they answer."""

import msgspec

from proxy.wire.endpoint import Endpoint
from proxy.wire.gemini.names import fields, objects, text
from proxy.wire.tool_results import LEGACY, ToolResult


def tool_results(endpoint: Endpoint, body: bytes) -> list[ToolResult]:
    """The results in a body that has passed `read_request`. Older models' calls have no id: they are told by name."""
    found = []
    for index, content in enumerate(objects(fields(msgspec.json.decode(body)).get("contents"))):
        for part in objects(content.get("parts")):
            if part.get("functionResponse") is not None:
                answer = fields(part["functionResponse"])
                name = text(answer.get("name"))
                found.append(ToolResult(text(answer.get("id")) or (LEGACY + name if name else ""), name or None, index))
    return found
