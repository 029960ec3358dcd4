"""The anthropic package (2.x), and Claude Code's kind of request, against a running Flyball before a scripted provider.

What the package reads through Flyball is what it reads of the provider directly, and every call has its row.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import anthropic
import httpx
import pytest

from tests.harness.flyball import Flyball
from tests.harness.replaying import KEY, Asked, ReplayingUpstream, Told
from tests.unit.wire.anthropic_events import call, ended, event, started, text_block

CLIENT: Final = "anthropic-client-key-0123456789"
POOR: Final = "anthropic-poor-key-0123456789"
PROVIDER: Final = "anthropic-provider-key-0123456789"
OWN: Final = "sk-ant-the-clients-own-0123456789"
MODEL: Final = "claude-sonnet-5"
HELLO: Final[list[Any]] = [{"role": "user", "content": "Hello"}]
JSON: Final = {"content-type": "application/json", "request-id": "req_1", "anthropic-ratelimit-requests-remaining": "9"}
SSE: Final = {"content-type": "text/event-stream; charset=utf-8", "request-id": "req_2"}
USAGE: Final = {"input_tokens": 12, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 0, "output_tokens": 9}
WHOLE: Final[dict[str, Any]] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Hello there"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}
LOOK: Final = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "sea"}}
WIPE: Final = {"type": "tool_use", "id": "toolu_2", "name": "wipe", "input": {"all": True}}
TOOLS: Final[list[Any]] = [
    {"name": name, "description": "It does.", "input_schema": {"type": "object"}} for name in ("look", "wipe")
]
OVERLOADED: Final = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
TOO_LONG: Final = {
    "type": "error",
    "error": {"type": "invalid_request_error", "message": "prompt is too long: 208310 tokens > 200000 maximum"},
}
POLICY: Final = """package flyball.tool_call

import rego.v1

