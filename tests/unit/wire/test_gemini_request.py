"""What is read of a Gemini request, and what is refused."""

import json
from typing import Any, Final

import pytest

from proxy.core.refusal import Refusal, Refused
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import RequestFacts
from proxy.wire.gemini.paths import listed, place_of, under
from proxy.wire.gemini.request import read_request, tier_name

GENERATE: Final = Endpoint.GENERATE_CONTENT
PATH: Final = "/v1beta/models/gemini-2.5-flash:generateContent"
HELLO: Final = {"contents": [{"parts": [{"text": "hello"}]}]}


def read(body: Any, path: str = PATH, endpoint: Endpoint = GENERATE) -> RequestFacts:
    return read_request(endpoint, path, body if isinstance(body, bytes) else json.dumps(body).encode())


def refused(body: Any, path: str = PATH, endpoint: Endpoint = GENERATE) -> Refused:
    with pytest.raises(Refused) as caught:
        read(body, path, endpoint)
    assert caught.value.why is Refusal.INVALID_REQUEST
    return caught.value


def test_model_and_streaming_are_told_by_the_path() -> None:
    assert read(HELLO) == RequestFacts(model="gemini-2.5-flash", asked_for_usage=True)
    assert read(HELLO, "/v1/models/gemini-3-pro:streamGenerateContent").streamed
    assert read(HELLO, "/v1beta/models/llama3.1:8b:generateContent").model == "llama3.1:8b"
    assert read(HELLO, "/v1beta/models/a%2Fb%3AgenerateContent").model == "a/b"


@pytest.mark.parametrize(
    "config",
    [
        {"maxOutputTokens": 99, "candidateCount": 2},
        {"max_output_tokens": 99, "candidate_count": 2},
        {"maxOutputTokens": "99", "candidateCount": 2.0},
    ],
)
@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
def test_limits_are_read_in_every_way_that_google_reads_them(name: str, config: dict[str, Any]) -> None:
    facts = read({**HELLO, name: config})
    assert (facts.max_output_tokens, facts.choices) == (99, 2)


def test_a_limit_of_nothing_is_none() -> None:
    assert read({**HELLO, "generationConfig": {"maxOutputTokens": 0}}).max_output_tokens is None
    assert read({**HELLO, "generationConfig": None}).max_output_tokens is None
    assert read({**HELLO, "generationConfig": {"maxOutputTokens": 10**12}}).max_output_tokens == 2**31 - 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"generationConfig":{"maxOutputTokens":5},"generation_config":{"maxOutputTokens":5000}}',
        b'{"generationConfig":{"maxOutputTokens":5,"max_output_tokens":5000}}',
        b'{"generationConfig":{"maxOutputTokens":5,"maxOutputTokens":5000}}',
        b'{"contents":[],"contents":[]}',
        b'{"contents":[],"c\\u006fntents":[]}',
    ],
)
def test_a_member_that_stands_twice_is_refused(body: bytes) -> None:
    assert "given twice" in refused(body).message


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"[]", "object"),
        (b"{", "not valid JSON"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'{"generationConfig":7}', "generationConfig"),
        (b'{"generationConfig":{"maxOutputTokens":1.5}}', "maxOutputTokens"),
        (b'{"generationConfig":{"candidateCount":true}}', "candidateCount"),
        (b'{"generationConfig":{"candidateCount":100000}}', "candidateCount"),
        (b'{"model":"models/gemini-2.5-pro"}', "gemini-2.5-flash"),
        (b'{"generateContentRequest":{"model":"models/gemini-2.5-pro"}}', "generateContentRequest.model"),
    ],
)
def test_what_cannot_be_governed_is_refused_by_name(body: bytes, said: str) -> None:
    assert said in refused(body).message


def test_every_request_of_a_batch_is_for_the_model_of_the_path() -> None:
    path, endpoint = "/v1beta/models/gemini-embedding-001:batchEmbedContents", Endpoint.BATCH_EMBED_CONTENTS
    own = {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]}}
    assert read({"requests": [own, own]}, path, endpoint).model == "gemini-embedding-001"
    assert refused({"requests": [own, {**own, "model": "models/other"}]}, path, endpoint).param == "requests[].model"
    twice = b'{"requests":[{"model":"models/gemini-embedding-001","model":"models/other"}]}'
    assert "given twice" in refused(twice, path, endpoint).message


