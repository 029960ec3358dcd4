"""What the openai package reads in a stream or an answer: its events, its final object, and the calls in them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai

from proxy.wire.endpoint import Endpoint


@dataclass
class Read:
    """The calls a client of the package could act on, all text, the reasons of the ends, and the error it raised."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    finishes: list[str] = field(default_factory=list)
    error: str = ""


def read_by_sdk(endpoint: Endpoint, body: bytes) -> Read:
    """A stream as the package's own stream helpers take it in."""
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    )
    found = Read()
    with openai.OpenAI(
        base_url="http://sdk.test/v1", api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport)
    ) as client:
        try:
            if endpoint is Endpoint.RESPONSES:
                _response(client, found)
            else:
                _chat(client, found)
        except Exception as error:  # noqa: BLE001 - the package raises what it likes at streams that break their form
            found.error = f"{type(error).__name__}: {error}"
    return found


def _chat(client: Any, found: Read) -> None:
    with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "x"}]) as stream:
        for event in stream:
            if event.type == "chunk":
                for choice in event.chunk.choices:
                    found.calls += _of_parts(choice.delta)
            elif "tool_calls" in event.type:
                found.calls.append((event.name, event.arguments))
        for choice in stream.get_final_completion().choices:
            found.calls += _of_parts(choice.message)
            found.text += choice.message.content or ""
            found.finishes.append(choice.finish_reason)


def _of_parts(message: Any) -> Iterator[tuple[str, str]]:
    for call in message.tool_calls or ():
        if call.function is not None:
            yield (call.function.name or "", call.function.arguments or "")
    if getattr(message, "function_call", None) is not None:
        yield (message.function_call.name or "", message.function_call.arguments or "")


def _response(client: Any, found: Read) -> None:
    with client.responses.stream(model="m", input="x") as stream:
        for event in stream:
            told = json.loads(event.model_dump_json(warnings=False))
            if "function_call" in event.type or "custom_tool" in event.type:
                found.calls.append((event.type, str(told.get("delta") or told.get("arguments"))))
            item = told.get("item") or {}
            found.calls += _of_items([item])
        final = json.loads(stream.get_final_response().model_dump_json(warnings=False))
        found.calls += _of_items(final["output"])
        found.finishes.append(final["status"])
        for item in final["output"]:
            found.text += "".join(str(part.get("text", "")) for part in item.get("content") or ())


def _of_items(items: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for item in items:
        if str(item.get("type", "")).endswith("_call") and item["type"] != "web_search_call":
            yield (str(item.get("name")), str(item.get("arguments")))


def chunks_by_sdk(body: bytes) -> list[Any]:
    """The chunks of a chat's stream as the package's plain iteration gives them; raises what the package raises."""
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    )
    with openai.OpenAI(
        base_url="http://sdk.test/v1", api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport)
    ) as client:
        given: Any = client.chat.completions
        return list(given.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True))
