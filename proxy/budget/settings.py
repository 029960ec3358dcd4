"""What can be set about the ledger, and a budget as flyball.yaml states it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

Enforcement: TypeAlias = Literal["enforce", "observe"]
Action: TypeAlias = Literal["alert", "downgrade", "cache_only", "throttle", "block"]

_SCOPE = (
    "Who it is for: org:acme, overhead:acme (what Flyball itself asks of providers), team:acme/support, "
    "key:acme/support/bot, agent:acme/a, user:acme/u1, run:acme/r or tag:acme/k=v. "
    "A `*` as the last name (user:acme/*) gives every one of them {what} of its own; one that has its "
    "own {own} of the same unit is not counted there."
)
_LENGTH = "How long a rolling window is, such as `90m`, `24h` or `30d`; a minute to 366 days."
_TIMEZONE = "The IANA timezone whose calendar cuts the windows."
_MODELS = "Patterns such as gpt-*; only calls that ask for such a model are counted. Empty counts all."
_LADDER = "What happens at fractions of the limit, in ascending order."
_ENFORCEMENT = "`observe` counts and refuses nothing; rows say what would have been refused."


@dataclass(frozen=True, kw_only=True)
class BudgetSettings:
    """How long holds live and how the ledger waits."""

    lease_s: int = field(
        default=60,
        metadata={"doc": "Seconds a worker's holds outlive its last sign of life; it renews every third of this."},
    )
    first_hold_output_tokens: int = field(
        default=4096,
        metadata={
            "doc": "Output tokens held at first for a call that sets no maximum; the hold is extended in steps of "
            "this as output flows."
        },
    )
    patience_ms: int = field(
        default=1000,
        metadata={"doc": "Milliseconds a call waits for a locked ledger before it is answered 503."},
    )
    batch_steps: int = field(
        default=64,
        metadata={"doc": "Most steps that are put into one transaction of the SQLite ledger."},
    )
    batch_us: int = field(
        default=2000,
        metadata={"doc": "Microseconds after which a transaction of the SQLite ledger takes no further step."},
    )
    max_waiting: int = field(
        default=10_000,
        metadata={"doc": "Holds that may wait for the ledger at once in one worker; more are answered 503."},
    )
    settled_memory_s: int = field(
        default=86_400,
        metadata={"doc": "Seconds for which a settled operation is remembered, so that settling twice counts once."},
    )
    distinct_scopes_per_key: int = field(
        default=100_000,
        metadata={
            "doc": "End users, runs, agents or values of one tag that one key may name per day and worker and have "
            "counted each for itself by a budget for `*`; all that come later share one counter, `(other)`."
        },
    )


@dataclass(frozen=True, kw_only=True)
class RungEntry:
    """One step of a ladder in flyball.yaml; the admin API takes the same words."""

    at: Decimal = field(
        metadata={"doc": "The fraction of the limit above which it happens, such as 0.8; six digits at most."}
    )
    do: Action = field(
        metadata={
            "doc": "What happens: an alert is sent, calls are served by a cheaper model, from a cache only, later, or "
            "not at all."
        }
    )
    to: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"doc": "For `downgrade`: patterns of the models asked for → the model that serves them instead."},
    )
    delay_ms: int | None = field(
        default=None, metadata={"doc": "For `throttle`: milliseconds by which each call is delayed, 1 to 10000."}
    )


@dataclass(frozen=True, kw_only=True)
class BudgetEntry:
    """One entry of `budgets` in flyball.yaml; the admin API takes the same words."""

    name: str = field(metadata={"doc": "What the budget is called; unique among all budgets and limits."})
    scope: str = field(metadata={"doc": _SCOPE.format(what="such a budget", own="budget")})
    limit_usd: Decimal | None = field(
        default=None,
        metadata={
            "doc": "Dollars that may be spent in one window. Exactly one of the three limits is stated; a second limit "
            "is a second budget."
        },
    )
    limit_tokens: int | None = field(default=None, metadata={"doc": "Tokens that may be used in one window."})
    limit_requests: int | None = field(default=None, metadata={"doc": "Calls that may be made in one window."})
    tokens: Literal["total", "input", "output"] = field(
        default="total", metadata={"doc": "Which tokens `limit_tokens` counts."}
    )
    window: Literal["minute", "hour", "day", "week", "month", "quarter", "year", "rolling", "total"] = field(
        default="month",
        metadata={
            "doc": "When it starts over: with each such stretch of the calendar (weeks begin on Monday), never "
            "(`total`), or bit by bit (`rolling`: what is older than `length` no longer counts)."
        },
    )
    length: str = field(default="", metadata={"doc": _LENGTH})
    timezone: str = field(default="UTC", metadata={"doc": _TIMEZONE})
    hard: bool = field(
        default=True, metadata={"doc": "Whether calls that do not fit are refused; a soft budget only counts."}
    )
    opening_spent_usd: Decimal = field(
        default=Decimal(0),
        metadata={"doc": "Dollars already spent, before Flyball, in the window in which this is first said."},
    )
    models: tuple[str, ...] = field(default=(), metadata={"doc": _MODELS})
    ladder: tuple[RungEntry, ...] = field(default=(), metadata={"doc": _LADDER})
    clamp: bool = field(
        default=False,
        metadata={
            "doc": "Whether a call that does not fit is given less output, if enough is left, rather than refused."
        },
    )
    enforcement: Enforcement = field(default="enforce", metadata={"doc": _ENFORCEMENT})


@dataclass(frozen=True, kw_only=True)
class RateLimitEntry:
    """One entry of `rate_limits` in flyball.yaml; the admin API takes the same words."""

    name: str = field(metadata={"doc": "What the limit is called; unique among all limits and budgets."})
    scope: str = field(metadata={"doc": _SCOPE.format(what="such a limit", own="limit")})
    limit_requests: int | None = field(
        default=None,
        metadata={"doc": "Calls that may be made in one window. Exactly one of the three limits is stated."},
    )
    limit_tokens: int | None = field(default=None, metadata={"doc": "Tokens that may be used in one window."})
    limit_concurrent: int | None = field(
        default=None, metadata={"doc": "Calls that may be under way at once; it has no window."}
    )
    tokens: Literal["total", "input", "output"] = field(
        default="total", metadata={"doc": "Which tokens `limit_tokens` counts."}
    )
    window: Literal["minute", "hour", "day", "rolling"] | None = field(
        default=None, metadata={"doc": "When it starts over; `minute` if not stated. `rolling` needs a `length`."}
    )
    length: str = field(default="", metadata={"doc": _LENGTH})
    timezone: str = field(default="UTC", metadata={"doc": _TIMEZONE})
    models: tuple[str, ...] = field(default=(), metadata={"doc": _MODELS})
    ladder: tuple[RungEntry, ...] = field(default=(), metadata={"doc": _LADDER})
    enforcement: Enforcement = field(default="enforce", metadata={"doc": _ENFORCEMENT})
