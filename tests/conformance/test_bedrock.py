"""AWS Bedrock: every recorded exchange and AWS's own SDK through a running Flyball that signs what it sends."""

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from proxy.core.usage import Bucket
from proxy.metering.bedrock_usage import normalise_bedrock
from proxy.wire.bedrock.paths import ACTIONS
from proxy.wire.eventstream import event_frame
from tests.harness.bedrock import BedrockRecording, bedrock_recordings, signature_of, told_signature
from tests.harness.cutting import by_size
from tests.harness.flyball import Flyball
from tests.harness.recordings import told_when_absent
from tests.harness.replaying import KEY, Asked, ReplayingUpstream, Told

CLIENT_KEY: Final = "bedrock-client-key-0123456789"
BROKE_KEY: Final = "bedrock-broke-key-0123456789"
SECRET: Final = "bedrock-secret-0123456789"
MODEL: Final = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NO_LONGER_TRUE: Final = {"transfer-encoding", "content-length", "connection", "content-encoding"}
SIZES: Final = (0, 997, 61, 1)
EVERY_BYTE_BELOW: Final = 4096
AT_ONCE: Final = 4
RULES: Final = """package flyball.tool_call
import rego.v1
allow := true
deny contains {"code": "no_radio", "msg": "No radio."} if input.tool.name == "forbidden_song"
"""

every_recording = pytest.mark.parametrize("recording", bedrock_recordings(), ids=lambda r: r.name)


@dataclass
class Running:
    """A Flyball before a scripted Bedrock; `outcomes` are the recordings', by name and size of the pieces."""

    flyball: Flyball
    upstream: ReplayingUpstream
    session: Any = field(default_factory=lambda: boto3.Session(region_name="us-east-1"))
    outcomes: dict[tuple[str, int], httpx.Response] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, recording: BedrockRecording) -> list[httpx.Response]:
        return [answer for (name, _), answer in self.outcomes.items() if name == recording.name]

    def row(self, answer: httpx.Response) -> Mapping[str, Any]:
        return self.rows[answer.headers["x-flyball-operation"]]

    def tell(self, *pieces: bytes, headers: Mapping[str, str] | None = None, stream: bool = False) -> None:
        """What Bedrock answers to whoever sends no name of a recording."""
        kind = "application/vnd.amazon.eventstream" if stream else "application/json"
        told = {"content-type": kind, **(headers or {})}
        self.upstream.answers[""] = Told(status=200, headers=told, pieces=pieces, chunked=stream)
        self.upstream.asked.pop("", None)

    @property
    def asked(self) -> list[Asked]:
        return self.upstream.asked.get("", [])

    def sdk(self, key: str = CLIENT_KEY, prefix: str = "") -> Any:
        """boto3's client as docs/compatibility.md has it; a bearer token it would send over https only."""
        config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        client = self.session.client("bedrock-runtime", endpoint_url=self.flyball.data + prefix, config=config)

        def with_key(request: Any, **_: object) -> None:
            request.headers["x-flyball-key"] = key

        client.meta.events.register("before-sign.bedrock-runtime", with_key)
        return client


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("bedrock")
    (folder / "policy").mkdir()
    (folder / "policy" / "calls.rego").write_text(RULES)
    with ReplayingUpstream() as upstream:
        config = {
            "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": 1},
            "policy": {"dir": "policy"},
            # The machine may be busy with other tests: what is shown here is not how soon a ledger answers.
            "holds": {"patience_ms": 20_000},
            "providers": {
                "aws": {
                    "dialect": "bedrock",
                    "base_url": upstream.url,
                    "aws_region": "us-east-1",
                    "aws_access_key_id_env": "AWS_ID",
                    "aws_secret_access_key_env": "AWS_SECRET",
                }
            },
            "routes": [{"model": "*", "targets": [{"provider": "aws"}]}],
            "tenants": [
                {"org": "acme", "teams": [{"team": "t", "keys": [{"name": "k", "key_env": "CLIENT"}]}]},
                {"org": "broke", "teams": [{"team": "t", "keys": [{"name": "k", "key_env": "BROKE"}]}]},
            ],
            "budgets": [
                {"name": "all", "scope": "org:acme", "window": "total", "limit_usd": 1000, "hard": False},
                {"name": "none", "scope": "org:broke", "window": "total", "limit_usd": 0, "hard": True},
            ],
        }
        secrets = {"CLIENT": CLIENT_KEY, "BROKE": BROKE_KEY, "AWS_ID": "AKIDEXAMPLE", "AWS_SECRET": SECRET}
        with Flyball(folder, json.dumps(config), secrets) as flyball:
            found = Running(flyball, upstream)
            asyncio.run(_replay(found))
            found.rows = {row["operation_id"]: row for row in flyball.wait_for_rows(len(found.outcomes))}
            yield found


