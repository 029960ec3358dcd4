"""An overlay is read exactly as written, and everything that is wrong with it is said at once with its place."""

from decimal import Decimal

import pytest

from proxy.core.usage import ToolFee
from proxy.pricing.overlay import BadPrices, OverlayEntry, read_overlay

WHOLE = """
models:
  my-model:
    provider: local
    since: 2026-01-01
    source: contract 4711
    note: until the end of the year
    also: [my-model-2, other]
    input_usd_per_mtok: 0.1
    cache_read_usd_per_mtok: 0.0123456789
    output_usd_per_mtok: 100
    reasoning_usd_per_mtok: 0
    max_input_tokens: 1000
    max_output_tokens: 2000
    context:
      - {above_tokens: 272000, input_usd_per_mtok: 3, output_usd_per_mtok: 4}
      - {above_tokens: 200000, input_usd_per_mtok: 2, output_usd_per_mtok: 3}
    service_tiers: {flex: {multiplier: 0.5, context: [{above_tokens: 200000, input_usd_per_mtok: 1}]}}
    off_peak: {input_usd_per_mtok: 0.05, windows: [{days: [6, 7], hours_utc: ["00:00-24:00"]}]}
    regions: {eu: 1.1}
    tool_fees_usd_per_1k_calls: {web_search: 12.5}
"""


def one(text: str) -> OverlayEntry:
    (entry,) = read_overlay(text.encode(), "prices.yaml")
    return entry


def complaints(text: str) -> list[str]:
    with pytest.raises(BadPrices) as raised:
        read_overlay(text.encode(), "prices.yaml")
    return list(raised.value.complaints)


def line(fields: str) -> str:
    return f"models: {{m: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2, {fields}}}}}"


def test_every_field_is_read_from_its_literal_text() -> None:
    read = one(WHOLE)
    entry = read.entry
    assert (read.provider, read.model, entry.source, str(entry.since)) == (
        "local",
        "my-model",
        "contract 4711",
        "2026-01-01",
    )
    assert entry.input_usd_per_mtok == Decimal("0.1")
    assert entry.cache_read_usd_per_mtok == Decimal("0.0123456789")
    assert entry.reasoning_usd_per_mtok == 0
    assert [tier.above_tokens for tier in entry.context] == [200_000, 272_000]
    assert entry.service_tiers["flex"].multiplier == Decimal("0.5")
    assert entry.service_tiers["flex"].context[0].input_usd_per_mtok == 1
    assert entry.off_peak is not None
    assert entry.off_peak.windows[0].days == [6, 7]
    assert entry.regions == {"eu": Decimal("1.1")}
    assert entry.tool_fees_usd_per_1k_calls == {ToolFee.WEB_SEARCH: Decimal("12.5")}
    assert (entry.max_input_tokens, entry.max_output_tokens, entry.also) == (1000, 2000, ["my-model-2", "other"])


@pytest.mark.parametrize("text", ["", "models: {}", "# nothing yet\n"])
def test_an_empty_overlay_is_fine(text: str) -> None:
    assert read_overlay(text.encode(), "prices.yaml") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (line("input_usd_per_mtoken: 3"), "m.input_usd_per_mtoken: unknown key; did you mean input_usd_per_mtok?"),
        (line("context: [{input_usd_per_mtok: 3}]"), "m.context: above_tokens is missing"),
        (line("service_tiers: {flex: {factor: 1}}"), "m.service_tiers.flex.factor: unknown key"),
        (line("cache_read_usd_per_mtok: 0.0000003"), "looks like dollars per token; the unit is USD per MILLION"),
        (line("cache_read_usd_per_mtok: 100001"), "is not between 0 and 100000 USD per million tokens"),
        (line("cache_read_usd_per_mtok: -1"), "is not between 0 and 100000"),
        (line("cache_read_usd_per_mtok: .nan"), "'.nan' is not a number"),
        (line("cache_read_usd_per_mtok: NaN"), "is not between 0 and"),
        (line("cache_read_usd_per_mtok: ten"), "'ten' is not a number"),
        (line("cache_read_usd_per_mtok: 1e-7"), "looks like dollars per token"),
        (line("cache_read_usd_per_mtok: 1.1234567890123"), "more than 12 digits"),
        (line("cache_read_usd_per_mtok: [1]"), "must be a single value"),
        (line("cache_read_usd_per_mtok: 1, cache_read_usd_per_mtok: 2"), "stands here twice"),
        (line("since: soon"), "'soon' is not a date"),
        (line("max_output_tokens: many"), "is not a number of tokens"),
        (line("regions: {eu: 1000}"), "is not a factor between 0 and 100"),
        (line("regions: [eu]"), "m.regions: must be a mapping"),
        (line("service_tiers: {flex: {multiplier: 0.33333}}"), "more than 4 digits"),
        (line("tool_fees_usd_per_1k_calls: {time_travel: 1}"), "no tool of that name; known are web_search"),
        (line("tool_fees_usd_per_1k_calls: {web_search: -1}"), "is not between 0 and"),
        (line("off_peak: {windows: [{days: [0], hours_utc: ['00:00-24:00']}]}"), "is not a day of the week"),
        (line("off_peak: {windows: [{days: [1], hours_utc: ['22:00-04:00']}]}"), "ends before it starts"),
        (line("off_peak: {windows: [{days: [1], hours_utc: ['9-10']}]}"), "are not hours like"),
        (line("off_peak: {}"), "windows is missing"),
        (line("also: other"), "m.also: must be a list"),
        ("models: {m: {output_usd_per_mtok: 2}}", "models.m: input_usd_per_mtok is missing (0 if it is free)"),
        ("models: {m: 3}", "models.m: must be a mapping"),
        ("models: [m]", "models: must be a mapping"),
        ("prices: {}", "prices: unknown key; an overlay has `models`"),
        ("[1, 2]", "the file: must be a mapping"),
        ("{a: 1", "not YAML"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    (complaint,) = complaints(text)
    assert said in complaint


def test_everything_wrong_is_said_at_once_with_its_line() -> None:
    text = (
        "models:\n  a:\n    input_usd_per_mtok: 0.000003\n    output_usd_per_mtok: x\n"
        "  b: {input_usd_per_mtok: 1}\n  c: {colour: red, input_usd_per_mtok: 1, output_usd_per_mtok: 1}\nmore: 1\n"
    )
    assert [complaint.rsplit(": ", 1)[0].split(": ")[0] for complaint in complaints(text)] == [
        "prices.yaml:3",
        "prices.yaml:4",
        "prices.yaml:5",
        "prices.yaml:6",
        "prices.yaml:7",
    ]


def test_a_price_of_exactly_zero_is_free_on_purpose() -> None:
    assert one("models: {m: {input_usd_per_mtok: 0, output_usd_per_mtok: 0}}").entry.input_usd_per_mtok == 0
