"""Anthropic's usage numbers in disjoint buckets."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.money import exact_usd as usd
from proxy.core.usage import Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering.anthropic_usage import normalise_anthropic
from proxy.pricing import PricingSettings, load_book, price

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


def normalised(**usage: Any) -> Usage:
    return normalise_anthropic(json.dumps(usage).encode())


def test_the_three_inputs_are_disjoint_and_thinking_is_in_the_output() -> None:
    usage = normalised(
        input_tokens=16,
        cache_creation_input_tokens=7049,
        cache_creation={"ephemeral_5m_input_tokens": 7000, "ephemeral_1h_input_tokens": 49},
        cache_read_input_tokens=13637,
        output_tokens=344,
        output_tokens_details={"thinking_tokens": 33},
        service_tier="standard",
        inference_geo="us",
    )
    assert usage.tokens == {
        Bucket.INPUT: 16,
        Bucket.CACHE_READ: 13637,
        Bucket.CACHE_WRITE: 7000,
        Bucket.CACHE_WRITE_1H: 49,
        Bucket.OUTPUT: 311,
        Bucket.REASONING: 33,
    }
    assert usage.prompt_tokens == 16 + 7049 + 13637
    assert usage.source is UsageSource.PROVIDER
    assert (usage.service_tier, usage.region, usage.flaws) == ("standard", "us", ())


def test_writes_without_an_age_are_of_five_minutes() -> None:
    usage = normalised(input_tokens=1, output_tokens=2, cache_creation_input_tokens=9)
    assert usage.count(Bucket.CACHE_WRITE) == 9
    assert Bucket.CACHE_WRITE_1H not in usage.tokens


def test_a_summary_is_added_to_the_totals() -> None:
    steps = [
        {"type": "message", "input_tokens": 10, "output_tokens": 5},
        {"type": "compaction", "input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 7},
    ]
    usage = normalised(input_tokens=10, output_tokens=5, iterations=steps)
    assert usage.tokens == {Bucket.INPUT: 110, Bucket.OUTPUT: 55, Bucket.CACHE_READ: 7}


def test_searches_are_billed_and_fetches_are_not() -> None:
    tools = {"web_search_requests": 2, "web_fetch_requests": 5}
    usage = normalised(input_tokens=1, output_tokens=1, server_tool_use=tools)
    assert usage.tool_calls == {ToolFee.WEB_SEARCH: 2}


def test_a_stream_without_its_end_tells_input_only() -> None:
    usage = normalised(input_tokens=5, cache_read_input_tokens=2)
    assert usage.tokens == {Bucket.INPUT: 5, Bucket.CACHE_READ: 2}
    assert usage.source is UsageSource.PROVIDER
    assert usage.lacks_output
    assert not normalised(input_tokens=5, output_tokens=0).lacks_output


@pytest.mark.parametrize(
    ("usage", "flaw"),
    [
        ({"input_tokens": -1, "output_tokens": 1}, Flaw.NEGATIVE),
        ({"input_tokens": 10**15, "output_tokens": 1}, Flaw.NOT_A_NUMBER),
        ({"input_tokens": "7", "output_tokens": 1}, Flaw.NOT_A_NUMBER),
        (
            {"input_tokens": 1, "output_tokens": 1, "output_tokens_details": {"thinking_tokens": 2}},
            Flaw.REASONING_EXCEEDS_OUTPUT,
        ),
        (
            {
                "input_tokens": 1,
                "output_tokens": 1,
                "cache_creation_input_tokens": 1,
                "cache_creation": {"ephemeral_1h_input_tokens": 2},
            },
            Flaw.DETAILS_EXCEED_INPUT,
        ),
    ],
)
def test_contradictions_are_flagged(usage: dict[str, Any], flaw: Flaw) -> None:
    assert normalised(**usage).flaws == (flaw,)


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{}", b"\xff", b'{"input_tokens":null}'])
def test_nothing_told_is_no_usage(raw: bytes) -> None:
    assert normalise_anthropic(raw).source is UsageSource.NONE


TOKENS = st.none() | st.integers(0, 10**6)


@given(
    plain=TOKENS,
    read=TOKENS,
    written=TOKENS,
    hour=TOKENS,
    minutes=TOKENS,
    output=TOKENS,
    thought=TOKENS,
)
def test_buckets_explain_what_was_told(
    plain: int | None,
    read: int | None,
    written: int | None,
    hour: int | None,
    minutes: int | None,
    output: int | None,
    thought: int | None,
) -> None:
    usage = normalised(
        input_tokens=plain,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        cache_creation={"ephemeral_1h_input_tokens": hour, "ephemeral_5m_input_tokens": minutes},
        output_tokens=output,
        output_tokens_details={"thinking_tokens": thought},
    )
    assert all(count >= 0 for count in usage.tokens.values())
    if usage.source is UsageSource.PROVIDER:
        wrote = (hour or 0) + (minutes or 0) if written is None else written
        assert usage.prompt_tokens == (plain or 0) + (read or 0) + wrote
        assert usage.completion_tokens == (output or 0)


def test_what_served_the_call_decides_its_price() -> None:
    book = load_book(PricingSettings())
    entry = book.find("anthropic", ["claude-opus-5-5"], AT)
    assert entry is not None
    plain = {"input_tokens": 1_000_000, "output_tokens": 0}

    def cost(**told: Any) -> int:
        return price(normalised(**plain, **told), entry, AT).cost

    assert cost(inference_geo="global") == usd("4")
    assert cost(inference_geo="us") == usd("4.4")
    assert cost(speed="fast", service_tier="standard") == usd("8")
    assert cost(speed="fast", inference_geo="us") == usd("8.8")
    assert cost(service_tier="batch") == usd("2")
