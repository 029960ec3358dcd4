"""Our buckets and costs of Gemini's own usage objects against an independent library's, over every recorded one.

Where we differ, the reason stands here. `test_usage_oracle.py` does the same for the OpenAI dialect.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pytest

from proxy.core.usage import Bucket, Usage
from proxy.metering import usage_told
from proxy.pricing import PricingSettings, load_book, price
from proxy.wire.endpoint import Endpoint
from proxy.wire.profile import PROFILES
from tests.harness.recordings import RECORDINGS

ORACLE: Final = RECORDINGS / "usage-oracle.json"
AT: Final = datetime(2025, 7, 1, 12, tzinfo=UTC)
"""The day the oracle prices by."""
BUCKETS: Final = {
    "cache_read_tokens": Bucket.CACHE_READ,
    "input_audio_tokens": Bucket.AUDIO_INPUT,
    "input_image_tokens": Bucket.IMAGE_INPUT,
    "output_reasoning_tokens": Bucket.REASONING,
    "output_audio_tokens": Bucket.AUDIO_OUTPUT,
    "output_image_tokens": Bucket.IMAGE_OUTPUT,
}
CACHED_MEDIA: Final = frozenset({"input_audio_tokens", "input_image_tokens"})
"""The oracle counts cached sound and pictures twice, as cached and as what they are; with us no token is in two."""
CACHED_SOUND: Final = frozenset({476})
"""Priced otherwise: Google's rate for cached sound is not the one for cached text, and CACHE_READ has one rate."""
NOT_IN_OUR_BOOK: Final = frozenset({"gemini-2.0-flash-exp"})
"""It was free, and is gone: neither of our sources has a price for it."""


@dataclass(frozen=True)
class Case:
    """One usage object, and what the oracle makes of it."""

    number: int
    model: str
    raw: dict[str, Any]
    tokens: dict[str, int]
    usd: Decimal | None


def cases() -> Iterator[Case]:
    for number, entry in enumerate(json.loads(ORACLE.read_text()) if ORACLE.exists() else ()):
        raw = entry["body"].get("usageMetadata")
        for extracted in entry["extracted"]:
            for each in extracted["extractors"] if raw is not None else ():
                if (each["provider_id"], each["api_flavor"]) == ("google", "default"):
                    parts = [each.get("input_price"), each.get("output_price")]
                    usd = None if None in parts else sum((Decimal(part) for part in parts), Decimal(0))
                    yield Case(number, entry.get("model") or "", raw, extracted["usage"], usd)


def ours(case: Case) -> Usage:
    return usage_told(
        "gemini",
        json.dumps(case.raw).encode(),
        arithmetic=PROFILES["gemini"].arithmetic,
        endpoint=Endpoint.GENERATE_CONTENT,
        service_tier=None,
        tool_calls={},
    )


@pytest.fixture(scope="module")
def every_case() -> list[Case]:
    found = list(cases())
    if not found:
        print(f"not run: no {ORACLE}")  # noqa: T201  said to whoever runs the tests
        assert "CI" not in os.environ
    assert not found or len(found) == 227
    return found


def test_tokens_are_the_oracles(every_case: list[Case]) -> None:
    for case in every_case:
        usage = ours(case)
        assert usage.flaws == ()
        told = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
        told |= {name: usage.count(bucket) for name, bucket in BUCKETS.items()}
        differing = {name for name, count in told.items() if count != case.tokens.get(name, 0)}
        assert not differing or (differing <= CACHED_MEDIA and "cacheTokensDetails" in case.raw), case


def test_costs_are_the_oracles_where_both_have_a_price(every_case: list[Case]) -> None:
    book, compared = load_book(PricingSettings()), 0
    for case in every_case:
        found = book.find("gemini", [case.model], AT)
        if case.usd is None:
            continue
        if found is None:
            assert case.model in NOT_IN_OUR_BOOK
            continue
        cost = sum((Decimal(line.usd) for line in price(ours(case), found, AT).lines), Decimal(0))
        assert (cost == case.usd) is (case.number not in CACHED_SOUND), case
        compared += 1
    assert not every_case or compared > 200