def test_tools_that_google_runs_are_told_apart() -> None:
    facts = read({**HELLO, "tools": [{"functionDeclarations": [{"name": "f"}]}, {"google_search": {}}]})
    assert (facts.has_tools, facts.hosted_tools) == (True, ("googleSearch",))
    assert read({**HELLO, "tools": [{"codeExecution": {}, "urlContext": {}}]}).hosted_tools == (
        "codeExecution",
        "urlContext",
    )
    assert read({**HELLO, "tools": [{"computerUse": {}}]}).hosted_tools == ()
    assert not read({**HELLO, "tools": []}).has_tools


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"cachedContent": "cachedContents/abc"}, "cachedContent"),
        ({"cached_content": "cachedContents/abc"}, "cachedContent"),
        ({"contents": [{"parts": [{"fileData": {"fileUri": "files/abc"}}]}]}, "fileData.fileUri"),
        ({"contents": [{"parts": [{"file_data": {"file_uri": "gs://bucket/a.pdf"}}]}]}, "fileData.fileUri"),
        (
            {"contents": [{"parts": [{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1/x"}}]}]},
            "fileData.fileUri",
        ),
        (
            {"contents": [{"parts": [{"functionResponse": {"parts": [{"fileData": {"fileUri": "files/a"}}]}}]}]},
            "fileData.fileUri",
        ),
        ({"tools": [{"fileSearch": {"fileSearchStoreNames": ["s"]}}]}, "tools[].fileSearch"),
        ({"tools": [{"retrieval": {"vertexAiSearch": {}}}]}, "tools[].retrieval"),
        ({"generateContentRequest": {"cachedContent": "c"}}, "generateContentRequest.cachedContent"),
    ],
)
def test_what_google_keeps_is_named(more: dict[str, Any], field: str) -> None:
    assert read({**HELLO, **more}).stateful == (field,)


def test_an_escaped_name_hides_no_file() -> None:
    body = rb'{"contents":[{"parts":[{"fil\u0065Data":{"fil\u0065Uri":"files/abc"}}]}]}'
    assert read(body).stateful == ("fileData.fileUri",)


def test_what_anybody_may_open_is_not_kept_at_google() -> None:
    for uri in ("https://example.com/cat.jpg", "https://www.youtube.com/watch?v=1", "https://googleapis.com.evil.org/"):
        assert read({"contents": [{"parts": [{"fileData": {"fileUri": uri}}]}]}).stateful == ()


def test_tiers_have_the_names_of_price_books() -> None:
    told = {"ON_DEMAND_FLEX": "flex", "ON_DEMAND": None, "standard": None, "priority": "priority"}
    assert {name: tier_name(name) for name in told} == told
    assert read({**HELLO, "serviceTier": "SERVICE_TIER_FLEX"}).service_tier == "flex"


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/m:generateContent",
        "/v1/models/m:generateContent",
        "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
        "/v1beta1/projects/p/locations/l/publishers/google/models/m:generateContent",
        "/v1beta1/publishers/google/models/m:generateContent",
    ],
)
@pytest.mark.parametrize(
    ("base", "wanted"),
    [
        ("https://generativelanguage.googleapis.com/v1beta", "/models/m:generateContent"),
        ("https://x/v1/projects/ours/locations/eu", "/publishers/google/models/m:generateContent"),
        ("https://aiplatform.googleapis.com/v1/publishers/google", "/models/m:generateContent"),
    ],
)
def test_either_products_path_continues_either_products_base(path: str, base: str, wanted: str) -> None:
    assert under(base, path) == wanted


def test_the_version_is_the_clients_where_the_base_has_none() -> None:
    base = "https://generativelanguage.googleapis.com"
    assert under(base, "/v1/models/m:countTokens") == "/v1/models/m:countTokens"
    assert under(base, "/v1beta1/publishers/google/models/m:countTokens") == "/v1beta/models/m:countTokens"


def test_paths_of_nothing() -> None:
    for path in ("/v1beta/models/m", "/v1beta/models", "/v1beta/tunedModels/m:generateContent", "/v2/models/m:x"):
        assert place_of(path) is None
    assert listed("/v1beta/models") == (True, "")
    assert listed("/v1beta/models/a") == (True, "a")
    assert listed("/v1beta/files") == (False, "")
