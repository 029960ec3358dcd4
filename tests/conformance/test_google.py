"""Google's own SDK, and every recorded exchange of its APIs, through one running Flyball.

Behind it stand a scripted AI Studio, Vertex AI and token endpoint on one socket (tests/harness/scripted_google.py).
"""

import asyncio
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import httpx
import pytest
from google import genai
from google.genai import errors, types

from proxy.core.usage import INPUT_BUCKETS, OUTPUT_BUCKETS
from proxy.pricing import PricingSettings, load_book
from proxy.wire.gemini.paths import METHODS
from tests.harness.cutting import by_size
from tests.harness.recordings import RECORDINGS, told_when_absent
from tests.harness.replaying import KEY, Told
from tests.harness.scripted_google import CLIENT_KEY, FORBIDDEN, LOCATION, POOR_KEY, PROVIDER_KEY, TOKEN, Google, google

FLASH: Final = "gemini-2.5-flash"
SSE: Final = "text/event-stream"
USAGE: Final = {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "totalTokenCount": 10}
COST: Final = Decimal("0.000014")
"""Five tokens at 0.30 and five at 2.50 dollars per million."""
_number = itertools.count()


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    with google(tmp_path_factory.mktemp("google")) as made:
        yield made


def answer(*parts: dict[str, Any], finish: str | None = "STOP", **more: Any) -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish, "index": 0}
    return json.dumps(
        {"candidates": [candidate], "usageMetadata": USAGE, "modelVersion": FLASH, "responseId": "r", **more}
    ).encode()


def events(*answers: bytes) -> bytes:
    return b"".join(b"data: %b\r\n\r\n" % each for each in answers)


@pytest.fixture
def name() -> str:
    """By which the upstream tells this call's answer."""
    return f"call-{next(_number)}"


def client(behind: Google, name: str, *, key: str = CLIENT_KEY, **more: Any) -> genai.Client:
    options = types.HttpOptions(base_url=behind.flyball.data, headers={KEY: name})
    return genai.Client(api_key=key, http_options=options, **more)


# the SDK