async def _replay(running: Running) -> None:
    calls = []
    places = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=running.flyball.data, timeout=120) as client:
        for recording in bedrock_recordings():
            for size in SIZES:
                if size == 1 and len(recording.body) > EVERY_BYTE_BELOW:
                    continue
                name = f"{recording.name} {size}"
                pieces = by_size(recording.body, size) if size else (recording.body,)
                running.upstream.answers[name] = Told(
                    status=recording.status, headers=recording.headers, pieces=pieces, chunked=recording.is_stream
                )
                calls.append(_call(running, client, recording, size, places))
        await asyncio.gather(*calls)


async def _call(
    running: Running, client: httpx.AsyncClient, recording: BedrockRecording, size: int, places: asyncio.Semaphore
) -> None:
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"}
    headers[KEY] = f"{recording.name} {size}"
    url = httpx.URL(running.flyball.data).copy_with(raw_path=recording.path.encode())
    async with places, client.stream("POST", url, content=recording.request, headers=headers) as answer:
        answer.extensions["raw"] = b"".join([part async for part in answer.aiter_raw()])
    assert answer.status_code == recording.status, answer.extensions["raw"]
    running.outcomes[recording.name, size] = answer


def test_the_recordings_are_there() -> None:
    told_when_absent(len(bedrock_recordings()))
    assert not bedrock_recordings() or len(bedrock_recordings()) >= 18


@every_recording
def test_the_answer_passes_byte_for_byte_with_its_headers(running: Running, recording: BedrockRecording) -> None:
    for answer in running.of(recording):
        assert answer.status_code == recording.status
        assert hashlib.sha256(answer.extensions["raw"]).digest() == hashlib.sha256(recording.body).digest()
        for name, value in recording.headers.items():
            if name not in NO_LONGER_TRUE:
                assert answer.headers.get_list(name) == [value]


@every_recording
def test_what_is_signed_is_what_is_sent(running: Running, recording: BedrockRecording) -> None:
    for size in SIZES:
        for asked in running.upstream.asked.get(f"{recording.name} {size}", []):
            assert (asked.target, asked.body) == (recording.path, recording.request)
            assert told_signature(asked) == signature_of(asked, secret=SECRET, region="us-east-1")
            assert "AKIDEXAMPLE/" in (asked.header("authorization") or "")
            assert CLIENT_KEY not in repr(asked)


@every_recording
def test_the_row_tells_the_recorded_usage_and_one_cost(running: Running, recording: BedrockRecording) -> None:
    rows = [running.row(answer) for answer in running.of(recording)]
    assert len({row["cost_usd"] for row in rows}) == 1
    for row in rows:
        assert row["endpoint"] == ("bedrock.converse" if "/converse" in recording.path else "bedrock.invoke")
        assert (row["requested_model"], row["streamed"]) == (recording.model, "stream" in recording.path)
        if recording.status >= 400:
            assert (row["outcome"], row["usage_source"]) == ("upstream_error", "none")
            assert Decimal(row["cost_usd"]) == 0
            continue
        assert (row["outcome"], row["usage_source"], row["usage_flaws"]) == ("ok", "provider", [])
        for usage in recording.usages:
            wanted = normalise_bedrock(json.dumps(usage).encode(), service_tier=None)
            assert [row[f"{bucket}_tokens"] or 0 for bucket in Bucket] == [wanted.count(bucket) for bucket in Bucket]


