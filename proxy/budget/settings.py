"""What can be set about the ledger, and a budget as flyball.yaml states it."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal


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
class BudgetEntry:
    """One entry of `budgets` in flyball.yaml; the admin API takes the same words."""

    name: str = field(metadata={"doc": "What the budget is called; unique among all budgets."})
    scope: str = field(
        metadata={
            "doc": "Who it is for: org:acme, team:acme/support, key:acme/support/bot, agent:acme/a, user:acme/u1, "
            "run:acme/r or tag:acme/k=v. A `*` as the last name (user:acme/*) gives every one of them such a budget of "
            "its own; one that has its own budget of the same unit is not counted there."
        }
    )
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
    length: str = field(
        default="",
        metadata={"doc": "How long a rolling window is, such as `90m`, `24h` or `30d`; a minute to 366 days."},
    )
    timezone: str = field(default="UTC", metadata={"doc": "The IANA timezone whose calendar cuts the windows."})
    hard: bool = field(
        default=True, metadata={"doc": "Whether calls that do not fit are refused; a soft budget only counts."}
    )
    opening_spent_usd: Decimal = field(
        default=Decimal(0),
        metadata={"doc": "Dollars already spent, before Flyball, in the window in which this is first said."},
    )
    models: tuple[str, ...] = field(
        default=(),
        metadata={"doc": "Patterns such as gpt-*; only calls that ask for such a model are counted. Empty counts all."},
    )
