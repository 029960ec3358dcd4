"""Our buckets and costs against an independent library's, over 789 recorded usage bodies.

Where we differ, the difference has a reason, and docs/oracle-differences.md lists it; that page is what `page()` makes.
To write it anew: `python tests/conformance/test_usage_oracle.py > docs/oracle-differences.md`.
"""

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from proxy.core.usage import Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering import usage_told
from proxy.pricing import PriceBook, PricingSettings, load_book, price
from proxy.wire.endpoint import Endpoint
from proxy.wire.profile import PROFILES, Profile

REPOSITORY: Final = Path(__file__).parents[2]
RECORDINGS: Final = Path(os.environ.get("FLYBALL_RECORDINGS", REPOSITORY.parent / "shared" / "recordings"))
ORACLE: Final = RECORDINGS / "usage-oracle.json"
PAGE: Final = REPOSITORY / "docs" / "oracle-differences.md"

AT: Final = datetime(2025, 7, 1, 12, tzinfo=UTC)
"""The day the oracle prices by, as its choice among dated prices shows."""

FLAVOURS: Final[dict[tuple[str, str], tuple[Profile, Endpoint]]] = {
    ("openai", "chat"): (PROFILES["openai"], Endpoint.CHAT),
    ("openai", "responses"): (PROFILES["openai"], Endpoint.RESPONSES),
    ("openai", "embeddings"): (PROFILES["openai"], Endpoint.EMBEDDINGS),
    ("azure", "chat"): (PROFILES["azure"], Endpoint.CHAT),
    ("azure", "responses"): (PROFILES["azure"], Endpoint.RESPONSES),
    ("azure", "embeddings"): (PROFILES["azure"], Endpoint.EMBEDDINGS),
    ("mistral", "default"): (PROFILES["mistral"], Endpoint.CHAT),
    ("groq", "default"): (PROFILES["groq"], Endpoint.CHAT),
    ("deepseek", "chat"): (PROFILES["deepseek"], Endpoint.CHAT),
    ("openrouter", "chat"): (PROFILES["openrouter"], Endpoint.CHAT),
    ("huggingface_together", "chat"): (PROFILES["together"], Endpoint.CHAT),
    ("x-ai", "chat"): (PROFILES["xai"], Endpoint.CHAT),
    ("x-ai", "default"): (PROFILES["xai"], Endpoint.CHAT),
    ("zai", "chat"): (PROFILES["zai"], Endpoint.CHAT),
    ("google", "chat"): (PROFILES["gemini"], Endpoint.CHAT),
    ("anthropic", "default"): (PROFILES["anthropic"], Endpoint.MESSAGES),
}

BUCKETS: Final = {
    "cache_read_tokens": Bucket.CACHE_READ,
    "cache_write_tokens": Bucket.CACHE_WRITE,
    "input_audio_tokens": Bucket.AUDIO_INPUT,
    "input_image_tokens": Bucket.IMAGE_INPUT,
    "output_reasoning_tokens": Bucket.REASONING,
    "output_audio_tokens": Bucket.AUDIO_OUTPUT,
    "output_image_tokens": Bucket.IMAGE_OUTPUT,
}

CACHED_ELSEWHERE: Final = (
    "Cached tokens stand outside `prompt_tokens_details` (`num_cached_tokens`, `cached_tokens`). The oracle does not"
    " read them there; we read them wherever they are told, for the names mean nothing else."
)
EMBEDDINGS_READS_PROMPT: Final = (
    "The oracle's embeddings flavour reads `prompt_tokens` only. The body is a chat body: no embeddings answer has"
    " cached or written tokens."
)
WRITTEN_UNREAD: Final = (
    "The oracle does not read `cache_write_tokens` in this flavour. They are billed from gpt-5.6 on, so we do."
)
DETAILS_UNREAD: Final = (
    "The oracle does not read this detail in this flavour; we read the same details for every provider."
)
XAI_INSIDE: Final = (
    "The oracle adds reasoning to completion for every body tried as xAI's. In this body (of another provider) the"
    " total is prompt plus completion, so reasoning is inside; adding it would bill it twice. Where the total has room"
    " for it, or is missing, we add it too."
)
GEMINI_TOTAL: Final = "Billable output is total minus prompt: thinking is missing from `completion_tokens`."
COMPACTION: Final = (
    "A compaction is a call of its own, whose tokens are not in Anthropic's totals. The oracle leaves them out; they"
    " are billed, so we add them."
)
OLDER_FLAVOUR: Final = "An older flavour of the same extractor, which reads fewer fields than xAI sends today."