def test_prices_are_those_of_the_region_that_was_asked(running: Running) -> None:
    told = {"inputTokens": 1000, "outputTokens": 100, "totalTokens": 1100}
    answer = {"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "usage": told}
    costs = {}
    for model in (MODEL, MODEL.replace("us.", "global."), MODEL.removeprefix("us.")):
        running.tell(json.dumps({**answer, "stopReason": "end_turn"}).encode())
        said = running.sdk().converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
        headers = said["ResponseMetadata"]["HTTPHeaders"]
        costs[model] = Decimal(headers["x-flyball-cost-usd"])
    # 3 and 15 dollars a million; a tenth more where the region is held to.
    assert list(costs.values()) == [Decimal("0.00495"), Decimal("0.0045"), Decimal("0.0045")]


@pytest.mark.parametrize("prefix", ["", "/bedrock"])
def test_awss_sdk_converses_whole_and_streamed(running: Running, prefix: str) -> None:
    client = running.sdk(prefix=prefix)
    ask = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    usage = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
    content = {"role": "assistant", "content": [{"text": "Hi"}]}
    running.tell(
        json.dumps({"output": {"message": content}, "stopReason": "end_turn", "usage": usage}).encode()
    )  # fmt: skip
    answer = client.converse(**ask)
    assert (answer["output"]["message"], answer["usage"]) == (content, usage)
    running.tell(*said_in_frames("Hi", usage), stream=True)
    events = list(client.converse_stream(**ask)["stream"])
    assert events[1] == {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "Hi"}}}
    assert events[-1]["metadata"]["usage"] == usage
    assert running.asked[0].target.endswith("/converse-stream") and not running.asked[0].target.startswith("/bedrock")


def test_awss_sdk_invokes_whole_and_streamed(running: Running) -> None:
    recorded = {recording.name.rsplit("-", 1)[0]: recording for recording in bedrock_recordings()}
    if not recorded:
        return
    whole, streamed = recorded["bedrock-ca2ffe"], recorded["bedrock-ffe1fd"]
    running.tell(whole.body, headers=whole.headers)
    answer = running.sdk().invoke_model(modelId=whole.model, body=whole.request)
    assert answer["body"].read() == whole.body
    running.tell(streamed.body, stream=True)
    answer = running.sdk().invoke_model_with_response_stream(modelId=streamed.model, body=streamed.request)
    (event,) = answer["body"]
    assert json.loads(event["chunk"]["bytes"])["outputText"].startswith("\nHello!")


def said_in_frames(text: str, usage: Mapping[str, int], *, reason: str = "end_turn") -> tuple[bytes, ...]:
    return (
        event_frame("messageStart", b'{"role":"assistant"}'),
        event_frame("contentBlockDelta", json.dumps({"contentBlockIndex": 0, "delta": {"text": text}}).encode()),
        event_frame("contentBlockStop", b'{"contentBlockIndex":0}'),
        event_frame("messageStop", json.dumps({"stopReason": reason}).encode()),
        event_frame("metadata", json.dumps({"usage": usage, "metrics": {"latencyMs": 1}}).encode()),
    )


