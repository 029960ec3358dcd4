"""What the pages need to know, as questions and answers; the composition root plugs in who knows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol

from proxy.admin.console.span import Window
from proxy.budget import Unit
from proxy.core.money import ZERO, Nano
from proxy.telemetry import EVERYTHING, OperationSearch

DIMENSIONS: Final = ("model", "team", "key", "provider", "agent")
ORG: Final = "org"
"""A sixth way to group, for who may see more than one org."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendAsked:
    """Spend in the slots of a window by one dimension; None as org or team is all.

    `series` is how many of the dearest names are wanted slot by slot, `rows` how many with their totals.
    """

    window: Window
    by: str
    org: str | None
    team: str | None
    series: int
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """What one name, or all of them, came to; `unpriced` counts the calls whose price nobody knew."""

    name: str = ""
    cost: Nano = ZERO
    calls: int = 0
    unpriced: int = 0
    refused: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.cache_read_tokens + self.output_tokens

    def plus(self, other: "Sum") -> "Sum":
        """Both together, under this one's name."""
        return Sum(
            name=self.name,
            cost=Nano(self.cost + other.cost),
            calls=self.calls + other.calls,
            unpriced=self.unpriced + other.unpriced,
            refused=self.refused + other.refused,
            input_tokens=self.input_tokens + other.input_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendSeen:
    """The answer. `whole` and `slots` (start of a slot → spend) are over all names, also those not in `names`.

    `names` are the dearest, dearest first; `series` has the first of them by slot, empty slots left out.
    """

    whole: Sum
    names: Sequence[Sum]
    slots: Mapping[datetime, Nano]
    series: Mapping[str, Mapping[datetime, Nano]]
    earlier: Nano


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
class CandidateSeen:
    """A target that could have served a call; no score for one that was left out."""

    provider: str
    model: str
    why: str
    score: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutingSeen:
    """How a call's target was chosen: the candidates best first, and those that were left out."""

    strategy: str
    candidates: tuple[CandidateSeen, ...] = ()
    left_out: tuple[CandidateSeen, ...] = ()


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
    asked_cost: Nano | None = None
    routing: RoutingSeen | None = None
    held: Nano = ZERO
    overrun: Nano = ZERO
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    tool_fees: Mapping[str, int] = field(default_factory=dict)
    units: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it stands in the list: what comes after it is older."""
        at = self.charged_at.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
        return f"{at}/{self.operation_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationStory:
    """An operation with its upstream requests, first to last."""

    operation: OperationSeen
    attempts: tuple[AttemptSeen, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecentAsked:
    """The newest operations first; None as org or team is all.

    `chosen` are values by name, such as model or end user; `before` is the place of the last one that was shown.
    """

    org: str | None
    team: str | None
    limit: int
    chosen: Mapping[str, str] = field(default_factory=dict)
    search: OperationSearch = EVERYTHING
    before: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetSeen:
    """A budget and how it stands now; `resets_at` None never resets.

    One for every scope of a kind stands as `counted_scope` does, the fullest of `counted_scopes`.
    """

    name: str
    scope: str
    window: str
    hard: bool
    unit: Unit = Unit.USD
    counted_scope: str = ""
    counted_scopes: int = 0
    models: Sequence[str] = ()
    limit: Nano
    spent: Nano
    held: Nano
    resets_at: datetime | None


class SpendReader(Protocol):
    """Who knows what was spent. Each may raise Refused (`dependency_unavailable`)."""

    async def spend(self, asked: SpendAsked) -> SpendSeen:
        """What was spent in a window; `earlier` is the spend of the window before it."""
        ...

    async def operation(self, operation_id: str, org: str | None, team: str | None) -> OperationStory | None:
        """One operation with its attempts; None when unknown or another org's or team's."""
        ...

    async def recent(self, asked: RecentAsked) -> Sequence[OperationSeen]:
        """The newest operations first."""
        ...


class BudgetReader(Protocol):
    """Who knows how the budgets stand. May raise Refused (`dependency_unavailable`)."""

    async def live(self, org: str | None, team: str | None) -> Sequence[BudgetSeen]:
        """The budgets of one org (and team), or of all."""
        ...