RATES: Final = {
    (
        "azure",
        "gpt-5.6-sol",
    ): "Our book has Azure's price of today only; the oracle takes OpenAI's first one.",
    ("azure", "gpt-oss-120b"): "The oracle falls back to another host's price; ours is Azure's list (litellm 1.109.1).",
    (
        "azure",
        "gpt-4o-audio-preview-2024-12-17",
    ): "The oracle has no audio rate for this model; OpenAI bills audio apart.",
    (
        "openai",
        "gpt-4o-audio-preview-2024-12-17",
    ): "The oracle has no audio rate for this model; OpenAI bills audio apart.",
    (
        "mistral",
        "mistral-large-latest",
    ): "The alias moved to mistral-large-2512 in December 2025; the oracle has the older.",
}


TOKENS: Final = frozenset(bucket.value for bucket in Bucket)


@dataclass(frozen=True)
class Case:
    number: int
    provider: str
    flavour: str
    model: str | None
    raw: dict[str, Any]
    oracle: dict[str, int]
    oracle_price: Decimal | None

    @property
    def where(self) -> str:
        return f"{self.provider}/{self.flavour}"


@dataclass(frozen=True)
class Difference:
    kind: str
    where: str
    what: str
    reason: str
    number: int


def cases() -> Iterator[Case]:
    if not ORACLE.exists():
        return
    for number, entry in enumerate(json.loads(ORACLE.read_text())):
        for extracted in entry["extracted"]:
            for extractor in extracted["extractors"]:
                key = (extractor["provider_id"], extractor["api_flavor"])
                if key in FLAVOURS and "usage" in entry["body"]:
                    parts = (extractor.get("input_price"), extractor.get("output_price"))
                    total = sum((Decimal(part) for part in parts), Decimal(0)) if None not in parts else None
                    yield Case(number, *key, entry.get("model"), entry["body"]["usage"], extracted["usage"], total)


@cache
def book() -> PriceBook:
    return load_book(PricingSettings())


def ours(case: Case) -> Usage:
    profile, endpoint = FLAVOURS[case.provider, case.flavour]
    raw = json.dumps(case.raw).encode()
    return usage_told(
        endpoint.dialect, raw, arithmetic=profile.arithmetic, endpoint=endpoint, service_tier=None, tool_calls={}
    )


def in_their_words(usage: Usage) -> dict[str, int]:
    told = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    return told | {name: usage.count(bucket) for name, bucket in BUCKETS.items()}


def from_their_words(told: dict[str, int]) -> Usage:
    tokens = {bucket: told.get(name, 0) for name, bucket in BUCKETS.items()}
    outputs = (Bucket.REASONING, Bucket.AUDIO_OUTPUT, Bucket.IMAGE_OUTPUT)
    inside = sum(tokens[bucket] for bucket in outputs)
    tokens[Bucket.OUTPUT] = told.get("output_tokens", 0) - inside
    tokens[Bucket.INPUT] = told.get("input_tokens", 0) - (sum(tokens.values()) - inside - tokens[Bucket.OUTPUT])
    return Usage(tokens=tokens, source=UsageSource.PROVIDER)


def why_usage_differs(case: Case, name: str, usage: Usage) -> str | None:
    raw, theirs, mine = case.raw, case.oracle.get(name, 0), in_their_words(usage)[name]
    inside = raw.get("total_tokens") == raw.get("prompt_tokens", 0) + raw.get("completion_tokens", 0)
    if name == "cache_read_tokens" and theirs == 0 and mine in (raw.get("num_cached_tokens"), raw.get("cached_tokens")):
        return CACHED_ELSEWHERE
    if case.flavour == "embeddings" and theirs == 0 and name in BUCKETS:
        return EMBEDDINGS_READS_PROMPT
    if (
        case.where == "x-ai/chat"
        and name == "output_tokens"
        and inside
        and theirs - mine == usage.count(Bucket.REASONING)
    ):
        return XAI_INSIDE
    if case.where == "x-ai/default" and theirs == 0 and name in BUCKETS:
        return OLDER_FLAVOUR
    if case.provider == "google" and name in ("output_tokens", "output_reasoning_tokens") and mine > theirs:
        return GEMINI_TOTAL if usage.completion_tokens == raw["total_tokens"] - raw["prompt_tokens"] else None
    if case.provider == "anthropic" and any(each["type"] == "compaction" for each in raw.get("iterations") or ()):
        return COMPACTION
    if name == "cache_write_tokens" and theirs == 0:
        return WRITTEN_UNREAD
    if name in BUCKETS and theirs == 0 and mine > 0:
        return DETAILS_UNREAD
    return None


def usage_differences(case: Case) -> Iterator[Difference]:
    usage = ours(case)
    for name, mine in in_their_words(usage).items():
        if mine != case.oracle.get(name, 0):
            reason = why_usage_differs(case, name, usage) or f"UNEXPLAINED: {mine} ≠ {case.oracle.get(name, 0)}"
            yield Difference("usage", case.where, f"`{name}`", reason, case.number)