def called_in_frames(name: str) -> tuple[bytes, ...]:
    start = {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t1", "name": name}}}
    parts = ['{"sign":', '"WZPZ"}']
    deltas = [{"contentBlockIndex": 1, "delta": {"toolUse": {"input": part}}} for part in parts]
    usage = {"inputTokens": 5, "outputTokens": 9, "totalTokens": 14}
    first, last = said_in_frames("Let me see.", usage, reason="tool_use")[:3], said_in_frames("", usage)[-1]
    return (
        *first,
        event_frame("contentBlockStart", json.dumps(start).encode()),
        *(event_frame("contentBlockDelta", json.dumps(delta).encode()) for delta in deltas),
        event_frame("contentBlockStop", b'{"contentBlockIndex":1}'),
        event_frame("messageStop", b'{"stopReason":"tool_use"}'),
        last,
    )


TOOLS: Final = {
    "tools": [
        {"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}}
        for name in ("top_song", "forbidden_song")
    ]
}


def ask_with_tools() -> dict[str, Any]:
    return {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": "Song?"}]}], "toolConfig": TOOLS}


def test_a_call_that_is_allowed_passes_as_it_came(running: Running) -> None:
    running.tell(*called_in_frames("top_song"), stream=True)
    events = list(running.sdk().converse_stream(**ask_with_tools())["stream"])
    assert [next(iter(event)) for event in events] == [
        "messageStart", "contentBlockDelta", "contentBlockStop", "contentBlockStart", "contentBlockDelta",
        "contentBlockDelta", "contentBlockStop", "messageStop", "metadata",
    ]  # fmt: skip
    assert events[-2]["messageStop"]["stopReason"] == "tool_use"


def test_a_call_that_is_denied_becomes_a_text_that_awss_sdk_reads(running: Running) -> None:
    running.tell(*called_in_frames("forbidden_song"), stream=True)
    events = list(running.sdk().converse_stream(**ask_with_tools())["stream"])
    told = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert told[0] == {"text": "Let me see."}
    assert "'forbidden_song' was denied by policy (no_radio): No radio." in told[1]["text"]
    assert not any("toolUse" in json.dumps(event) for event in events)
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    use = {"toolUse": {"toolUseId": "t1", "name": "forbidden_song", "input": {"sign": "WZPZ"}}}
    usage = {"inputTokens": 5, "outputTokens": 9, "totalTokens": 14}
    message = {"role": "assistant", "content": [{"text": "Let me see."}, use]}
    running.tell(json.dumps({"output": {"message": message}, "stopReason": "tool_use", "usage": usage}).encode())
    answer = running.sdk().converse(**ask_with_tools())
    assert answer["stopReason"] == "end_turn" and "no_radio" in answer["output"]["message"]["content"][1]["text"]


def test_a_stream_that_breaks_off_ends_in_awss_exception(running: Running) -> None:
    usage = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
    running.tell(*said_in_frames("Hi", usage)[:2], stream=True)
    stream = running.sdk().converse_stream(
        modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hello"}]}]
    )["stream"]  # fmt: skip
    with pytest.raises(EventStreamError, match="modelStreamErrorException"):
        list(stream)


@pytest.mark.parametrize(
    ("key", "model", "status", "name"),
    [
        ("no-such-key-0123456789", MODEL, 401, "UnrecognizedClientException"),
        (BROKE_KEY, MODEL, 402, "ServiceQuotaExceededException"),
    ],
)
def test_refusals_are_awss_errors_and_nothing_is_sent(
    running: Running, key: str, model: str, status: int, name: str
) -> None:
    running.tell(b"{}")
    with pytest.raises(ClientError) as refused:
        running.sdk(key).converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Hello"}]}])
    told = refused.value.response
    assert (told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Code"]) == (status, name)
    assert not running.asked


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("prefix", ["", "/bedrock"])
def test_no_door_of_bedrocks_opens_without_a_key_or_money(running: Running, action: str, prefix: str) -> None:
    """The router walk of this dialect: whatever is refused is refused in AWS's words, and nothing is sent."""
    running.tell(b"{}")
    path = f"{prefix}/model/{MODEL}/{action}"
    body = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}], "anthropic_version": "x", "max_tokens": 5}
    with httpx.Client(base_url=running.flyball.data) as client:
        broke, known = {"x-flyball-key": BROKE_KEY}, {"x-flyball-key": CLIENT_KEY}
        answers = [
            (client.post(path, json=body), 401, "invalid_api_key"),
            (client.post(path, json=body, headers=broke), 402, "budget_exceeded"),
            (client.post(path + "/x", json=body, headers=known), 404, "path_not_found"),
            (client.post(path.upper(), json=body, headers=known), 404, "path_not_found"),
            (client.get(path, headers=known), 405, "method_not_allowed"),
        ]
    for answer, status, code in answers:
        told = answer.json()
        facts = told.get("flyball") or told["error"]
        assert (answer.status_code, facts["code"]) == (status, code), answer.text
        assert "retry-after" not in answer.headers
    assert not running.asked


def test_a_signature_is_no_key_and_the_answer_says_what_to_send(running: Running) -> None:
    config = Config(retries={"total_max_attempts": 1})
    client = running.session.client(
        "bedrock-runtime",
        endpoint_url=running.flyball.data,
        config=config,
        aws_access_key_id="AKID",
        aws_secret_access_key="x",
    )
    with pytest.raises(ClientError, match="AWS_BEARER_TOKEN_BEDROCK"):
        client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "Hello"}]}])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"messages":[],"messages":[]}', "give each member once"),
        (b'{"inferenceConfig":{"maxTokens":"x"}}', "must be an integer"),
        (b'{"messages":"x"}', "must be an array"),
        (b"[]", "must be a JSON object"),
        (b"", "the body is empty"),
    ],
)
def test_bad_input_is_refused_in_awss_shape(running: Running, body: bytes, told: str) -> None:
    headers = {"authorization": f"Bearer {CLIENT_KEY}"}
    answer = httpx.post(f"{running.flyball.data}/model/{MODEL}/converse", content=body, headers=headers)
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (400, "ValidationException")
    assert told in answer.json()["message"]


def test_a_model_of_another_dialect_is_refused_by_name(running: Running) -> None:
    """Chats are translated to this dialect (tests/unit/wire/translate); Anthropic's messages are not."""
    headers = {"authorization": f"Bearer {CLIENT_KEY}"}
    answer = httpx.post(
        f"{running.flyball.data}/v1/messages",
        json={"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
        headers=headers,
    )
    details = answer.json()["error"]["details"]
    assert (answer.status_code, details["error_code"]) == (400, "capability_missing")
