"""What flyball.yaml says of a route's further attempts: at other targets, at the same one again, side by side."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, TypeAlias

Trigger: TypeAlias = Literal[
    "unreachable",
    "rate_limited",
    "overloaded",
    "server_error",
    "timeout",
    "broken",
    "slow_start",
    "context_length",
    "content_filter",
    "invalid_json",
]
"""The classes of what goes wrong before a client has got a byte."""
USUAL: Final[tuple[Trigger, ...]] = (
    "unreachable",
    "rate_limited",
    "overloaded",
    "server_error",
    "timeout",
    "broken",
    "slow_start",
    "context_length",
)
MOST_ATTEMPTS: Final = 16
LONGEST_S: Final = 3600
MOST_HELD_BACK: Final = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class FallbackSettings:
    """When a call goes on to the route's next target, and how far."""

    when: tuple[Trigger, ...] = field(
        default=USUAL,
        metadata={
            "doc": "What of a target sends a call on to the next one, before its client has got a byte: no connection "
            "(`unreachable`), 429 (`rate_limited`), 529 or an error that says so (`overloaded`), any other 5xx "
            "(`server_error`), no answer in time (`timeout`), one that broke off or is none (`broken`), no first token "
            "within `slow_start_ms` (`slow_start`), a prompt that is too long for the model, a content filter, or an "
            "answer that is not the JSON that was asked for. An empty list: never."
        },
    )
    max_attempts: int = field(
        default=3,
        metadata={"doc": "How many requests one call may cause upstream, of whatever kind."},
    )
    max_s: float = field(
        default=300.0,
        metadata={"doc": "No further request begins later than this after the first one, waits included."},
    )
    max_cost_ratio: Decimal | None = field(
        default=None,
        metadata={
            "doc": "What a call may cost at most with all its requests, as a multiple of its worst case at the first "
            "target: a dearer target is not asked. Unset: what its budgets cover."
        },
    )
    slow_start_ms: int | None = field(
        default=None,
        metadata={
            "doc": "How long the first token of a stream may take before the next target is asked in the place of "
            "this one. Unset: as long as it takes."
        },
    )
    hold_back_ms: int = field(
        default=10_000,
        metadata={
            "doc": "How long a stream's events that are no output yet are held back, so that another target can still "
            "answer; then they are sent."
        },
    )
    hold_back_bytes: int = field(default=65_536, metadata={"doc": "How many bytes of them are held back."})


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """When the same target is asked again."""

    times: int = field(
        default=0,
        metadata={"doc": "How often a call is sent to a target again that refused it, over all its targets."},
    )
    ratio: float = field(
        default=0.1,
        metadata={"doc": "How many of them a target gets for each call of its, and ten more at the start."},
    )
    base_ms: int = field(
        default=250, metadata={"doc": "The wait before the first is up to this, doubled each time (full jitter)."}
    )
    cap_ms: int = field(default=4000, metadata={"doc": "The longest such wait."})
    retry_after_s: float = field(
        default=10.0,
        metadata={"doc": "A `retry-after` of the provider's is waited for up to this; beyond it nothing is retried."},
    )
    after_sent: bool = field(
        default=False,
        metadata={
            "doc": "Whether a request is repeated that its provider may already have billed (no answer in time, a "
            "connection that broke): only where a provider does not charge for those."
        },
    )


@dataclass(frozen=True, kw_only=True)
class HedgeSettings:
    """When a second target is asked beside the first."""

    after_ms: int | None = field(
        default=None,
        metadata={
            "doc": "How long a stream's first token may take before the next target is asked beside this one; who "
            "answers first serves, the other is dropped, and both are billed. Unset: never."
        },
    )
    ratio: float = field(
        default=0.05,
        metadata={"doc": "How many of them a target gets for each call of its, and ten more at the start."},
    )


def attempt_problems(
    fallback: FallbackSettings, retry: RetrySettings, hedge: HedgeSettings
) -> Iterator[tuple[str, str]]:
    """Key and what is wrong with it, of what cannot be meant so."""
    if fallback.max_cost_ratio is not None and fallback.max_cost_ratio < 1:
        yield "fallback.max_cost_ratio", f"must be at least 1; it is {fallback.max_cost_ratio}"
    within: tuple[tuple[str, float | None, float, float], ...] = (
        ("fallback.max_attempts", fallback.max_attempts, 1, MOST_ATTEMPTS),
        ("fallback.max_s", fallback.max_s, 0.001, LONGEST_S),
        ("fallback.slow_start_ms", fallback.slow_start_ms, 1, LONGEST_S * 1000),
        ("fallback.hold_back_ms", fallback.hold_back_ms, 0, LONGEST_S * 1000),
        ("fallback.hold_back_bytes", fallback.hold_back_bytes, 0, MOST_HELD_BACK),
        ("retry.times", retry.times, 0, MOST_ATTEMPTS - 1),
        ("retry.ratio", retry.ratio, 0, 1),
        ("retry.base_ms", retry.base_ms, 0, LONGEST_S * 1000),
        ("retry.cap_ms", retry.cap_ms, 0, LONGEST_S * 1000),
        ("retry.retry_after_s", retry.retry_after_s, 0, LONGEST_S),
        ("hedge.after_ms", hedge.after_ms, 1, LONGEST_S * 1000),
        ("hedge.ratio", hedge.ratio, 0, 1),
    )
    for key, value, least, most in within:
        if value is not None and not least <= value <= most:
            yield key, f"must be from {least:g} to {most:g}; it is {value:g}"
