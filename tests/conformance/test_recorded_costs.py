"""What the rows of the recorded exchanges cost: by our own book, and by an independent library where it has them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Final

import pytest

from proxy.core.money import to_usd_text
from proxy.core.usage import ToolFee
from proxy.metering import usage_told
from proxy.pricing import PriceBook, Priced, PricingSettings, load_book, price
from proxy.wire.profile import PROFILES
from tests.conformance.test_usage_oracle import AT, FLAVOURS, Case, cases
from tests.harness.recordings import Recording, recordings
from tests.harness.replayed import Replayed, Replays

NANO_USD: Final = Decimal("0.000000001")
UNPRICED: Final = {
    (
        "gemini",
        "gemini-2.5-pro-preview-05-06",
    ): "A preview that Google has withdrawn; its price is in no list of today.",
    ("huggingface", "meta-llama/llama-3.1-8b-instruct"): "The router bills by the backend it chose, and has no list.",
    ("vllm", "facebook/opt-125m"): "A server of one's own: nobody is paid by the token.",
    ("vllm", "meta-llama/Llama-3.2-1B-Instruct"): "A server of one's own: nobody is paid by the token.",
}
"""Recorded models that the shipped book has no price for: their rows cost NULL, never zero."""

IN_THE_ORACLE: Final = (
    "azure-4cfd20-0",
    "groq-d7eebc-1",
    "openai-700903-0",
    "openai-8e9034-0",
    "openai-c78057-0",
    "openai-ef1a22-0",
)
"""Recordings whose very body the oracle has too, with a price."""

CHEAPER_TODAY: Final = ("gpt-5.6",)
"""Models in the oracle whose price has fallen since the day it prices by."""


@cache
def readings() -> tuple[Case, ...]:
    return tuple(cases())


billed = pytest.mark.parametrize("recording", [r for r in recordings() if r.usage is not None], ids=lambda r: r.name)


@cache
def book() -> PriceBook:
    return load_book(PricingSettings())


@billed
def test_a_row_costs_what_the_book_says(replays: Replays, recording: Recording) -> None:
    """The same bill, made here from the recorded usage and the shipped book alone."""
    for outcome in replays.of(recording.name):
        row = outcome.row
        bill = bill_of(outcome, datetime.fromisoformat(row["charged_at"]).replace(tzinfo=UTC))
        if bill is None:
            assert row["cost_usd"] is None, outcome.case.name
            continue
        assert Decimal(row["cost_usd"]) == Decimal(to_usd_text(bill.cost)), outcome.case.name
        lines = json.loads(outcome.attempt["price_lines"])
        exact = sum((Decimal(line["usd"]) for line in lines), Decimal(0))
        assert exact.quantize(NANO_USD, ROUND_HALF_EVEN) == Decimal(row["cost_usd"])


def bill_of(outcome: Replayed, at: datetime) -> Priced | None:
    row, recording = outcome.row, outcome.case.recording
    profile = PROFILES[recording.profile]
    usage = usage_told(
        recording.dialect,
        json.dumps(recording.usage).encode(),
        arithmetic=profile.arithmetic,
        endpoint=recording.endpoint,
        service_tier=row["service_tier"] or None,
        tool_calls={ToolFee(name): int(count) for name, count in row["tool_fees"].items()},
    )
    entry = book().find(profile.price_provider, [row["model"], recording.model, row["requested_model"]], at)
    return None if entry is None else price(usage, entry, at, service_tier=row["service_tier"] or None)


@billed
def test_a_recorded_model_has_a_price(replays: Replays, recording: Recording) -> None:
    costs = {outcome.row["cost_usd"] for outcome in replays.of(recording.name)}
    assert (costs == {None}) == ((recording.profile, recording.model) in UNPRICED)


def test_a_row_costs_what_the_oracle_says(replays: Replays) -> None:
    """Its tokens do, to the nano-dollar, wherever the oracle has that very body and our book has the model.

    The oracle prices by a day in 2025 and knows no tool fees; docs/oracle-differences.md has what else is different.
    """
    compared = set()
    for recording in recordings():
        for outcome in replays.of(recording.name):
            for told in same_body(recording, outcome.row["model"]):
                compared.add(recording.name)
                bill = bill_of(outcome, AT)
                assert bill is not None
                tokens = [Decimal(line.usd) for line in bill.lines if line.bucket not in set(ToolFee)]
                assert sum(tokens) == told, outcome.case.name
                same_today = Decimal(outcome.row["cost_usd"]) == Decimal(to_usd_text(bill.cost))
                assert same_today == (recording.model not in CHEAPER_TODAY)
    assert not recordings() or compared == set(IN_THE_ORACLE)


def same_body(recording: Recording, answered: str) -> Iterator[Decimal]:
    """The oracle's prices of that very usage and model, as that provider's and endpoint's."""
    for case in readings():
        profile, endpoint = FLAVOURS[case.provider, case.flavour]
        same = (profile.name, case.raw) == (recording.profile, recording.usage)
        here = endpoint is recording.endpoint or case.flavour == "default"
        named = case.model in (recording.model, answered) and (profile.name, case.model) not in UNPRICED
        if case.oracle_price is not None and same and here and named:
            yield case.oracle_price
