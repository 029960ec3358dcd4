"""Recorded answers of one dialect's providers, read by another dialect's SDK through a running Flyball."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import anthropic
import openai
import pytest

from proxy.wire.endpoint import Endpoint
from tests.harness.flyball import Flyball
from tests.harness.recordings import RECORDINGS, Recording, recordings, told_when_absent
from tests.harness.replaying import KEY, Asked, ReplayingUpstream, Told

CLIENT_KEY: Final = "translated-client-key-0123456789"
HELLO: Final[list[Any]] = [{"role": "user", "content": "Hello"}]
_MODEL: Final = {"anthropic": "claude-x", "gemini": "gemini-x", "openai": "gpt-x", "chats": "chats-x"}


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One recorded answer of a provider of another dialect than OpenAI's."""

    name: str
    dialect: str
    is_stream: bool
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def told(self) -> Told:
        """The answer for the upstream to give."""
        headers = {name: value for name, value in self.headers.items() if name.lower() != "content-encoding"}
        return Told(status=self.status, headers=headers, pieces=_pieces(self.body), chunked=True)

    @property
    def parts(self) -> list[dict[str, Any]]:
        """What the provider said: the parts or blocks of a whole answer, the pieces of a stream."""
        if not self.is_stream:
            return _parts(json.loads(self.body))
        lines = self.body.decode().splitlines()
        return [part for line in lines if line.startswith("data:") for part in _parts(json.loads(line[5:]))]

    @property
    def text(self) -> str:
        """All that it said aloud."""
        return "".join(part["text"] for part in self.parts if part.get("text") and not part.get("thought"))

    @property
    def tools(self) -> list[str]:
        """The tools it called."""
        uses = [part.get("functionCall") or part for part in self.parts]
        return [use["name"] for use in uses if use.get("name") and use.get("type") in (None, "tool_use")]


def _pieces(body: bytes) -> tuple[bytes, ...]:
    return tuple(body[at : at + 173] for at in range(0, len(body), 173))


