"""What a journey needs of the house: the rooms' doors, and one immutable snapshot of what is configured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from proxy.budget import BudgetCatalog, BudgetSettings, Ledger, Unit
from proxy.cache import NO_PURGES, Cache, CacheRules, Purges
from proxy.core.clock import Clock
from proxy.core.money import Nano
from proxy.identity import Keyring
from proxy.journey.errands.running import Errands
from proxy.journey.run_book import RunBook
from proxy.journey.shadows import Shadows
from proxy.journey.standing import Standing
from proxy.journey.tracing import Tracing
from proxy.metering import TokenCounter
from proxy.ownership import Ownership
from proxy.policy import NO_SWITCHES, NO_TOOLS, ApprovalBook, Finder, PolicyEngine, ReleasedCalls, Switches, ToolBook
from proxy.pricing import PriceBook
from proxy.routing import AgentBook, Allowances, Health, Pins, Router
from proxy.telemetry import AttemptRow, DecisionRow, OperationRow, Spool
from proxy.upstream import Provider, Sockets, Transport

if TYPE_CHECKING:
    from proxy.cache import SemanticCache


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """Everything configured, as of one generation; a call keeps the snapshot it started with."""

    generation: str
    keyring: Keyring
    budgets: BudgetCatalog
    router: Router
    providers: Mapping[str, Provider]
    prices: PriceBook
    policy: PolicyEngine
    finder: Finder
    caching: CacheRules
    reads_findings: bool = False
    """Whether any rule reads what detectors find: else nobody looks."""
    reads_results: bool = False
    """Whether any rule reads which results are to calls that were never given: else none is noted."""
    deny_unpriced: bool = False
    default_provider: str = ""
    """Where calls go that name neither a model nor an object; empty: nowhere."""
    passes_unknown: bool = False
    """Whether a provider takes paths that nobody here knows."""
    runs: RunBook = field(default_factory=RunBook)
    switches: Switches = NO_SWITCHES
    tools: ToolBook = NO_TOOLS
    overhead_per_day: Nano | None = None
    """What an org's overhead account may spend in a day where it has no budget of its own; None: what it likes."""
    purges: Purges = NO_PURGES
    agents: AgentBook | None = None
    """Which models agents' steps get; None where no agent has a profile."""
    reads_asks: bool = False
    """Whether what a request asks of a model decides where it goes: else nobody finds out."""
    row_beginnings: dict[str, OperationRow] = field(default_factory=dict)
    """Per key, the columns that all its rows of this generation share; filled as keys are seen."""


@dataclass(frozen=True, kw_only=True)
class JourneySettings:
    """How calls are held, read and relayed."""

    hosted_tools_ceiling_usd: Decimal | None = field(
        default=None,
        metadata={"doc": "Dollars held for a call with provider-run tools; unset refuses them under a hard budget."},
    )
    unbounded_ceiling_usd: Decimal | None = field(
        default=None,
        metadata={
            "doc": "Dollars held for a call whose price nobody can bound beforehand (runs of assistants, fine-tuning, "
            "evals, videos, calls of paths not known here), or whose context is kept by a provider and has no known "
            "window; billed so where nothing tells its price. Unset refuses them under a hard budget."
        },
    )
    unfinished_hours: int = field(
        default=48,
        metadata={
            "doc": "How long money stays held for work that goes on after its call (background responses, batches) "
            "before it counts as lost and is billed as it was held, if nobody has seen it finished."
        },
    )
    buffered_answer_bytes: int = field(
        default=2_097_152,
        metadata={"doc": "Answers up to this size are settled before they are sent, so that headers tell their cost."},
    )
    metered_answer_bytes: int = field(
        default=67_108_864, metadata={"doc": "Answers beyond this size are relayed but not read for their usage."}
    )
    ping_after_s: float = field(default=15.0, metadata={"doc": "Silence in a stream after which a comment is sent."})
    drain_s: float = field(default=30.0, metadata={"doc": "How long an abandoned stream is read on for its usage."})
    drain_bytes: int = field(default=4_194_304, metadata={"doc": "How much of an abandoned stream is read at most."})
    max_drains: int = field(default=64, metadata={"doc": "How many abandoned streams are read on at once."})
    overhead_usd_per_day: Decimal | None = field(
        default=Decimal(5),
        metadata={
            "doc": "Dollars a day (UTC) that an org's overhead account may spend on what Flyball itself asks of "
            "providers (shadow copies, embeddings and audits of the cache), unless a budget is for `overhead:<org>`; "
            "null sets no limit."
        },
    )
    budget_status: Literal[402, 429] = field(
        default=402,
        metadata={"doc": "The status of `budget_exceeded`: 429 for clients that know no 402; never retried in either."},
    )
    realtime_session_s: float = field(
        default=3600.0, metadata={"doc": "How long a realtime session may last, in seconds; then it is ended."}
    )
    max_throttled: int = field(
        default=1024,
        metadata={
            "doc": "How many calls one worker delays at once by `throttle` rungs; a further one is answered 429."
        },
    )


