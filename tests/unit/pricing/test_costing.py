"""Buckets times rates: exact, rounded once, under every tier a request can fall into."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.usage import Bucket, ToolFee, Usage, UsageSource
from proxy.pricing import Price, PricingSettings, load_book, price, worst_case
from proxy.pricing.entry import FALLBACK, Entry

B = Bucket
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOOK = load_book(PricingSettings())


def used(**tokens: int) -> Usage:
    return Usage(tokens={Bucket(name): number for name, number in tokens.items()}, source=UsageSource.PROVIDER)


def priced(provider: str, model: str, at: datetime = NOON) -> Price:
    found = BOOK.find(provider, [model], at)
    assert found is not None
    return found


def entry(**fields: Any) -> Price:
    told = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 10} | fields
    return Price("test/model", "test", msgspec.convert(told, Entry))


def test_the_golden_value_of_cached_and_written_input() -> None:
    """gpt-5.6: 1000 in, of which 400 cached and 300 written, 100 out (two independent libraries agree on it)."""
    bill = price(used(input=300, cache_read=400, cache_write=300, output=100), priced("openai", "gpt-5.6"), NOON)
    assert bill.cost == bill.list_cost == 4_860_000
    assert [(line.bucket, line.quantity, line.usd_per_mtok, line.usd) for line in bill.lines] == [
        ("input", 300, "4", "0.0012"),
        ("cache_read", 400, "0.4", "0.00016"),
        ("cache_write", 300, "5", "0.0015"),
        ("output", 100, "20", "0.002"),
    ]


def test_lines_are_objects_in_json() -> None:
    line = price(used(input=1), entry(), NOON).lines[0]
    assert msgspec.json.encode(line) == b'{"bucket":"input","quantity":1,"usd_per_mtok":"1","usd":"0.000001"}'


@pytest.mark.parametrize(("tokens", "nano"), [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4)])
def test_a_sum_is_rounded_once_half_to_even(tokens: int, nano: int) -> None:
    assert price(used(input=tokens), entry(input_usd_per_mtok="0.0005"), NOON).cost == nano


def test_halves_of_two_lines_make_one_whole() -> None:
    cheap = entry(input_usd_per_mtok="0.0005", output_usd_per_mtok="0.0005")
    assert price(used(input=1, output=1), cheap, NOON).cost == 1


def test_nothing_used_costs_nothing_and_has_no_lines() -> None:
    assert price(used(input=0, cache_read=0), entry(), NOON).lines == ()
    assert price(Usage(), entry(), NOON).cost == 0


@pytest.mark.parametrize("bucket", [b for b in Bucket if b in FALLBACK])
def test_a_bucket_without_a_rate_costs_what_its_side_costs(bucket: Bucket) -> None:
    side = B.INPUT if FALLBACK[bucket] in (B.INPUT, B.CACHE_WRITE) else B.OUTPUT
    usage = Usage(tokens={bucket: 100})
    assert price(usage, entry(), NOON).cost == price(Usage(tokens={side: 100}), entry(), NOON).cost


def test_long_lived_writes_cost_at_least_what_writes_cost() -> None:
    assert price(used(cache_write_1h=1000), entry(cache_write_usd_per_mtok="1.25"), NOON).cost == 1_250_000


class TestContext:
    @pytest.mark.parametrize(
        ("provider", "model", "prompt", "dollars_in"),
        [
            ("openai", "gpt-5.4", 272_000, "0.68"),
            ("openai", "gpt-5.4", 272_001, "1.360005"),
            ("xai", "grok-4.5", 199_999, "0.399998"),
            ("xai", "grok-4.5", 200_000, "0.8"),
            ("gemini", "gemini-2.5-pro", 200_000, "0.25"),
            ("gemini", "gemini-2.5-pro", 200_001, "0.5000025"),
        ],
    )
    def test_the_whole_request_moves(self, provider: str, model: str, prompt: int, dollars_in: str) -> None:
        bill = price(used(input=prompt, output=0), priced(provider, model), NOON)
        assert bill.lines[0].usd == dollars_in

    def test_cached_and_written_count_towards_it_and_output_moves_too(self) -> None:
        tiered = entry(context=[{"above_tokens": 10, "input_usd_per_mtok": 2, "output_usd_per_mtok": 15}])
        below = price(used(input=4, cache_read=3, cache_write=3, output=100), tiered, NOON)
        above = price(used(input=5, cache_read=3, cache_write=3, output=100), tiered, NOON)
        assert [line.usd_per_mtok for line in below.lines] == ["1", "1", "1", "10"]
        assert [line.usd_per_mtok for line in above.lines] == ["2", "2", "2", "15"]


class TestServiceTier:
    @pytest.mark.parametrize(
        ("model", "tier", "rates"),
        [
            ("gpt-5.4", None, ["2.5", "15"]),
            ("gpt-5.4", "default", ["2.5", "15"]),
            ("gpt-5.4", "auto", ["2.5", "15"]),
            ("gpt-5.4", "flex", ["1.25", "7.5"]),
            ("gpt-5.4", "batch", ["1.25", "7.5"]),
            ("gpt-5.5", "priority", ["12.5", "75"]),
            ("gpt-5.5", "fast", ["12.5", "75"]),
            ("gpt-4o", "flex", ["2.5", "10"]),
        ],
    )
    def test_the_tier_served_decides(self, model: str, tier: str | None, rates: list[str]) -> None:
        usage = Usage(tokens={B.INPUT: 10, B.OUTPUT: 10}, service_tier=tier)
        assert [line.usd_per_mtok for line in price(usage, priced("openai", model), NOON).lines] == rates

    def test_a_tier_has_its_own_context_tiers(self) -> None:
        usage = Usage(tokens={B.INPUT: 300_000, B.OUTPUT: 10}, service_tier="priority")
        assert [line.usd_per_mtok for line in price(usage, priced("openai", "gpt-5.6"), NOON).lines] == ["16", "60"]

    def test_a_multiplier_keeps_what_the_tier_writes_itself(self) -> None:
        flex = {"multiplier": "0.5", "cache_read_usd_per_mtok": "0.13"}
        tiered = entry(cache_read_usd_per_mtok="0.25", service_tiers={"flex": flex})
        bill = price(used(input=1, cache_read=1, output=1), tiered, NOON, service_tier="flex")
        assert [line.usd_per_mtok for line in bill.lines] == ["0.5", "0.13", "5"]


class TestOffPeak:
    @pytest.mark.parametrize(
        ("at", "rate"),
        [
            (datetime(2026, 11, 20, 0, 59, tzinfo=UTC), "0.15"),
            (datetime(2026, 11, 20, 1, 0, tzinfo=UTC), "0.3"),
            (datetime(2026, 11, 20, 3, 59, 59, tzinfo=UTC), "0.3"),
            (datetime(2026, 11, 20, 4, 0, tzinfo=UTC), "0.15"),
            (datetime(2026, 11, 20, 8, 0, tzinfo=UTC), "0.3"),
            (datetime(2026, 11, 20, 10, 0, tzinfo=UTC), "0.15"),
            (datetime(2026, 11, 21, 8, 0, tzinfo=UTC), "0.15"),
        ],
    )
    def test_deepseeks_hours_on_a_friday_and_a_saturday(self, at: datetime, rate: str) -> None:
        assert price(used(input=10), priced("deepseek", "deepseek-flash", at), at).lines[0].usd_per_mtok == rate


def test_a_region_multiplies_tokens() -> None:
    bill = price(used(input=10, output=10), priced("openai", "gpt-5.6"), NOON, region="eu")
    assert [line.usd_per_mtok for line in bill.lines] == ["4.4", "22"]


class TestTools:
    def test_calls_are_billed_per_thousand(self) -> None:
        usage = Usage(tokens={B.INPUT: 0}, tool_calls={ToolFee.WEB_SEARCH: 3, ToolFee.FILE_SEARCH: 1})
        bill = price(usage, priced("openai", "gpt-5.6"), NOON)
        assert bill.cost == 32_500_000
        assert [(line.bucket, line.quantity, line.usd_per_mtok, line.usd) for line in bill.lines] == [
            ("web_search", 3, "10000", "0.03"),
            ("file_search", 1, "2500", "0.0025"),
        ]

    def test_a_tool_without_a_known_fee_is_named(self) -> None:
        bill = price(Usage(tool_calls={ToolFee.WEB_SEARCH: 1}), entry(), NOON)
        assert (bill.cost, bill.unpriced) == (0, ("web_search",))


class TestWorstCase:
    def test_it_rounds_up(self) -> None:
        assert worst_case(entry(input_usd_per_mtok="0.001"), NOON, input_tokens=1, output_tokens=0) == 1

    def test_a_write_that_is_dearer_than_plain_input_counts(self) -> None:
        # 1000 tokens at the 12 h write rate of 10 USD, 100 at 20 USD
        assert worst_case(priced("openai", "gpt-5.6"), NOON, input_tokens=1000, output_tokens=100) == 12_000_000

    def test_the_context_tier_reached_counts(self) -> None:
        assert worst_case(priced("openai", "gpt-5.4"), NOON, input_tokens=300_000, output_tokens=0) == 1_500_000_000

    def test_a_dearer_tier_counts_only_if_asked_for_and_a_cheaper_one_never(self) -> None:
        def held(tier: str | None) -> int:
            model = priced("openai", "gpt-5.5")
            return worst_case(model, NOON, input_tokens=1000, output_tokens=0, service_tier=tier)

        assert [held(tier) for tier in (None, "flex", "priority")] == [5_000_000, 5_000_000, 12_500_000]

    def test_off_peak_hours_are_not_counted_on(self) -> None:
        saturday = datetime(2026, 11, 21, 8, tzinfo=UTC)
        model = priced("deepseek", "deepseek-flash", saturday)
        assert worst_case(model, saturday, input_tokens=1000, output_tokens=0) == 300_000

    def test_a_request_without_media_is_not_held_at_audio_rates(self) -> None:
        spoken = entry(audio_input_usd_per_mtok=40)
        assert worst_case(spoken, NOON, input_tokens=1000, output_tokens=0) == 40_000_000
        assert worst_case(spoken, NOON, input_tokens=1000, output_tokens=0, media=lambda: False) == 1_000_000


EVERY_PRICE = [
    p for p in (BOOK.find(provider, [model], NOON) for provider, model, _ in BOOK.entries()) if p is not None
]


@given(
    st.sampled_from(EVERY_PRICE),
    st.dictionaries(st.sampled_from(Bucket), st.integers(0, 1_000_000)),
    st.sampled_from([None, "flex", "priority", "batch"]),
    st.datetimes(datetime(2026, 11, 1), datetime(2026, 11, 30), timezones=st.just(UTC)),
)
def test_no_bill_exceeds_its_worst_case(
    model: Price, tokens: dict[Bucket, int], tier: str | None, at: datetime
) -> None:
    usage = Usage(tokens=tokens)
    held = worst_case(
        model, at, input_tokens=usage.prompt_tokens, output_tokens=usage.completion_tokens, service_tier=tier
    )
    assert 0 <= price(usage, model, at, service_tier=tier).cost <= held


@given(st.sampled_from(EVERY_PRICE), st.dictionaries(st.sampled_from(Bucket), st.integers(0, 10**9)))
def test_the_cost_is_the_exact_sum_of_its_lines_rounded(model: Price, tokens: dict[Bucket, int]) -> None:
    bill = price(Usage(tokens=tokens), model, NOON)
    exact = sum((Decimal(line.quantity) * Decimal(line.usd_per_mtok) / 10**6 for line in bill.lines), Decimal(0))
    assert exact == sum((Decimal(line.usd) for line in bill.lines), Decimal(0))
    assert bill.cost == int((exact * 10**9).to_integral_value(ROUND_HALF_EVEN))
