"""The shipped book: every entry is sane, sourced, and quick to load."""

import time
from collections import Counter
from decimal import Decimal

import msgspec
import pytest

from proxy.pricing import PricingSettings, load_book
from proxy.pricing.book import shipped_files
from proxy.pricing.card import minute_of_day
from proxy.pricing.entry import RATE_FIELDS, BookFile, Entry, Rates
from proxy.pricing.sanity import complaint_about_fee, complaint_about_multiplier, complaint_about_rate
from proxy.sim.models import MODELS
from proxy.wire.profile import PROFILES

FILES = [msgspec.json.decode(content, type=BookFile) for content in shipped_files()]
ENTRIES = [(file, model, entry) for file in FILES for model, dated in file.models.items() for entry in dated]

WITHOUT_A_BOOK = {"", "huggingface", "vllm", "ollama"}
"""Nobody's list, or many hosts' prices behind one name: priced by an overlay."""


def all_rates(entry: Entry) -> list[Rates]:
    tiers = entry.service_tiers.values()
    off_peak = [entry.off_peak] if entry.off_peak else []
    return [entry, *entry.context, *tiers, *(step for tier in tiers for step in tier.context), *off_peak]


def test_every_provider_we_know_has_a_book() -> None:
    wanted = {profile.price_provider for profile in PROFILES.values()} - WITHOUT_A_BOOK
    assert wanted <= {file.provider for file in FILES}


def test_every_number_is_sane() -> None:
    wrong = [
        (file.provider, model, complaint)
        for file, model, entry in ENTRIES
        for rates in all_rates(entry)
        for field in RATE_FIELDS.values()
        if (rate := getattr(rates, field)) is not None and (complaint := complaint_about_rate(rate))
    ]
    assert wrong == []
    for _, _, entry in ENTRIES:
        factors = [*entry.regions.values(), *(t.multiplier for t in entry.service_tiers.values())]
        assert not any(complaint_about_multiplier(factor) for factor in factors if factor is not None)
        assert not any(complaint_about_fee(fee) for fee in entry.tool_fees_usd_per_1k_calls.values())


def test_every_entry_says_both_sides_and_its_source() -> None:
    for file, model, entry in ENTRIES:
        assert entry.input_usd_per_mtok is not None, (file.provider, model)
        assert entry.output_usd_per_mtok is not None, (file.provider, model)
        assert entry.source in file.sources, (file.provider, model)


def test_context_tiers_stand_in_order_and_dated_entries_do_not_clash() -> None:
    for file, model, entry in ENTRIES:
        above = [tier.above_tokens for tier in entry.context]
        assert above == sorted(set(above)), (file.provider, model)
    for file in FILES:
        for model, dated in file.models.items():
            assert len({entry.since for entry in dated}) == len(dated), (file.provider, model)


def test_no_name_stands_for_two_models() -> None:
    for file in FILES:
        names = Counter(
            name.lower()
            for model, dated in file.models.items()
            for name in {model, *(other for entry in dated for other in entry.also)}
        )
        assert [name for name, times in names.items() if times > 1] == [], file.provider


def test_hours_can_be_read() -> None:
    windows = [window for _, _, entry in ENTRIES if entry.off_peak for window in entry.off_peak.windows]
    assert windows
    for window in windows:
        for hours in window.hours_utc:
            start, end = hours.split("-")
            assert minute_of_day(start) < minute_of_day(end)


@pytest.mark.parametrize("hours", ["24:01", "1:00", "aa:bb", "10:60", "-1:00"])
def test_what_is_no_time_of_day(hours: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        minute_of_day(hours)


def test_the_simulated_provider_charges_what_the_book_says() -> None:
    book = {model: dated[0] for file in FILES if file.provider == "sim" for model, dated in file.models.items()}
    assert {
        name: (entry.input_usd_per_mtok, entry.cache_read_usd_per_mtok, entry.output_usd_per_mtok)
        for name, entry in book.items()
    } == {name: (model.input_usd, model.cache_read_usd, model.output_usd) for name, model in MODELS.items()}


def test_known_prices_stand_as_published() -> None:
    """A few figures checked by hand against the providers' price pages, so that a bad refresh is noticed."""
    models = {(file.provider, model): dated[-1] for file in FILES for model, dated in file.models.items()}
    assert models["openai", "gpt-4o"].input_usd_per_mtok == Decimal("2.5")
    assert models["openai", "gpt-5.6"].cache_write_usd_per_mtok == 5
    assert models["openai", "text-embedding-3-small"].input_usd_per_mtok == Decimal("0.02")
    assert models["anthropic", "claude-opus-5"].cache_write_1h_usd_per_mtok == 10


@pytest.mark.alone
def test_loading_is_quick() -> None:
    started = time.process_time()
    load_book(PricingSettings())
    assert time.process_time() - started < 0.5