deny contains {"code": "no_wipes", "msg": "Nothing is wiped here."} if input.tool.name == "wipe"
"""


def told(body: Any, status: int = 200, **headers: str) -> Told:
    pieces = (json.dumps(body).encode(),)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Told(
        status=status,
        headers={**JSON, **named},
        pieces=pieces,
        chunked=False,
    )


def streamed(*events: bytes) -> Told:
    return Told(status=200, headers=SSE, pieces=events, chunked=True)


ANSWERS: Final = {
    "whole": told(WHOLE),
    "stream": streamed(started(), event("ping"), text_block(0, "Hello ", "there"), ended()),
    "tools": streamed(
        started(),
        text_block(0, "I look."),
        call(1, "look", '{"at":', '"sea"}'),
        call(2, "wipe", '{"all":', "true}", id_="toolu_2"),
        ended("tool_use"),
    ),
    "calls": told({**WHOLE, "content": [LOOK, WIPE], "stop_reason": "tool_use"}),
    "count": told({"input_tokens": 16}),
    "overloaded": told(OVERLOADED, 529),
    "limited": told(OVERLOADED, 429, retry_after="3"),
    "too long": told(TOO_LONG, 400, x_should_retry="false"),
    "refusal": told({**WHOLE, "content": [], "stop_reason": "refusal"}),
    "file": told({"id": "file_1", "type": "file", "filename": "a.txt"}),
    "files": told({"data": [{"id": "file_0"}, {"id": "file_1"}], "has_more": False, "first_id": "file_0"}),
    "half": streamed(started(), text_block(0, "Hel")),
    "error": streamed(started(), event("error", error=OVERLOADED["error"])),
}


@dataclass
class Scene:
    """A Flyball, and the provider behind it."""

    flyball: Flyball
    upstream: ReplayingUpstream

    def asked(self, answer: str) -> Asked:
        """The latest request that was given this answer."""
        return self.upstream.asked[answer][-1]

    def row(self, operation: str) -> dict[str, Any]:
        """The row of a call."""
        (row,) = self.flyball.wait_for_rows(1, where=f"operation_id = '{operation}'")
        return row

    def client(self, answer: str, key: str = CLIENT, **options: Any) -> anthropic.Anthropic:
        """A client that is given this answer."""
        options = {"max_retries": 0, **options}
        headers = {KEY: answer, **options.pop("headers", {})}
        return anthropic.Anthropic(base_url=self.flyball.data, api_key=key, default_headers=headers, **options)

    def direct(self, answer: str) -> anthropic.Anthropic:
        """The same, without Flyball."""
        return anthropic.Anthropic(
            base_url=self.upstream.url, api_key=PROVIDER, default_headers={KEY: answer}, max_retries=0
        )

    def post(self, path: str, answer: str, body: Any, **headers: str) -> httpx.Response:
        """A call by hand."""
        wanted = {KEY: answer, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return httpx.post(self.flyball.data + path, json=body, headers=wanted, timeout=30)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("anthropic")
    policies = folder / "policies"
    policies.mkdir()
    (policies / "wipes.rego").write_text(POLICY)
    with ReplayingUpstream(answers=dict(ANSWERS)) as upstream:
        config = json.dumps(_config(upstream.url, policies))
        with Flyball(folder, config, {"CLIENT": CLIENT, "POOR": POOR, "PROVIDER": PROVIDER}) as flyball:
            yield Scene(flyball, upstream)


def _config(url: str, policies: Path) -> dict[str, Any]:
    keys = [{"name": "bot", "key_env": "CLIENT"}, {"name": "poor", "key_env": "POOR"}]
    provider = {"dialect": "anthropic", "base_url": url}
    return {
        "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": 1},
        "policy": {"dir": str(policies)},
        "providers": {
            "anthropic": {**provider, "api_key_env": "PROVIDER"},
            "theirs": {**provider, "credentials": "passthrough"},
            "bearer": {**provider, "api_key_env": "PROVIDER", "auth_header": "bearer", "base_url": url + "/v1"},
        },
        "defaults": {"provider": "anthropic"},
        "routes": [
            {"model": "claude-opus-5", "targets": [{"provider": "theirs"}]},
            {"model": "claude-haiku-4-5", "targets": [{"provider": "bearer"}]},
            {"model": "claude-*", "targets": [{"provider": "anthropic"}]},
        ],
        "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": keys}]}],
        "budgets": [
            {"name": "all", "scope": "org:acme", "window": "total", "limit_usd": 100, "hard": True},
            {"name": "poor", "scope": "key:acme/t/poor", "window": "total", "limit_usd": 0, "hard": True},
        ],
    }


def test_a_message_reads_as_it_does_directly(scene: Scene) -> None:
    with scene.client("whole") as client, scene.direct("whole") as direct:
        through = client.messages.with_raw_response.create(model=MODEL, max_tokens=100, messages=HELLO)
        assert through.parse() == direct.messages.create(model=MODEL, max_tokens=100, messages=HELLO)
    assert through.headers["request-id"] == "req_1"
    assert through.headers["anthropic-ratelimit-requests-remaining"] == "9"
    row = scene.row(through.headers["x-flyball-operation"])
    assert (row["endpoint"], row["provider"], row["outcome"]) == ("messages", "anthropic", "ok")
    assert row["dialect"] == "anthropic"
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (12, 3, 9)
    # 12 × 2 + 3 × 0.2 + 9 × 10 dollars a million
    assert Decimal(row["cost_usd"]) == Decimal("0.0001146")
    (attempt,) = scene.flyball.wait_for_rows(1, "attempts", where=f"operation_id = '{row['operation_id']}'")
    assert attempt["provider_request_id"] == "req_1"


def test_the_provider_sees_the_request_and_its_own_key(scene: Scene) -> None:
    with scene.client("whole", headers={"anthropic-beta": "context-1m-2025-08-07,other"}) as client:
        client.messages.create(model=MODEL, max_tokens=100, messages=HELLO, extra_query={"beta": "true"})
    asked = scene.asked("whole")
    assert asked.target == "/v1/messages?beta=true"
    assert json.loads(asked.body) == {"model": MODEL, "max_tokens": 100, "messages": HELLO}
    assert asked.header("x-api-key") == PROVIDER
    assert asked.header("authorization") is None
    assert asked.header("anthropic-beta") == "context-1m-2025-08-07,other"
    assert asked.header("anthropic-version") == "2026-10-21"
    assert CLIENT not in repr(asked)


def test_a_stream_reads_as_it_does_directly(scene: Scene) -> None:
    with scene.client("stream") as client, scene.direct("stream") as direct:
        ask: dict[str, Any] = {"model": MODEL, "max_tokens": 100, "messages": HELLO}
        with client.messages.stream(**ask) as through:
            heard = [each.type for each in through]
            final = through.get_final_message()
            operation = through.response.headers["x-flyball-operation"]
        with direct.messages.stream(**ask) as plainly:
            assert heard == [each.type for each in plainly]
            assert final == plainly.get_final_message()
    assert final.usage.output_tokens == 9
    row = scene.row(operation)
    assert (row["streamed"], row["usage_source"], row["output_tokens"]) == (True, "provider", 9)


def test_the_asynchronous_client_streams(scene: Scene) -> None:
    async def text() -> str:
        headers = {KEY: "stream"}
        async with (
            anthropic.AsyncAnthropic(base_url=scene.flyball.data, api_key=CLIENT, default_headers=headers) as client,
            client.messages.stream(model=MODEL, max_tokens=100, messages=HELLO) as stream,
        ):
            return "".join([piece async for piece in stream.text_stream])

    assert asyncio.run(text()) == "Hello there"


@pytest.mark.parametrize("prefix", ["", "/anthropic"])
@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_both_generations_of_the_package_are_identified(scene: Scene, prefix: str, header: str) -> None:
    """0.x sends `x-api-key` and an older version; 2.x a bearer."""
    value = f"Bearer {CLIENT}" if header == "authorization" else CLIENT
    body = {"model": MODEL, "max_tokens": 10, "messages": HELLO}
    headers = {header: value, "anthropic-version": "2023-06-01"}
    answer = scene.post(prefix + "/v1/messages", "whole", body, **headers)
    assert answer.json() == WHOLE
    assert scene.asked("whole").header("anthropic-version") == "2023-06-01"
    assert scene.asked("whole").target == "/v1/messages"


def test_denied_calls_of_a_stream_are_replaced_before_the_client_sees_them(scene: Scene) -> None:
    with (
        scene.client("tools") as client,
        client.messages.stream(model=MODEL, max_tokens=100, messages=HELLO, tools=TOOLS) as stream,
    ):
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["text", "tool_use", "text"]
    assert final.content[1].type == "tool_use" and final.content[1].input == {"at": "sea"}
    assert final.content[2].type == "text" and "denied by policy (no_wipes)" in final.content[2].text
    assert final.stop_reason == "tool_use"


def test_denied_calls_of_an_answer_are_replaced(scene: Scene) -> None:
    with scene.client("calls") as client:
        answer = client.messages.create(model=MODEL, max_tokens=100, messages=HELLO, tools=TOOLS)
    assert [block.type for block in answer.content] == ["tool_use", "text"]
    assert answer.stop_reason == "tool_use"


def asked_whole(client: anthropic.Anthropic) -> object:
    return client.messages.create(model=MODEL, max_tokens=100, messages=HELLO)


def asked_stream(client: anthropic.Anthropic) -> object:
    with client.messages.stream(model=MODEL, max_tokens=100, messages=HELLO) as stream:
        return stream.get_final_message()


def test_a_budget_stop_is_one_request_and_a_billing_error(scene: Scene) -> None:
    before = sum(map(len, scene.upstream.asked.values()))
    for ask in (asked_whole, asked_stream):
        began = time.monotonic()
        with scene.client("whole", POOR, max_retries=3) as client, pytest.raises(anthropic.APIStatusError) as raised:
            ask(client)
        assert time.monotonic() - began < 10, "it was tried again"
        error = raised.value
        assert isinstance(error, anthropic.PaymentRequiredError)
        assert error.response.headers["x-should-retry"] == "false"
        assert "retry-after" not in error.response.headers
        assert error.request_id == error.response.headers["x-flyball-operation"]
        body: Any = error.body
        assert body["error"]["type"] == "billing_error"
        details = body["error"]["details"]
        assert details["error_code"] == "budget_exceeded"
        assert details["flyball"]["budget"] == "poor"
        assert body["request_id"] == details["flyball"]["operation"]
    assert sum(map(len, scene.upstream.asked.values())) == before


@pytest.mark.parametrize(
    ("answer", "kind", "error"),
    [
        ("overloaded", anthropic.InternalServerError, "http_529"),
        ("limited", anthropic.RateLimitError, "http_429"),
        ("too long", anthropic.BadRequestError, "context_length"),
    ],
)
def test_errors_of_the_provider_pass(
    scene: Scene, answer: str, kind: type[anthropic.APIStatusError], error: str
) -> None:
    with scene.client(answer) as client, pytest.raises(kind) as raised:
        client.messages.create(model=MODEL, max_tokens=100, messages=HELLO)
    sent = ANSWERS[answer]
    assert raised.value.response.content == sent.pieces[0]
    assert raised.value.status_code == sent.status
    for name in ("retry-after", "x-should-retry"):
        assert raised.value.response.headers.get(name) == sent.headers.get(name)
    row = scene.row(raised.value.response.headers["x-flyball-operation"])
    assert (row["outcome"], row["error"], Decimal(row["cost_usd"])) == ("upstream_error", error, Decimal(0))


def test_a_refusal_of_the_model_is_told_in_the_row(scene: Scene) -> None:
    with scene.client("refusal") as client:
        answer = client.messages.with_raw_response.create(model=MODEL, max_tokens=100, messages=HELLO)
    row = scene.row(answer.headers["x-flyball-operation"])
    assert (row["outcome"], row["error"], row["finish_reason"]) == ("ok", "content_filter", "refusal")


def test_an_error_in_a_stream_is_raised_by_the_package(scene: Scene) -> None:
    with (
        scene.client("error") as client,
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(model=MODEL, max_tokens=100, messages=HELLO) as stream,
    ):
        stream.get_final_message()


def test_a_stream_that_stops_early_ends_in_an_error_of_ours(scene: Scene) -> None:
    with (
        scene.client("half") as client,
        pytest.raises(anthropic.APIStatusError) as raised,
        client.messages.stream(model=MODEL, max_tokens=100, messages=HELLO) as stream,
    ):
        operation = stream.response.headers["x-flyball-operation"]
        stream.get_final_message()
    body: Any = raised.value.body
    assert body["error"]["details"]["error_code"] == "upstream_truncated"
    row = scene.row(operation)
    assert row["outcome"] == "truncated"
    # Its input was told at once; of its output what was delivered is counted.
    assert (row["input_tokens"], row["cache_read_tokens"], row["usage_source"]) == (12, 3, "estimated")
    assert 0 < row["output_tokens"] < 10


def test_counting_tokens_is_free_and_has_its_row(scene: Scene) -> None:
    with scene.client("count") as client:
        counted = client.messages.with_raw_response.count_tokens(model=MODEL, messages=HELLO)
    assert counted.parse().input_tokens == 16
    row = scene.row(counted.headers["x-flyball-operation"])
    assert (row["endpoint"], row["outcome"]) == ("messages.count_tokens", "ok")
    assert (Decimal(row["cost_usd"]), row["usage_source"]) == (Decimal(0), "none")


def test_who_has_no_money_counts_no_tokens(scene: Scene) -> None:
    with scene.client("count", POOR) as client, pytest.raises(anthropic.PaymentRequiredError):
        client.messages.count_tokens(model=MODEL, messages=HELLO)


def test_files_are_their_makers(scene: Scene) -> None:
    asked_as = {"x-api-key": CLIENT, "anthropic-version": "2023-06-01"}
    made = httpx.post(
        scene.flyball.data + "/v1/files",
        files={"file": ("a.txt", b"Hello", "text/plain")},
        headers={KEY: "file", **asked_as},
    )
    assert made.json()["id"] == "file_1", made.text
    assert b"Hello" in scene.asked("file").body
    for path, answer in (("/v1/files/file_1", "file"), ("/anthropic/v1/files", "files")):
        told = httpx.get(
            scene.flyball.data + path, headers={KEY: answer, "x-api-key": CLIENT, "anthropic-version": "1"}
        )
        assert told.status_code == 200, told.text
        assert "file_0" not in told.text
    before = len(scene.upstream.asked.get("whole", []))
    for path in ("/v1/files/file_0", "/v1/files/file_0/content"):
        other = httpx.get(
            scene.flyball.data + path, headers={KEY: "whole", "x-api-key": CLIENT, "anthropic-version": "1"}
        )
        assert (other.status_code, other.json()["error"]["type"]) == (404, "not_found_error")
    for file, status in (("file_0", 404), ("file_1", 200)):
        part = {"type": "document", "source": {"type": "file", "file_id": file}}
        body = {"model": MODEL, "max_tokens": 10, "messages": [{"role": "user", "content": [part]}]}
        said = scene.post("/v1/messages", "whole", body, **asked_as)
        assert said.status_code == status, said.text
    assert len(scene.upstream.asked["whole"]) == before + 1


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"container": "container_1"}, "container"),
        ({"thread": {"type": "create"}}, "thread"),
        ({"fallbacks": "default"}, "fallbacks"),
    ],
)
def test_what_leans_on_others_state_or_models_is_refused_by_name(
    scene: Scene, more: dict[str, Any], param: str
) -> None:
    history = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Blue."}]}]
    body = {"model": MODEL, "max_tokens": 10, "messages": history, **more}
    answer = scene.post("/v1/messages", "whole", body, x_api_key=CLIENT)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["details"]["param"] == param


def test_models_are_told_in_the_dialects_shape(scene: Scene) -> None:
    with scene.client("whole") as client:
        names = [model.id for model in client.models.list()]
        assert MODEL in names
        assert client.models.retrieve(MODEL).id == MODEL
        with pytest.raises(anthropic.NotFoundError):
            client.models.retrieve("gpt-5")
    listed = httpx.get(scene.flyball.data + "/v1/models", headers={"x-api-key": CLIENT}).json()
    assert listed["object"] == "list", "without `anthropic-version` it is OpenAI's"


def test_a_clients_own_credential_is_sent_on_where_that_is_set(scene: Scene) -> None:
    body = {"model": "claude-opus-5", "max_tokens": 10, "messages": HELLO}
    answer = scene.post("/v1/messages", "whole", body, authorization=f"Bearer {OWN}", **{"x-flyball-key": CLIENT})
    assert answer.status_code == 200, answer.text
    asked = scene.asked("whole")
    assert asked.header("authorization") == f"Bearer {OWN}"
    assert CLIENT not in repr(asked) and PROVIDER not in repr(asked)
    row = scene.row(answer.headers["x-flyball-operation"])
    assert (row["provider"], row["key_name"]) == ("theirs", "bot")
    assert Decimal(row["cost_usd"]) > 0


def test_a_key_of_ours_is_never_sent_on_as_a_credential(scene: Scene) -> None:
    body = {"model": "claude-opus-5", "max_tokens": 10, "messages": HELLO}
    answer = scene.post("/v1/messages", "whole", body, authorization=f"Bearer {CLIENT}")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["param"] == "x-flyball-key"


def test_a_provider_may_take_its_key_as_a_bearer(scene: Scene) -> None:
    body = {"model": "claude-haiku-4-5", "max_tokens": 10, "messages": HELLO}
    assert scene.post("/v1/messages", "whole", body, x_api_key=CLIENT).status_code == 200
    asked = scene.asked("whole")
    assert (asked.header("authorization"), asked.target) == (f"Bearer {PROVIDER}", "/v1/messages")


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/anthropic/v1/complete", 404, "not_found_error"),
        ("/v1/messages/", 404, "not_found_error"),
    ],
)
def test_what_is_not_served_is_refused_in_the_dialects_shape(scene: Scene, path: str, status: int, kind: str) -> None:
    answer = scene.post(path, "whole", {}, x_api_key=CLIENT)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    stranger = scene.post(path, "whole", {}, x_api_key="nobody-knows-this-key-0123456789")
    assert (stranger.status_code, stranger.json()["error"]["type"]) == (401, "authentication_error")


def test_claude_codes_kind_of_request(scene: Scene) -> None:
    """Cached system blocks, many tools, thinking, betas in the query: as it comes, and gated like any other."""
    cached = {"type": "ephemeral", "ttl": "1h"}
    schema = {"type": "object", "properties": {}}
    tools = [{"name": f"Tool{n}", "description": "It does. " * 40, "input_schema": schema} for n in range(30)]
    body = {
        "model": MODEL,
        "max_tokens": 32000,
        "system": [
            {"type": "text", "text": "You are Claude Code.", "cache_control": cached},
            {"type": "text", "text": "Rules. " * 2000, "cache_control": cached},
        ],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": cached}]}],
        "tools": [*tools, *TOOLS],
        "metadata": {"user_id": "user_abc_account__session_123"},
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "stream": True,
    }
    headers = {
        "authorization": f"Bearer {CLIENT}",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
        "x-app": "cli",
        "user-agent": "claude-cli/2.1.0 (external, cli)",
        "x-claude-code-session-id": "123e4567-e89b-12d3-a456-426614174000",
    }
    answer = scene.post("/v1/messages?beta=true", "tools", body, **headers)
    assert answer.status_code == 200, answer.text
    assert b'"name": "look"' in answer.content and b"toolu_2" not in answer.content
    asked = scene.asked("tools")
    assert asked.target == "/v1/messages?beta=true"
    assert json.loads(asked.body) == body
    assert asked.header("anthropic-beta") == headers["anthropic-beta"]
    assert asked.header("user-agent") == headers["user-agent"]
    row = scene.row(answer.headers["x-flyball-operation"])
    assert (row["outcome"], row["end_user"]) == ("ok", "user_abc_account__session_123")
    assert row["run"] == headers["x-claude-code-session-id"]
