"""Bedrock's usage objects: disjoint buckets, as an independent library extracts them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.usage import Bucket, Flaw, UsageSource
from proxy.metering.bedrock_usage import normalise_bedrock
from tests.harness.recordings import RECORDINGS, told_when_absent


def read(**usage: Any) -> dict[str, int]:
    found = normalise_bedrock(json.dumps(usage).encode(), service_tier=None)
    assert not found.flaws and found.source is UsageSource.PROVIDER
    return {bucket.value: count for bucket, count in found.tokens.items()}


@pytest.mark.parametrize(
    ("usage", "buckets"),
    [
        ({"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}, {"input": 5, "output": 2}),
        (
            {"inputTokens": 3, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 4, "outputTokens": 2},
            {"input": 3, "cache_read": 10, "cache_write": 4, "output": 2},
        ),
        (
            {
                "inputTokens": 3, "cacheWriteInputTokens": 9, "outputTokens": 2, "totalTokens": 14,
                "cacheDetails": [{"ttl": "5m", "inputTokens": 4}, {"ttl": "1h", "inputTokens": 5}],
            },
            {"input": 3, "cache_write_1h": 5, "cache_write": 4, "output": 2},
        ),
        ({"inputTokenCount": 5, "outputTokenCount": 10}, {"input": 5, "output": 10}),
        (
            {"input_tokens": 1, "cache_creation_input_tokens": 6, "output_tokens": 9,
             "cache_creation": {"ephemeral_1h_input_tokens": 6}, "output_tokens_details": {"thinking_tokens": 4}},
            {"input": 1, "cache_write_1h": 6, "cache_write": 0, "reasoning": 4, "output": 5},
        ),
    ],
)  # fmt: skip
def test_each_way_of_telling(usage: dict[str, Any], buckets: dict[str, int]) -> None:
    assert read(**usage) == buckets


@pytest.mark.parametrize(
    ("usage", "flaw"),
    [
        ({"inputTokens": 5, "outputTokens": 2, "totalTokens": 9}, Flaw.TOTAL_UNEXPLAINED),
        ({"inputTokens": -5, "outputTokens": 2}, Flaw.NEGATIVE),
        ({"inputTokens": 5, "outputTokens": "2"}, Flaw.NOT_A_NUMBER),
        (
            {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 6}},
            Flaw.REASONING_EXCEEDS_OUTPUT,
        ),
        (
            {"inputTokens": 5, "cacheWriteInputTokens": 2, "cacheDetails": [{"ttl": "1h", "inputTokens": 3}]},
            Flaw.DETAILS_EXCEED_INPUT,
        ),
    ],
)  # fmt: skip
def test_contradictions_are_flagged(usage: dict[str, Any], flaw: Flaw) -> None:
    found = normalise_bedrock(json.dumps(usage).encode(), service_tier=None)
    assert flaw in found.flaws and all(count >= 0 for count in found.tokens.values())


@given(st.binary(max_size=60) | st.dictionaries(st.sampled_from(["inputTokens", "outputTokens", "cacheDetails",
       "cache_creation", "totalTokens"]), st.none() | st.floats() | st.integers() | st.lists(st.integers())
       ).map(lambda each: json.dumps(each).encode()))  # fmt: skip
def test_whatever_comes_no_bucket_is_negative_and_nothing_raises(raw: bytes) -> None:
    assert all(count >= 0 for count in normalise_bedrock(raw, service_tier=None).tokens.values())


def test_the_oracle_agrees() -> None:
    path = RECORDINGS / "usage-oracle.json"
    cases = json.loads(path.read_text()) if path.exists() else []
    told = [
        (case["body"]["usage"], extracted["usage"])
        for case in cases
        for extracted in case["extracted"]
        if any(each["provider_id"] == "aws" for each in extracted["extractors"])
        and "usage" in case["body"] and "inputTokens" in case["body"]["usage"]
    ]  # fmt: skip
    told_when_absent(len(told))
    for raw, wanted in told:
        usage = normalise_bedrock(json.dumps(raw).encode(), service_tier=None)
        assert usage.prompt_tokens == wanted.get("input_tokens", 0), raw
        assert usage.completion_tokens == wanted.get("output_tokens", 0), raw
        assert usage.count(Bucket.CACHE_READ) == wanted.get("cache_read_tokens", 0), raw
        written = usage.count(Bucket.CACHE_WRITE) + usage.count(Bucket.CACHE_WRITE_1H)
        assert written == wanted.get("cache_write_tokens", 0), raw
    assert not told or len(told) > 50