def test_an_answer_is_priced_and_recorded(behind: Google, name: str) -> None:
    behind.tells(name, answer({"text": "hello"}))
    with client(behind, name) as sdk:
        told = sdk.models.generate_content(model=FLASH, contents="hi", config={"max_output_tokens": 100})
    assert told.text == "hello"
    assert told.sdk_http_response is not None
    headers = told.sdk_http_response.headers or {}
    row = behind.row(headers["x-flyball-operation"])
    assert Decimal(row["cost_usd"]) == COST == Decimal(headers["x-flyball-cost-usd"])
    assert (row["endpoint"], row["model"], row["provider"]) == ("gemini.generate_content", FLASH, "studio")
    assert (row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (5, 2, 3)
    (asked,) = behind.upstream.asked[name]
    assert asked.header("x-goog-api-key") == PROVIDER_KEY
    assert CLIENT_KEY not in repr(asked)


def test_a_stream_comes_in_its_chunks(behind: Google, name: str) -> None:
    behind.tells(name, events(answer({"text": "hel"}, finish=None), answer({"text": "lo"})), media=SSE)
    with client(behind, name) as sdk:
        told = [each.text for each in sdk.models.generate_content_stream(model=FLASH, contents="hi")]
    assert told == ["hel", "lo"]


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")  # the SDK's own
def test_async_calls_and_streams(behind: Google, name: str) -> None:
    behind.tells(name, answer({"text": "hello"}))
    behind.tells(name + "s", events(answer({"text": "hello"})), media=SSE)

    async def asked() -> list[str | None]:
        async with client(behind, name).aio as sdk, client(behind, name + "s").aio as streams:
            one = await sdk.models.generate_content(model=FLASH, contents="hi")
            two = [each.text async for each in await streams.models.generate_content_stream(model=FLASH, contents="hi")]
            return [one.text, *two]

    assert asyncio.run(asked()) == ["hello", "hello"]


def test_a_tool_call_is_decided_and_its_result_goes_back(behind: Google, name: str) -> None:
    def look_up(place: str) -> str:
        """The weather at a place."""
        return f"sun in {place}"

    call = {"functionCall": {"name": "look_up", "args": {"place": "Rome"}, "id": "c1"}}
    behind.tells(name, answer(call))
    config = types.GenerateContentConfig(
        tools=[look_up], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    with client(behind, name) as sdk:
        told = sdk.models.generate_content(model=FLASH, contents="weather?", config=config)
    (found,) = told.function_calls or []
    assert (found.name, found.args) == ("look_up", {"place": "Rome"})


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_call_that_a_rule_denies_never_arrives(behind: Google, name: str, streamed: bool) -> None:
    body = answer({"functionCall": {"name": FORBIDDEN, "args": {}}})
    behind.tells(name, events(body) if streamed else body, media=SSE if streamed else "application/json")
    with client(behind, name) as sdk:
        if streamed:
            (told,) = sdk.models.generate_content_stream(model=FLASH, contents="delete")
        else:
            told = sdk.models.generate_content(model=FLASH, contents="delete")
    assert not told.function_calls
    assert "no_deleting" in (told.text or "")


def test_embeddings_and_counts(behind: Google, name: str) -> None:
    behind.tells(name, b'{"embeddings":[{"values":[1,2]}]}')
    behind.tells(name + "c", b'{"totalTokens":3}')
    with client(behind, name) as sdk, client(behind, name + "c") as counts:
        told = sdk.models.embed_content(model="gemini-embedding-001", contents="hi")
        counted = counts.models.count_tokens(model=FLASH, contents="hi")
    assert [each.values for each in told.embeddings or []] == [[1, 2]]
    assert counted.total_tokens == 3
    where = "endpoint IN ('gemini.batch_embed_contents', 'gemini.count_tokens')"
    rows = {row["endpoint"]: row for row in behind.flyball.wait_for_rows(2, where=where)}
    assert Decimal(rows["gemini.batch_embed_contents"]["cost_usd"]) > 0
    assert Decimal(rows["gemini.count_tokens"]["cost_usd"]) == 0
    assert rows["gemini.count_tokens"]["outcome"] == "ok"


def test_models_are_those_the_key_may_use_and_nobody_upstream_is_asked(behind: Google, name: str) -> None:
    with client(behind, name) as sdk:
        names = [model.name for model in sdk.models.list()]
        assert sdk.models.get(model=FLASH).name == f"models/{FLASH}"
        with pytest.raises(errors.ClientError, match="NOT_FOUND"):
            sdk.models.get(model="gpt-5")
    assert f"models/{FLASH}" in names
    assert name not in behind.upstream.asked


def test_a_budget_stop_is_typed_and_asked_for_once(behind: Google, name: str) -> None:
    with client(behind, name, key=POOR_KEY) as sdk, pytest.raises(errors.ClientError) as stopped:
        sdk.models.generate_content(model=FLASH, contents="hi")
    assert (stopped.value.code, stopped.value.status) == (402, "RESOURCE_EXHAUSTED")
    facts = stopped.value.details["error"]["details"][1]["value"]["flyball"]
    assert (facts["budget"], facts["limit_usd"]) == ("none", "0.00")
    rows = behind.flyball.wait_for_rows(1, where="code = 'budget_exceeded' AND endpoint = 'gemini.generate_content'")
    assert len(rows) == 1
    assert name not in behind.upstream.asked


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("product", ["/v1beta", "/gemini/v1", "/v1/projects/theirs/locations/us/publishers/google"])
def test_no_path_leads_to_a_provider_without_money_or_key(behind: Google, name: str, product: str, method: str) -> None:
    path, body = f"{product}/models/{FLASH}:{method}", {"contents": [{"parts": [{"text": "hi"}]}]}
    told = post(behind, name, path, body, **{"x-goog-api-key": POOR_KEY})
    assert (told.status_code, told.json()["error"]["details"][0]["reason"]) == (402, "BUDGET_EXCEEDED")
    told = post(behind, name, path, body)
    assert (told.status_code, told.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert name not in behind.upstream.asked


def test_a_bad_key_and_a_providers_error_are_googles_errors(behind: Google, name: str) -> None:
    stranger = "nobody-knows-this-key-0123456789"
    with client(behind, name, key=stranger) as sdk, pytest.raises(errors.ClientError, match="UNAUTHENTICATED"):
        sdk.models.generate_content(model=FLASH, contents="hi")
    body = b'{"error":{"code":400,"message":"token count exceeds the maximum","status":"INVALID_ARGUMENT"}}'
    behind.tells(name, body, status=400)
    with client(behind, name) as sdk, pytest.raises(errors.ClientError, match="exceeds the maximum"):
        sdk.models.generate_content(model=FLASH, contents="hi")


@pytest.mark.parametrize("model", ["v-flash", FLASH])
@pytest.mark.parametrize("as_vertex", [False, True])
def test_a_client_of_either_product_is_served_by_either(behind: Google, name: str, model: str, as_vertex: bool) -> None:
    behind.tells(name, answer({"text": "hello"}))
    with client(behind, name, vertexai=as_vertex) as sdk:
        assert sdk.models.generate_content(model=model, contents="hi").text == "hello"
    (asked,) = behind.upstream.asked[name]
    if model == FLASH:
        assert re.fullmatch(rf"/v1(beta)?/models/{FLASH}:generateContent", asked.target)
        assert asked.header("x-goog-api-key") == PROVIDER_KEY
    else:
        assert asked.target == f"{LOCATION}/publishers/google/models/{FLASH}:generateContent"
        assert asked.header("authorization") == f"Bearer {TOKEN}"
        assert asked.header("x-goog-api-key") is None
        assert len(behind.upstream.asked[""]) == 1


# by hand


def post(behind: Google, name: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    content = {"contents": [{"parts": [{"text": "hi"}]}]} if body is None else body
    return httpx.post(behind.flyball.data + path, json=content, headers={KEY: name, **headers}, timeout=30)


def test_a_key_in_the_query_ends_here(behind: Google, name: str) -> None:
    behind.tells(name, events(answer({"text": "hello"})), media=SSE)
    path = f"/v1beta/models/{FLASH}:streamGenerateContent?alt=sse&key={CLIENT_KEY}"
    assert post(behind, name, path).status_code == 200
    (asked,) = behind.upstream.asked[name]
    assert asked.target == f"/v1beta/models/{FLASH}:streamGenerateContent?alt=sse"
    assert post(behind, name, f"/v1beta/models/{FLASH}:generateContent?key=wrong-{CLIENT_KEY}").status_code == 401
    assert CLIENT_KEY not in behind.flyball.log.read_text()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"contents": [], "cachedContent": "cachedContents/x"}, "cachedContent"),
        ({"contents": [{"parts": [{"fileData": {"fileUri": "gs://theirs/x"}}]}]}, "fileData.fileUri"),
    ],
)
def test_what_google_keeps_is_refused_by_name(behind: Google, name: str, body: Any, field: str) -> None:
    told = post(
        behind, name, f"/gemini/v1beta/models/{FLASH}:generateContent", body, authorization=f"Bearer {CLIENT_KEY}"
    )
    error = told.json()["error"]
    assert (told.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"][0]["metadata"]["param"] == field
    assert name not in behind.upstream.asked


def test_a_stream_that_breaks_off_ends_in_an_error_in_both_forms(behind: Google, name: str) -> None:
    key = {"x-flyball-key": CLIENT_KEY}
    whole = answer({"text": "hel"}, finish=None)
    behind.tells(name, events(whole), media=SSE)
    told = post(behind, name, f"/v1beta/models/{FLASH}:streamGenerateContent?alt=sse", **key).text
    assert json.loads(told.split("data: ")[-1])["error"]["code"] == 502
    behind.tells(name, b"[" + whole + b"\n,\r\n")
    told = post(behind, name, f"/v1beta/models/{FLASH}:streamGenerateContent", **key).text
    first, last = json.loads(told)
    assert (first, last["error"]["code"]) == (json.loads(whole), 502)


# recordings


@dataclass(frozen=True)
class Exchange:
    """One recorded exchange: where it goes, what is sent, what comes back."""

    name: str
    path: str
    query: str
    request: Any
    status: int
    body: bytes
    media: str
    usage: dict[str, Any] | None


def exchanges() -> Iterator[Exchange]:
    """Every recorded call of a model's method, each stream also as the array that it is without `alt=sse`."""
    for file in sorted((*RECORDINGS.glob("gemini__*.json"), *RECORDINGS.glob("vertex__*.json"))):
        for number, told in enumerate(json.loads(file.read_text())["interactions"]):
            url = httpx.URL(told["url"])
            if ":" not in url.path or not url.path.rpartition(":")[2].endswith("Content"):
                continue
            headers = {name.lower(): value for name, value in told["response_headers"].items()}
            media = headers.get("content-type", SSE)
            usages = [each.get("usageMetadata", each) for each in told["usage_objects"]]
            name = "-".join([*file.stem.split("__")[:2], str(number)])
            usage = usages[-1] if usages and told["status"] == 200 else None
            body = told["body"]["text"].encode()
            one = Exchange(name, url.path, url.query.decode(), told["request_json"], told["status"], body, media, usage)
            yield one
            if one.status == 200 and one.query == "alt=sse":
                chunks = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: ")]
                array = b"[" + b"\n,\r\n".join(json.dumps(each, indent=2).encode() for each in chunks) + b"\n]\n"
                yield Exchange(
                    name + "-array", one.path, "", one.request, 200, array, "application/json; charset=UTF-8", usage
                )


EXCHANGES: Final = tuple(exchanges())
SIZES: Final = (1 << 20, 997, 61, 7)


def test_the_recordings_are_there() -> None:
    told_when_absent(len(EXCHANGES))
    assert not EXCHANGES or len(EXCHANGES) >= 18


@pytest.fixture(scope="module")
def played(behind: Google) -> dict[str, list[tuple[httpx.Response, Any]]]:
    """Every recorded call made, cut in several ways: what came back, and its row."""
    told: dict[str, list[httpx.Response]] = {}
    for recorded in EXCHANGES:
        is_stream = recorded.media.startswith(SSE) or recorded.name.endswith("array")
        for size in SIZES if is_stream else SIZES[:2]:
            name, query = f"{recorded.name}-{size}", "?" + recorded.query if recorded.query else ""
            pieces = by_size(recorded.body, size)
            headers = {"content-type": recorded.media}
            behind.upstream.answers[name] = Told(status=recorded.status, headers=headers, pieces=pieces, chunked=True)
            answered = post(behind, name, recorded.path + query, recorded.request, **{"x-goog-api-key": CLIENT_KEY})
            told.setdefault(recorded.name, []).append(answered)
            (asked,) = behind.upstream.asked[name]
            assert json.loads(asked.body) == recorded.request
    ids = [each.headers["x-flyball-operation"] for responses in told.values() for each in responses]
    listed = ", ".join(f"'{each}'" for each in ids)
    found = behind.flyball.wait_for_rows(len(ids), where=f"operation_id IN ({listed})") if ids else []
    rows = {row["operation_id"]: row for row in found}
    return {
        name: [(each, rows[each.headers["x-flyball-operation"]]) for each in responses]
        for name, responses in told.items()
    }


@pytest.mark.parametrize("recorded", EXCHANGES, ids=lambda each: each.name)
def test_a_recording_passes_byte_for_byte_and_its_usage_is_billed(
    played: dict[str, list[tuple[httpx.Response, Any]]], recorded: Exchange
) -> None:
    for told, row in played[recorded.name]:
        assert (told.status_code, told.content) == (recorded.status, recorded.body)
        told_of(recorded, row)
    assert len({row["cost_usd"] for _, row in played[recorded.name]}) == 1


def told_of(recorded: Exchange, row: Any) -> None:
    assert row["outcome"] == ("ok" if recorded.status == 200 else "upstream_error")
    usage = recorded.usage
    if usage is None:
        assert row["usage_source"] == "none"
        assert Decimal(row["cost_usd"]) == 0
        return
    assert row["usage_source"] == "provider"
    thoughts, cached = usage.get("thoughtsTokenCount", 0), usage.get("cachedContentTokenCount", 0)
    tokens = {bucket: int(row[f"{bucket.value}_tokens"]) for bucket in (*INPUT_BUCKETS, *OUTPUT_BUCKETS)}
    assert sum(tokens[bucket] for bucket in INPUT_BUCKETS) == usage.get("promptTokenCount", 0)
    assert sum(tokens[bucket] for bucket in OUTPUT_BUCKETS) == usage.get("candidatesTokenCount", 0) + thoughts
    assert (row["reasoning_tokens"], row["cache_read_tokens"]) == (thoughts, cached)
    assert (row["cost_usd"] is not None) is (row["model"] in load_book(PricingSettings()).names("gemini"))


def test_flex_is_billed_as_flex(behind: Google, played: dict[str, list[tuple[httpx.Response, Any]]]) -> None:
    assert played or not EXCHANGES
    found = behind.flyball.query("SELECT DISTINCT service_tier FROM operations WHERE model = 'gemini-3-flash-preview'")
    assert not EXCHANGES or found == [{"service_tier": "flex"}]


def test_afterwards_nothing_is_held_and_the_ledger_has_the_sum_of_the_rows(behind: Google) -> None:
    budget = behind.flyball.admin("GET", "/admin/v1/budgets/all")
    (told,) = behind.flyball.query("SELECT sum(cost_usd) AS usd FROM operations")
    assert Decimal(budget["held_usd"]) == 0
    assert Decimal(budget["spent_usd"]) == Decimal(told["usd"]) > 0
