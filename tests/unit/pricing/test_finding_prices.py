"""A model's price is found under its own names only, as of a day, and the operator's word goes first."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from proxy.core.usage import Bucket, Usage
from proxy.pricing import BadPrices, PriceBook, PricingSettings, load_book, price
from proxy.pricing.settings import Adjustment, AssumedRates

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BOOK = load_book(PricingSettings())
ONE_MILLION_IN = Usage(tokens={Bucket.INPUT: 1_000_000})


def found(provider: str, *models: str, at: datetime = NOW, book: PriceBook = BOOK) -> str | None:
    one = book.find(provider, models, at)
    return one.entry if one else None


@pytest.mark.parametrize(
    ("provider", "model", "entry"),
    [
        ("openai", "gpt-4o", "openai/gpt-4o"),
        ("openai", "GPT-4o", "openai/gpt-4o"),
        ("openai", "gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("openai", "gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13"),
        ("openai", "openai/gpt-4o-mini", "openai/gpt-4o-mini"),
        ("openai", "gpt-5-mini-2025-08-07", "openai/gpt-5-mini"),
        ("azure", "gpt-35-turbo", "azure/gpt-35-turbo"),
        ("azure", "azure/gpt-4o-2024-11-20", "azure/gpt-4o"),
        ("gemini", "models/gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("openrouter", "openai/gpt-4.1-mini", "openrouter/openai/gpt-4.1-mini"),
        ("openrouter", "someone/new-model:free", "openrouter/*:free"),
        ("anthropic", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
        ("sim", "sim-small", "sim/sim-small"),
    ],
)
def test_a_name_and_its_variants(provider: str, model: str, entry: str) -> None:
    assert found(provider, model) == entry


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-madeup"),
        ("openai", "gpt-4ox"),
        ("openai", "gpt"),
        ("openai", ""),
        ("openai", "openai/"),
        ("openai", "someone/new-model:free"),
        ("openai", "mistral-large-latest"),
        ("mistral", "gpt-4o"),
        ("", "gpt-4o"),
        ("nobody", "gpt-4o"),
        ("openrouter", "openai/gpt-4o:nitro"),
    ],
)
def test_no_price_is_guessed(provider: str, model: str) -> None:
    assert found(provider, model) is None


def test_gpt_4_does_not_price_gpt_4o() -> None:
    assert found("openai", "gpt-4") != found("openai", "gpt-4o")


def test_the_first_name_that_has_a_price_counts() -> None:
    assert found("openai", "gpt-4o-2024-05-13", "gpt-4o") == "openai/gpt-4o-2024-05-13"
    assert found("openai", "never-heard-of", "gpt-4o") == "openai/gpt-4o"


def test_a_fine_tuned_model_has_the_price_of_its_kind() -> None:
    one = BOOK.find("openai", ["ft:gpt-4o-2024-08-06:acme::abc123"], NOW)
    assert one is not None
    assert one.entry == "openai/ft:gpt-4o-2024-08-06"


def test_free_is_zero_and_says_so() -> None:
    one = BOOK.find("openrouter", ["someone/new-model:free"], NOW)
    assert one is not None
    assert price(ONE_MILLION_IN, one, NOW).cost == 0


@pytest.mark.parametrize(
    ("at", "dollars"),
    [
        (datetime(2026, 8, 20, 23, 59, tzinfo=UTC), 5),
        (datetime(2026, 8, 21, 0, 0, tzinfo=UTC), 4),
        (datetime(2020, 1, 1, tzinfo=UTC), 5),
    ],
)
def test_a_price_is_the_one_of_its_day(at: datetime, dollars: int) -> None:
    one = BOOK.find("openai", ["gpt-5.6"], at)
    assert one is not None
    tokens = Usage(tokens={Bucket.INPUT: 200_000})
    assert price(tokens, one, at).cost == dollars * 200_000_000


def test_the_shown_entry_tells_its_date_and_source() -> None:
    one = BOOK.find("openai", ["gpt-5.6"], NOW)
    assert one is not None
    assert (one.entry, one.source) == ("openai/gpt-5.6@2026-08-21", "book:openai 2026-11-20")
    assert (one.max_input, one.max_output) == (922_000, 128_000)


class TestOverlay:
    @pytest.fixture
    def book(self, tmp_path: Path) -> PriceBook:
        file = tmp_path / "prices.yaml"
        file.write_text(
            "models:\n"
            "  My-Model: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: contract}\n"
            "  gpt-4o: {provider: openai, input_usd_per_mtok: 2, output_usd_per_mtok: 8}\n"
            "  gpt-4.1:\n"
            "    - {input_usd_per_mtok: 1.5, output_usd_per_mtok: 6, since: 2026-12-01}\n"
        )
        return load_book(PricingSettings(overlay=file))

    def test_an_entry_without_a_provider_holds_at_every_one(self, book: PriceBook) -> None:
        for provider in ("openai", "", "vllm"):
            one = book.find(provider, ["my-model"], NOW)
            assert one is not None
            assert (one.entry, one.source) == ("*/My-Model@2026-01-01", "overlay:contract")

    def test_it_goes_before_the_book_even_for_a_dated_answer(self, book: PriceBook) -> None:
        assert found("openai", "gpt-4o-2024-05-13", "gpt-4o", book=book) == "openai/gpt-4o"
        one = book.find("openai", ["gpt-4o-2024-05-13", "gpt-4o"], NOW)
        assert one is not None
        assert (one.source, price(ONE_MILLION_IN, one, NOW).cost) == ("overlay", 2_000_000_000)

    def test_an_entry_bound_to_a_provider_holds_there_only(self, book: PriceBook) -> None:
        assert found("azure", "gpt-4o", book=book) == "azure/gpt-4o"

    def test_an_entry_of_the_future_waits(self, book: PriceBook) -> None:
        assert found("openai", "gpt-4.1", book=book) == "openai/gpt-4.1"
        later = datetime(2026, 12, 1, tzinfo=UTC)
        assert found("openai", "gpt-4.1", at=later, book=book) == "*/gpt-4.1@2026-12-01"

    def test_before_its_date_an_entry_of_the_overlay_does_not_hold(self, book: PriceBook) -> None:
        assert found("openai", "my-model", at=datetime(2025, 12, 31, tzinfo=UTC), book=book) is None

    def test_its_names_are_listed_first(self, book: PriceBook) -> None:
        assert book.names("openai")[:3] == ["My-Model", "gpt-4o", "gpt-4.1"]
        assert book.names("vllm") == ["My-Model", "gpt-4.1"]
        assert "gpt-5-mini" in book.names("openai")

    def test_it_changes_the_version(self, book: PriceBook) -> None:
        assert book.version != BOOK.version
        assert load_book(PricingSettings()).version == BOOK.version


class TestAssumed:
    BOOK = load_book(PricingSettings(assume_usd_per_mtok=AssumedRates(input=Decimal(30), output=Decimal(150))))

    def test_it_prices_what_nobody_prices(self) -> None:
        one = self.BOOK.find("vllm", ["anything"], NOW)
        assert one is not None
        assert (one.source, price(ONE_MILLION_IN, one, NOW).cost) == ("assumed", 30_000_000_000)

    def test_it_never_goes_before_a_known_price(self) -> None:
        assert found("openai", "gpt-4o", book=self.BOOK) == "openai/gpt-4o"

    def test_it_is_part_of_the_version(self) -> None:
        assert self.BOOK.version != BOOK.version


class TestAdjustments:
    BOOK = load_book(
        PricingSettings(
            adjustments=(
                Adjustment(multiplier=Decimal("0.8"), provider="openai", model="gpt-5*"),
                Adjustment(multiplier=Decimal("0.9"), provider="openai"),
            )
        )
    )

    @pytest.mark.parametrize(("model", "paid"), [("gpt-5", "1"), ("gpt-4o", "2.25")])
    def test_what_is_paid_differs_from_the_list_price(self, model: str, paid: str) -> None:
        one = self.BOOK.find("openai", [model], NOW)
        listed = BOOK.find("openai", [model], NOW)
        assert one is not None
        assert listed is not None
        bill = price(ONE_MILLION_IN, one, NOW)
        assert bill.lines[0].usd == paid
        assert bill.list_cost == price(ONE_MILLION_IN, listed, NOW).cost
        assert bill.cost < bill.list_cost

    def test_other_providers_pay_the_list_price(self) -> None:
        one = self.BOOK.find("azure", ["gpt-4o"], NOW)
        assert one is not None
        bill = price(ONE_MILLION_IN, one, NOW)
        assert bill.cost == bill.list_cost


def test_settings_that_make_no_sense_are_all_told() -> None:
    with pytest.raises(BadPrices) as raised:
        load_book(
            PricingSettings(
                assume_usd_per_mtok=AssumedRates(input=Decimal("0.000003"), output=Decimal("NaN")),
                adjustments=(Adjustment(multiplier=Decimal(-1)),),
                overlay=Path("nowhere/prices.yaml"),
            )
        )
    places = [complaint.split(":")[0] for complaint in raised.value.complaints]
    assert places == [
        "prices.assume_usd_per_mtok.input",
        "prices.assume_usd_per_mtok.output",
        "prices.adjustments[0].multiplier",
        "prices.overlay",
    ]