class Counters(Protocol):
    """What is counted for /metrics."""

    def finished(self, row: OperationRow, attempts: Sequence[AttemptRow], cost: Nano | None) -> None:
        """Count one finished operation, by its rows; `cost` is what it cost, None for unpriced."""
        ...

    def refused(self, by: str, at_ns: int) -> None:
        """Note which budget, limit or list refused a call, by scope and name: its alert is raised elsewhere."""
        ...

    def policy_alert(self, org: str, message: str, operation: str, at_ns: int) -> bool:
        """Note what a rule alerts of, once an hour for an org; whether it is news. The alert is raised elsewhere."""
        ...

    def decision(self, row: DecisionRow) -> None:
        """Count one decision of policy that counted."""
        ...

    def errand(self, purpose: str, outcome: str) -> None:
        """Count one upstream call that Flyball made for itself, or would have: `ok`, or why not."""
        ...

    def shadow(self, how: str) -> None:
        """Count one shadow decision: `same`, `differs`, `failed` or `dropped`."""
        ...

    def unpriced(self, model: str) -> None:
        """Count one call that was served without a price."""
        ...

    def finding(self, kind: str, count: int) -> None:
        """Count what detectors found in a request."""
        ...

    def unauthorised(self) -> None:
        """Count one call without a valid key."""
        ...


RunKey: TypeAlias = tuple[str, str, str]
"""A run: its org, its key's id and its name."""


class Due(NamedTuple):
    """What is still to be settled of an operation: its cost, and what it used of units other than dollars."""

    cost: Nano
    used: Mapping[Unit, int] | None = None


@dataclass(kw_only=True, slots=True)
class Rooms:
    """The doors of the house, as one worker holds them."""

    worker: str
    clock: Clock
    snapshot: Callable[[], Snapshot]
    ledger: Ledger
    counter: TokenCounter
    transport: Transport
    sockets: Sockets
    health: Health
    approvals: ApprovalBook
    released: ReleasedCalls
    ownership: Ownership
    cache: Cache
    spool: Spool
    counters: Counters
    settings: JourneySettings
    holding: BudgetSettings
    semantic: "SemanticCache | None" = None
    """The semantic cache; None where no organisation has one."""
    tracing: Tracing | None = None
    """What begins traces; None where OpenTelemetry is off."""
    unsettled: dict[str, Due] = field(default_factory=dict)
    """Operations recorded while the ledger was away, with what they took: to be settled when it is back."""
    open_holds: int = 0
    """How many calls have money held and not settled or released yet."""
    drains: int = 0
    throttled: int = 0
    awaiting: int = 0
    """How many calls are held open for a person's decision."""
    stopping: bool = False
    """Whether the worker ends: nobody is waited for any more."""
    running: dict[RunKey, set[Callable[[], None]]] = field(default_factory=dict)
    """What ends each open stream of a run."""
    streams: set[Callable[[], None]] = field(default_factory=set)
    """What has each open stream look at the kill switches."""
    killed: set[RunKey] = field(default_factory=set)
    kills_seen_ns: int = 0
    allowances: Allowances = field(default_factory=Allowances)
    """How many further requests each target may get."""
    standing: Standing = field(default_factory=Standing)
    shadows: Shadows = field(default_factory=Shadows)
    """What shadow rules are still to be asked."""
    pins: Pins = field(default_factory=Pins)
    """Who served each conversation last."""
    errands: Errands = field(default_factory=Errands)
    """What Flyball asks of providers for itself now."""
    ledger_away: bool = False
    """Whether the ledger has failed a call and not answered since."""
