"""Bills that other proxies got wrong, recomputed from the numbers their users reported, through reader and price both.

Sources: BerriAI/litellm#9812 and #14849, maximhq/bifrost#904 and #3451 (usage and the right sum stand in the issues).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from proxy.core.usage import Usage
from proxy.metering import normalise
from proxy.pricing import PricingSettings, load_book, price
from proxy.wire.endpoint import Endpoint
from proxy.wire.profile import Arithmetic

AT: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Bill:
    """`rates` are USD per million for plain, cached, written and output; `book` is where the shipped book has them."""

    plain: int
    cached: int
    written: int
    output: int
    rates: tuple[str, str, str, str]
    nano: int
    book: tuple[str, str] | None


BILLS: Final[Mapping[str, Bill]] = {
    "gpt-5.6, two libraries agree": Bill(300, 400, 300, 100, ("4", "0.4", "5", "20"), 4_860_000, ("openai", "gpt-5.6")),
    "litellm#9812": Bill(
        3, 0, 12_304, 550, ("3", "0.3", "3.75", "15"), 54_399_000, ("anthropic", "claude-3-7-sonnet-20250219")
    ),
    "bifrost#3451": Bill(
        6, 0, 159_217, 2_745, ("5", "0.5", "6.25", "25"), 1_063_761_250, ("anthropic", "claude-opus-4-7")
    ),
    # The reporter reckoned with his own rates; the book's are dearer above 200,000 tokens.
    "litellm#14849": Bill(5_005, 257_955, 0, 1_744, ("1.25", "0.625", "1.25", "10"), 184_918_125, None),
    "bifrost#904": Bill(
        51_232, 1_188_096, 0, 12_909, ("1.25", "0.125", "1.25", "10"), 341_642_000, ("openai", "gpt-5")
    ),
}


def chat(bill: Bill) -> dict[str, Any]:
    prompt = bill.plain + bill.cached + bill.written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": bill.output,
        "total_tokens": prompt + bill.output,
        "prompt_tokens_details": {"cached_tokens": bill.cached, "cache_write_tokens": bill.written},
    }


def responses(bill: Bill) -> dict[str, Any]:
    told = chat(bill)
    return {
        "input_tokens": told["prompt_tokens"],
        "output_tokens": told["completion_tokens"],
        "total_tokens": told["total_tokens"],
        "input_tokens_details": told["prompt_tokens_details"],
    }


SHAPES: Final = {Endpoint.CHAT: chat, Endpoint.RESPONSES: responses}


def read(bill: Bill, endpoint: Endpoint) -> Usage:
    raw = json.dumps(SHAPES[endpoint](bill)).encode()
    usage = normalise(raw, arithmetic=Arithmetic.OPENAI, endpoint=endpoint, service_tier=None, tool_calls={})
    assert usage.flaws == ()
    return usage


@pytest.mark.parametrize("endpoint", SHAPES)
@pytest.mark.parametrize("name", BILLS)
def test_the_bill_at_a_custom_price(name: str, endpoint: Endpoint, tmp_path: Path) -> None:
    bill = BILLS[name]
    keys = ("input", "cache_read", "cache_write", "output")
    rates = ", ".join(f"{key}_usd_per_mtok: {rate}" for key, rate in zip(keys, bill.rates, strict=True))
    overlay = tmp_path / "prices.yaml"
    overlay.write_text(f"models: {{custom: {{{rates}}}}}")
    found = load_book(PricingSettings(overlay=overlay)).find("", ["custom"], AT)
    assert found is not None
    assert price(read(bill, endpoint), found, AT).cost == bill.nano


@pytest.mark.parametrize("endpoint", SHAPES)
@pytest.mark.parametrize("name", [name for name, bill in BILLS.items() if bill.book])
def test_the_bill_at_the_books_price(name: str, endpoint: Endpoint) -> None:
    bill = BILLS[name]
    assert bill.book is not None
    provider, model = bill.book
    found = load_book(PricingSettings()).find(provider, [model], AT)
    assert found is not None
    assert price(read(bill, endpoint), found, AT).cost == bill.nano