def _parts(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts that one object of either dialect holds."""
    found = [told[name] for name in ("delta", "content_block") if name in told]
    content = told.get("content")
    for candidate in told.get("candidates", ()):
        content = candidate.get("content", {}).get("parts", ())
    return [*found, *(content or ())]


@cache
def exchanges() -> tuple[Exchange, ...]:
    """The recorded answers of Anthropic's messages and of Google's generateContent."""
    return tuple(_read())


def _read() -> Iterator[Exchange]:
    for file in sorted(RECORDINGS.glob("*__*.json")):
        for number, exchange in enumerate(json.loads(file.read_text())["interactions"]):
            path = exchange["url"].partition("?")[0]
            dialect = "anthropic" if path.endswith("/v1/messages") else "gemini" if "enerateContent" in path else ""
            if dialect and "text" in exchange["body"]:
                body = exchange["body"]["text"].encode()
                yield Exchange(
                    name="-".join([*file.stem.split("__")[:2], str(number)]),
                    dialect=dialect,
                    is_stream=body.startswith((b"event:", b"data:")),
                    status=exchange["status"],
                    headers=exchange["response_headers"],
                    body=body,
                )


def chats() -> list[Recording]:
    """Recorded chats, as OpenAI and others answered them."""
    return [each for each in recordings() if each.endpoint is Endpoint.CHAT and not each.name.startswith("gemini")]


@dataclass
class Stage:
    """A running Flyball, and the upstream behind all of its providers."""

    flyball: Flyball
    upstream: ReplayingUpstream

    def asked(self, name: str) -> Asked:
        """The request that a provider got for an exchange; there was one."""
        (asked,) = self.upstream.asked[name]
        return asked

    def raw_usages(self, operations: Collection[str]) -> dict[str, Any]:
        """The usage objects that operations were billed by."""
        listed = ", ".join(f"'{operation}'" for operation in operations)
        rows = self.flyball.wait_for_rows(len(operations), "attempts", f"operation_id IN ({listed})")
        return {row["operation_id"]: json.loads(row["raw_usage"]) for row in rows}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ReplayingUpstream() as upstream:
        upstream.answers = {each.name: each.told for each in exchanges()}
        for each in chats():
            headers = {name: value for name, value in each.headers.items() if name != "content-encoding"}
            told = Told(status=each.status, headers=headers, pieces=_pieces(each.body), chunked=True)
            upstream.answers[each.name] = told
        config, keys = json.dumps(_config(upstream.url)), {"CLIENT": CLIENT_KEY, "PROVIDER": "provider-key-0123456789"}
        with Flyball(tmp_path_factory.mktemp("translated"), config, keys) as flyball:
            yield Stage(flyball, upstream)


def _config(url: str) -> dict[str, Any]:
    bases = {"anthropic": url, "gemini": url, "openai": f"{url}/v1"}
    providers: dict[str, Any] = {
        dialect: {"dialect": dialect, "base_url": base, "api_key_env": "PROVIDER", "inject_usage": dialect == "openai"}
        for dialect, base in bases.items()
    }
    providers["chats"] = {**providers["openai"], "responses": "chat"}
    return {
        "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": 1},
        "providers": providers,
        "routes": [{"model": _MODEL[dialect], "targets": [{"provider": dialect}]} for dialect in providers],
        "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": [{"name": "k", "key_env": "CLIENT"}]}]}],
    }


@pytest.fixture(scope="module")
def chat(stage: Stage) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=stage.flyball.data + "/v1", api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def claude(stage: Stage) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=stage.flyball.data, api_key=CLIENT_KEY, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("dialect", ["anthropic", "gemini"])
def test_other_providers_answers_read_by_the_openai_sdk(stage: Stage, chat: openai.OpenAI, dialect: str) -> None:
    found = [each for each in exchanges() if each.dialect == dialect]
    told_when_absent(len(found))
    usages: dict[str, Any] = {}
    for exchange in found:
        options: Any = {"model": _MODEL[dialect], "messages": HELLO, "extra_headers": {KEY: exchange.name}}
        if exchange.status >= 400:
            with pytest.raises(openai.APIStatusError) as raised:
                chat.chat.completions.create(**options)
            assert raised.value.status_code == exchange.status
            original = raised.value.body["original"]  # type: ignore[index]
            assert original == json.loads(exchange.body), exchange.name
        else:
            operation, usages[operation] = _checked_chat(chat, exchange, options)
        assert stage.asked(exchange.name).header("authorization") != f"Bearer {CLIENT_KEY}"
    if usages:
        billed = {operation: _total(usage) for operation, usage in stage.raw_usages(usages).items()}
        assert billed == {key: (each.prompt_tokens, each.completion_tokens) for key, each in usages.items()}


def _checked_chat(chat: openai.OpenAI, exchange: Exchange, options: Any) -> tuple[str, Any]:
    """The operation, and the usage that its client was told."""
    text, tools, finish, usage, operation = (_streamed if exchange.is_stream else _whole)(chat, options)
    assert text == exchange.text, exchange.name
    assert tools == exchange.tools, exchange.name
    assert (finish == "tool_calls") == bool(tools), exchange.name
    return operation, usage


def _whole(chat: openai.OpenAI, options: Any) -> tuple[str, list[str], str | None, Any, str]:
    raw = chat.chat.completions.with_raw_response.create(**options)
    answer: Any = raw.parse()
    (choice,) = answer.choices
    tools = [call.function.name for call in choice.message.tool_calls or ()]
    return choice.message.content or "", tools, choice.finish_reason, answer.usage, raw.headers["x-flyball-operation"]


def _streamed(chat: openai.OpenAI, options: Any) -> tuple[str, list[str], str | None, Any, str]:
    told = {**options, "stream": True, "stream_options": {"include_usage": True}}
    raw = chat.chat.completions.with_raw_response.create(**told)
    chunks: list[Any] = list(raw.parse())
    choices = [choice for chunk in chunks for choice in chunk.choices]
    calls = [call for choice in choices for call in choice.delta.tool_calls or ()]
    finish = next((choice.finish_reason for choice in choices if choice.finish_reason), None)
    text = "".join(choice.delta.content or "" for choice in choices)
    tools = [call.function.name for call in calls if call.function.name]
    return text, tools, finish, chunks[-1].usage, raw.headers["x-flyball-operation"]


def _total(usage: dict[str, Any]) -> tuple[int, int]:
    """Input and output of a usage object, by the arithmetic of its own dialect (wire.md §1)."""
    of = usage.get
    if "input_tokens" not in usage:
        return of("promptTokenCount", 0), of("candidatesTokenCount", 0) + of("thoughtsTokenCount", 0)
    caches = (of("cache_read_input_tokens") or 0) + (of("cache_creation_input_tokens") or 0)
    return usage["input_tokens"] + caches, usage["output_tokens"]


def test_chat_answers_read_by_the_anthropic_sdk(stage: Stage, claude: anthropic.Anthropic) -> None:
    told_when_absent(len(chats()))
    for recording in chats():
        options: Any = {"model": "gpt-x", "max_tokens": 99, "messages": HELLO, "extra_headers": {KEY: recording.name}}
        if recording.status >= 400:
            with pytest.raises(anthropic.APIStatusError) as raised:
                claude.messages.create(**options)
            assert raised.value.status_code == recording.status
            original = raised.value.body["error"]["original"]  # type: ignore[index]
            assert original == json.loads(recording.body), recording.name
            continue
        wanted = _said(recording)
        if wanted is None:
            continue
        message = _message(claude, recording, options)
        texts = "".join(block.text for block in message.content if block.type == "text")
        assert texts == wanted[0], recording.name
        assert [block.name for block in message.content if block.type == "tool_use"] == wanted[1], recording.name
        if recording.usage is not None:
            assert message.usage.output_tokens == recording.usage["completion_tokens"], recording.name


def _message(claude: anthropic.Anthropic, recording: Recording, options: Any) -> Any:
    if not _streams(recording):
        return claude.messages.create(**options)
    with claude.messages.stream(**options) as stream:
        return stream.get_final_message()


def test_chat_answers_read_as_responses(chat: openai.OpenAI) -> None:
    told_when_absent(len(chats()))
    for recording in chats():
        wanted = None if recording.status >= 400 else _said(recording)
        if wanted is None:
            continue
        options: Any = {"model": "chats-x", "input": "Hello", "extra_headers": {KEY: recording.name}}
        if _streams(recording):
            with chat.responses.stream(**options) as stream:
                deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
                response: Any = stream.get_final_response()
            assert "".join(deltas) == response.output_text
        else:
            response = chat.responses.create(**options)
        assert response.output_text == wanted[0], recording.name
        assert [item.name for item in response.output if item.type == "function_call"] == wanted[1], recording.name
        if recording.usage is not None:
            assert response.usage.output_tokens == recording.usage["completion_tokens"], recording.name


def _streams(recording: Recording) -> bool:
    return b"\ndata: " in b"\n" + recording.body


def _said(recording: Recording) -> tuple[str, list[str]] | None:
    """The text and the tools of a recorded chat; None for a stream that ends in an error."""
    if _streams(recording):
        lines = [line[5:] for line in recording.body.decode().splitlines() if line.startswith("data:")]
        told = [json.loads(line) for line in lines if "[DONE]" not in line]
    else:
        told = [json.loads(recording.body)]
    if any(each.get("error") for each in told) or not any(_finish(each) for each in told):
        return None
    deltas = [_delta(choice) for each in told for choice in each.get("choices") or () if not choice.get("index")]
    calls = [call for delta in deltas for call in delta.get("tool_calls") or ()]
    names = [call["function"]["name"] for call in calls if call.get("function", {}).get("name")]
    return "".join(delta.get("content") or "" for delta in deltas), names


def _delta(choice: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = choice.get("delta") or choice.get("message") or {}
    return found


def _finish(told: dict[str, Any]) -> bool:
    return any(choice.get("finish_reason") for choice in told.get("choices") or ())


def test_a_conversation_with_tools_at_a_provider_of_another_dialect(stage: Stage, chat: openai.OpenAI) -> None:
    """Thinking, two calls at once and what came of them, over two turns: the provider gets back what it said."""
    blocks = [
        {"type": "thinking", "thinking": "Both.", "signature": "sig=="},
        {"type": "text", "text": "Asking."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}},
        {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {"city": "Oslo"}},
    ]
    usage = {"input_tokens": 3, "output_tokens": 5}
    head: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "usage": usage}
    warm = [{"type": "text", "text": "Warm and cold."}]
    for name, content, reason in (("turn-1", blocks, "tool_use"), ("turn-2", warm, "end_turn")):
        body = {**head, "content": content, "stop_reason": reason}
        headers = {"content-type": "application/json"}
        told = Told(status=200, headers=headers, pieces=(json.dumps(body).encode(),), chunked=True)
        stage.upstream.answers[name] = told
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tools: list[Any] = [{"type": "function", "function": {"name": "weather", "parameters": parameters}}]
    options: Any = {"model": "claude-x", "tools": tools}
    answer = chat.chat.completions.create(**options, messages=HELLO, extra_headers={KEY: "turn-1"}).choices[0].message
    assert [call.id for call in answer.tool_calls or ()] == ["toolu_1", "toolu_2"]
    results = [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in answer.tool_calls or ()]
    talk = [*HELLO, answer, *results]
    second = chat.chat.completions.create(**options, messages=talk, extra_headers={KEY: "turn-2"})
    assert second.choices[0].message.content == "Warm and cold."
    sent = json.loads(stage.asked("turn-2").body)["messages"]
    assert sent[1] == {"role": "assistant", "content": blocks}
    assert [block["tool_use_id"] for block in sent[2]["content"]] == ["toolu_1", "toolu_2"]


def test_a_conversation_with_tools_of_a_client_of_anthropics(stage: Stage, claude: anthropic.Anthropic) -> None:
    """The same the other way round, streamed: reasoning and calls come back to the chat provider as it gave them."""
    call = {"id": "functions.weather:0", "type": "function", "function": {"name": "weather", "arguments": ""}}
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "reasoning_content": "Hm."},
        {"tool_calls": [{"index": 0, **call}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": "Rome"}'}}]},
    ]
    choices: list[list[Any]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    choices.append([{"index": 0, "delta": {}, "finish_reason": "tool_calls"}])
    head: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
    chunks = [{**head, "choices": each} for each in choices]
    chunks.append({**head, "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}})
    stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    events = {"content-type": "text/event-stream"}
    stage.upstream.answers["talk-1"] = Told(status=200, headers=events, pieces=(stream.encode(),), chunked=True)
    whole: dict[str, Any] = {**head, "object": "chat.completion", "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    whole["choices"] = [{"index": 0, "message": {"role": "assistant", "content": "Warm."}, "finish_reason": "stop"}]
    body = json.dumps(whole).encode()
    stage.upstream.answers["talk-2"] = Told(
        status=200, headers={"content-type": "application/json"}, pieces=(body,), chunked=True
    )
    tools: list[Any] = [{"name": "weather", "input_schema": {"type": "object"}}]
    options: Any = {"model": "gpt-x", "max_tokens": 99, "tools": tools}
    with claude.messages.stream(**options, messages=HELLO, extra_headers={KEY: "talk-1"}) as told:
        message = told.get_final_message()
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 2)
    (use,) = [block for block in message.content if block.type == "tool_use"]
    assert use.input == {"city": "Rome"}
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "ok"}
    talk: list[Any] = [*HELLO, {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
    last = claude.messages.create(**options, messages=talk, extra_headers={KEY: "talk-2"})
    assert last.content[0].text == "Warm."
    sent = json.loads(stage.asked("talk-2").body)["messages"]
    assert sent[1]["reasoning_content"] == "Hm."
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == "functions.weather:0"
    assert json.loads(stage.asked("talk-1").body)["stream_options"] == {"include_usage": True}
