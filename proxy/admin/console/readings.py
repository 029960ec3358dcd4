"""What the pages need to know, as questions and answers; the composition root plugs in who knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from proxy.core.money import ZERO, Nano

DIMENSIONS: Final = ("model", "team", "key", "provider", "agent")
ORG: Final = "org"
"""A sixth way to group, for who may see more than one org."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendAsked:
    """Spend between two moments by one dimension.

    `slot_s` None asks for one total per name; None as org or team is all.
    """

    start: datetime
    end: datetime
    slot_s: int | None
    by: str
    org: str | None
    team: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendCell:
    """What one name spent in one slot; `unpriced` counts the calls whose price nobody knew."""

    slot: datetime
    name: str
    cost: Nano
    calls: int = 0
    unpriced: int = 0
    refused: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceLine:
    """Quantity × rate of one bucket or tool fee; `usd` is the exact text, unrounded."""

    bucket: str
    quantity: int
    usd_per_mtok: str
    usd: str

    @property
    def weight(self) -> int:
        """The amount as a whole number to compare lines by: 1e-18 USD, cut below that."""
        return int(Decimal(self.usd).scaleb(18))


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptSeen:
    """One upstream request of an operation. Durations in milliseconds."""

    attempt_id: str
    number: int
    purpose: str
    started_at: datetime
    provider: str
    model: str
    sent_model: str
    outcome: str
    status: int
    duration_ms: float
    ttft_ms: float | None = None
    cost: Nano | None = None
    price_version: str = ""
    price_source: str = ""
    price_lines: tuple[PriceLine, ...] = ()
    usage_source: str = ""
    usage_flaws: tuple[str, ...] = ()
    service_tier: str = ""
    finish_reason: str = ""
    error: str = ""
    provider_request_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationSeen:
    """One client call as the store tells it. Durations in milliseconds; a None cost is an unknown price."""

    operation_id: str
    charged_at: datetime
    finished_at: datetime
    org: str
    team: str
    key_id: str
    key_name: str
    outcome: str
    status: int
    endpoint: str
    requested_model: str
    model: str
    provider: str
    streamed: bool
    duration_ms: float
    ttft_ms: float | None = None
    overhead_ms: float = 0.0
    cost: Nano | None = None
    list_cost: Nano | None = None
    stated_cost: Nano | None = None
    held: Nano = ZERO
    overrun: Nano = ZERO
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    tool_fees: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationStory:
    """An operation with its upstream requests, first to last."""

    operation: OperationSeen
    attempts: tuple[AttemptSeen, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecentAsked:
    """The newest operations first; None as org or team is all, an empty filter value is no filter."""

    org: str | None
    team: str | None
    limit: int
    outcome: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetSeen:
    """A budget and how it stands now; `resets_at` None never resets."""

    name: str
    scope: str
    window: str
    hard: bool
    limit: Nano
    spent: Nano
    held: Nano
    resets_at: datetime | None


class StoreUnavailable(Exception):
    """The telemetry store or the state file did not answer; the message says which."""


class SpendReader(Protocol):
    """Who knows what was spent. Each may raise StoreUnavailable."""

    async def spend(self, asked: SpendAsked) -> Sequence[SpendCell]:
        """Cells of spend, in any order."""
        ...

    async def operation(self, operation_id: str, org: str | None, team: str | None) -> OperationStory | None:
        """One operation with its attempts; None when unknown or another org's or team's."""
        ...

    async def recent(self, asked: RecentAsked) -> Sequence[OperationSeen]:
        """The newest operations first."""
        ...


class BudgetReader(Protocol):
    """Who knows how the budgets stand. May raise StoreUnavailable."""

    async def live(self, org: str | None, team: str | None) -> Sequence[BudgetSeen]:
        """The budgets of one org (and team), or of all."""
        ...
