"""Prices of images, seconds, characters and calls: exact, adjusted like others, the dearest where words fail."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from proxy.core.usage import Usage
from proxy.pricing import BadPrices, Price, PricingSettings, load_book, price, worst_units
from proxy.pricing.entry import Entry

AT = datetime(2026, 11, 30, tzinfo=UTC)
FREE: dict[str, Any] = {"input_usd_per_mtok": Decimal(0), "output_usd_per_mtok": Decimal(0)}
IMAGES = {
    "high/1024x1024": Decimal("0.167"),
    "low": Decimal("0.011"),
    "512x512": Decimal("0.018"),
    "any": Decimal("0.3"),
}


def of(adjustment: str = "1", **fields: Any) -> Price:
    return Price("p/m", "test", Entry(**FREE, **fields), Decimal(adjustment))


@pytest.mark.parametrize(
    ("fields", "units", "nano"),
    [
        ({"image_usd": IMAGES}, {"image:high/1024x1024": 3}, 501_000_000),
        ({"image_usd": IMAGES}, {"image:low/2048x2048": 1}, 11_000_000),
        ({"image_usd": IMAGES}, {"image:medium/512x512": 1}, 18_000_000),
        ({"image_usd": IMAGES}, {"image:medium/1x1": 1}, 300_000_000),
        ({"second_usd": Decimal("0.0001")}, {"millisecond": 8_475}, 847_500),
        ({"second_usd": Decimal("0.000283333333")}, {"millisecond": 3}, 850),
        ({"character_usd_per_million": Decimal(15)}, {"character": 9}, 135_000),
        ({"call_usd_per_1k": Decimal("2.5")}, {"call": 2}, 5_000_000),
    ],
)
def test_a_unit_costs_what_is_written(fields: dict[str, Any], units: dict[str, int], nano: int) -> None:
    priced = price(Usage(units=units), of(**fields), AT)
    assert (priced.cost, priced.list_cost, priced.unpriced) == (nano, nano, ())
    (line,) = priced.lines
    assert (line.bucket, line.quantity) == next(iter(units.items()))
    assert Decimal(line.usd) * 10**9 - nano < 1
    assert worst_units(of(**fields), units) >= priced.cost


def test_an_adjustment_lowers_what_is_paid_and_not_the_list() -> None:
    priced = price(Usage(units={"character": 1_000_000}), of("0.9", character_usd_per_million=Decimal(15)), AT)
    assert (priced.cost, priced.list_cost) == (13_500_000_000, 15_000_000_000)


def test_a_unit_without_a_rate_is_named_and_not_in_the_sum() -> None:
    priced = price(Usage(units={"millisecond": 1}), of(character_usd_per_million=Decimal(15)), AT)
    assert (priced.cost, priced.unpriced) == (0, ("millisecond",))


@pytest.mark.parametrize(
    ("quality", "size", "unit"),
    [
        ("high", "1024x1024", "high/1024x1024"),
        ("low", "", "512x512"),
        ("", "512x512", "512x512"),
        ("", "", "any"),
        ("medium", "", "any"),
        ("", "1024x1024", "any"),
    ],
)
def test_what_a_request_leaves_open_may_be_the_dearest(quality: str, size: str, unit: str) -> None:
    assert of(image_usd=IMAGES).dearest_image(quality, size) == f"image:{unit}"


def overlay(folder: Path, text: str) -> PricingSettings:
    (folder / "prices.yaml").write_text(f"models: {{m: {{input_usd_per_mtok: 0, output_usd_per_mtok: 0, {text}}}}}\n")
    return PricingSettings(overlay=folder / "prices.yaml")


def test_an_overlay_has_the_same_fields(tmp_path: Path) -> None:
    text = "image_usd: {high/1024x1024: 0.167}, second_usd: 0.0001, character_usd_per_million: 15, call_usd_per_1k: 2.5"
    found = load_book(overlay(tmp_path, text)).find("openai", ["m"], AT)
    assert found is not None
    units = {"image:high/1024x1024": 1, "millisecond": 1000, "character": 100, "call": 4}
    assert price(Usage(units=units), found, AT).cost == 167_000_000 + 100_000 + 1_500_000 + 10_000_000


@pytest.mark.parametrize("text", ["second_usd: -1", "second_usd: 1001", "image_usd: {any: x}", "image_usd: 0.1"])
def test_a_price_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadPrices, match=r"models\.m\.(second_usd|image_usd)"):
        load_book(overlay(tmp_path, text))


@pytest.mark.parametrize(
    ("provider", "model", "units", "nano"),
    [
        ("openai", "tts-1", {"character": 1000}, 15_000_000),
        ("openai", "whisper-1", {"millisecond": 60_000}, 6_000_000),
        ("groq", "whisper-large-v3", {"millisecond": 3_600_000}, 110_988_000),
        ("xai", "grok-imagine-image-2.0", {"image:low/1024x1024": 1, "image:any": 1}, 100_000_000),
    ],
)
def test_the_book_has_prices_by_unit(provider: str, model: str, units: dict[str, int], nano: int) -> None:
    found = load_book(PricingSettings()).find(provider, [model], AT)
    assert found is not None
    assert price(Usage(units=units), found, AT).cost == nano