def price_differences(case: Case) -> Iterator[Difference]:
    if case.oracle_price is None or case.model is None:
        return
    provider = FLAVOURS[case.provider, case.flavour][0].price_provider
    found = book().find(provider, [case.model], AT)
    if found is None:
        yield Difference(
            "price", case.where, f"`{case.model}`", "Our book does not have this model there.", case.number
        )
        return
    if exact(ours(case), found) == case.oracle_price:
        return
    if exact(from_their_words(case.oracle), found) == case.oracle_price:
        reason = "Same rates; the usage differs, see above."
    else:
        reason = RATES.get((provider, case.model), f"UNEXPLAINED: {case.oracle_price}")
    yield Difference("price", case.where, f"`{case.model}`", reason, case.number)


def exact(usage: Usage, found: Any) -> Decimal:
    """What the tokens cost; fees of tools are no part of the oracle's prices."""
    lines = price(usage, found, AT).lines
    return sum((Decimal(line.usd) for line in lines if line.bucket in TOKENS), Decimal(0))


@cache
def differences() -> tuple[Difference, ...]:
    return tuple(d for case in cases() for d in (*usage_differences(case), *price_differences(case)))


def page() -> str:
    found: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
    for d in differences():
        found[d.kind, d.reason, d.where, d.what].append(d.number)
    everything = list(cases())
    priced = sum(case.oracle_price is not None for case in everything)
    lines = [
        "# Where we differ from the oracle",
        "",
        "`usage-oracle.json` (from pydantic/genai-prices, MIT) holds recorded usage bodies with the tokens and the",
        "price an independent library makes of them, each tried as every provider's. This page lists every difference",
        f"over the flavours of served dialects: {len(everything)} readings of"
        f" {len({c.number for c in everything})} bodies, of which {priced} have a price.",
        "It is made and checked by `tests/conformance/test_usage_oracle.py`: a difference that is not here fails, and",
        f"so does one that has gone. Prices are compared exactly, before rounding, as of {AT:%Y-%m-%d}: the day the",
        "oracle prices by. Numbers are positions in the file, counted from 0.",
    ]
    for kind, title in (("usage", "Usage"), ("price", "Price")):
        lines += ["", f"## {title}"]
        for reason in sorted({key[1] for key in found if key[0] == kind}):
            lines += ["", reason, ""]
            for (_, _, where, what), numbers in sorted(item for item in found.items() if item[0][:2] == (kind, reason)):
                lines.append(f"- {where} {what}: {', '.join(map(str, numbers))}")
    return "\n".join(lines) + "\n"


def test_the_oracle_is_there() -> None:
    """An absent oracle is told, and is a failure where CI runs."""
    if not ORACLE.exists():
        print(f"not run: no {ORACLE}")  # noqa: T201  said to whoever runs the tests
        assert "CI" not in os.environ


def test_every_difference_has_a_reason() -> None:
    assert [d for d in differences() if d.reason.startswith("UNEXPLAINED")] == []


def test_the_page_lists_exactly_the_differences_there_are() -> None:
    assert not ORACLE.exists() or PAGE.read_text() == page(), (
        f"run: python {Path(__file__).relative_to(REPOSITORY)} > {PAGE.relative_to(REPOSITORY)}"
    )


def test_most_readings_agree() -> None:
    """So that a reading that stopped happening cannot pass as agreement."""
    readings = Counter(case.where for case in cases())
    if not readings:
        return
    assert sum(readings.values()) == 3242
    differing = {(d.where, d.number) for d in differences() if d.kind == "usage"}
    assert readings["anthropic/default"] - len({n for w, n in differing if w == "anthropic/default"}) == 229
    own = [("openai/responses", 230), ("openai/chat", 179), ("groq/default", 176), ("openrouter/chat", 179)]
    for where, agreeing in own:
        assert readings[where] - len({n for w, n in differing if w == where}) == agreeing


@pytest.mark.parametrize("case", [c for c in cases() if c.where == "openrouter/chat" and "cost" in c.raw])
def test_a_cost_stated_by_openrouter_is_kept_to_the_nano_dollar(case: Case) -> None:
    stated = ours(case).stated_cost
    upstream = case.raw["cost_details"].get("upstream_inference_cost") if case.raw.get("is_byok") else None
    expected = (Decimal(str(case.raw["cost"])) + Decimal(str(upstream or 0))) * 10**9
    assert stated is not None
    assert abs(stated - expected) <= Decimal("0.5")


def test_only_gemini_bodies_read_as_somebody_elses_leave_a_total_unexplained() -> None:
    readings = [case for case in cases() if case.where in ("openai/chat", "openai/responses", "google/chat")]
    flawed = {(case.where, case.model) for case in readings if Flaw.TOTAL_UNEXPLAINED in ours(case).flaws}
    assert not readings or flawed == {("openai/chat", "gemini-2.5-pro-preview-05-06")}


def test_searches_are_counted_as_the_oracle_does() -> None:
    for case in cases():
        if case.provider == "anthropic":
            assert ours(case).tool_calls.get(ToolFee.WEB_SEARCH, 0) == case.oracle.get("web_searches", 0), case.number


if __name__ == "__main__":
    sys.stdout.write(page())
