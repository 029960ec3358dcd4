"""What the admin port stands on; the composition root plugs it in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Protocol

import msgspec
from starlette.types import ASGIApp

from proxy.admin.forecasts import Forecasts
from proxy.billing import Adjustments, Statements
from proxy.budget import Alerting, Balance, BudgetStore, HoldLine, Lapsed, RunState
from proxy.cache import PurgeStore
from proxy.core.clock import Clock
from proxy.core.secret import Secret
from proxy.identity import AdminIdentity, AdminTokens, KeyStore
from proxy.journey.run_book import RunBook
from proxy.policy import ApprovalBook, ProposalStore, SwitchStore
from proxy.routing import TargetOverview
from proxy.state import StateFile
from proxy.telemetry import (
    EVERYTHING,
    CompareQuery,
    Comparison,
    CorrectedQuery,
    CorrectedRow,
    DecisionRow,
    DecisionsQuery,
    FileFormat,
    Observed,
    ObservedQuery,
    OperationDetail,
    OperationRow,
    OperationSearch,
    PanelQuery,
    PanelRows,
    Reader,
    RunsQuery,
    RunTotals,
    SpendQuery,
    SpendRow,
    VariantsQuery,
    VariantTotals,
)


class SpendReader(Protocol):
    """Who knows what was spent and done: telemetry's Reader. Each raises core's Refused."""

    async def spend(self, asked: SpendQuery) -> list[SpendRow]:
        """What was spent, by bucket and group."""
        ...

    async def spend_file(self, asked: SpendQuery, names: Sequence[str], kind: FileFormat) -> bytes:
        """The same as a whole file, its groups under `names`."""
        ...

    async def focus(self, asked: SpendQuery, tags: Sequence[str], kind: FileFormat) -> bytes:
        """Spend by day as a FOCUS file, with these tags in it."""
        ...

    async def panel(self, asked: PanelQuery) -> PanelRows:
        """What a panel of a board shows."""
        ...

    async def compare(self, asked: CompareQuery) -> Comparison:
        """What two times came to, why they differ, and who moved it."""
        ...

    async def corrected(self, asked: CorrectedQuery) -> list[CorrectedRow]:
        """What an org's calls were corrected by since they were made."""
        ...

    async def operation(self, operation: str, org: str | None) -> OperationDetail | None:
        """One operation of this org (None = any) with its attempts; None when there is none."""
        ...

    async def recent(
        self,
        *,
        org: str | None,
        filters: Mapping[str, Sequence[str]] | None = None,
        limit: int = 50,
        before: str | None = None,
        search: OperationSearch = EVERYTHING,
    ) -> list[OperationRow]:
        """The latest operations, newest first; `before` is the cursor of the last row one has."""
        ...

    async def decisions(self, asked: DecisionsQuery) -> list[DecisionRow]:
        """What policy decided, newest first."""
        ...

    async def shadowed(self, revision: str, since: datetime) -> tuple[int, int]:
        """How many shadow decisions policies of this revision have made since then, and how many of them differ."""
        ...

    async def observed(self, asked: ObservedQuery) -> Observed:
        """What would have been refused where it is only observed, most calls first."""
        ...

    async def variants(self, asked: VariantsQuery) -> list[VariantTotals]:
        """What requests to targets with names came to."""
        ...

    async def runs(self, asked: RunsQuery) -> list[RunTotals]:
        """What runs did, the latest first."""
        ...


class RunLedger(Protocol):
    """Who counts what runs use and lets them take no more: the budget room's Ledger. Each raises LedgerUnavailable."""

    async def runs(self, org: str | None = None, limit: int = 100, before_ns: int | None = None) -> list[RunState]:
        """Runs that are remembered, those with the latest calls first."""
        ...

    async def killed_runs(self, since_ns: int) -> frozenset[tuple[str, str, str]]:
        """Org, key id and name of the runs that were killed since."""
        ...

    async def kill_run(self, org: str, key_id: str, name: str, at_ns: int) -> bool:
        """Let a run take no more calls; whether it was not killed before."""
        ...

    async def balances(self, lines: Sequence[HoldLine]) -> tuple[Balance, ...]:
        """Where lines stand now."""
        ...

    async def lapsed(self, now_ns: int) -> list[Lapsed]:
        """Open holds whose leases have ended by then; in a far future those are all."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change that a person made: what is written into the audit trail. No secret is in it."""

    at_ns: int
    actor: str
    role: str
    action: str
    subject: str
    org: str | None
    team: str | None
    before: bytes | None
    after: bytes | None


class PolicySource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the policies that decide come from. `by_file`: the setting that names them, empty where the API may change
    them; `base`: whether the shipped grant comes with them. `error`: why newer ones are not taken, empty where they
    are."""

    by_file: str = ""
    base: bool = True
    source: str = ""
    revision: str = ""
    bundle: str = ""
    error: str = ""


class AuditLog(Protocol):
    """The trail of changes; only ever appended to."""

    def append(self, change: Change) -> None:
        """Keep a change; returns when it is safe. Blocks for a short disk access."""
        ...

    def newest(
        self, *, before: int | None, org: str | None, team: str | None, filters: Mapping[str, str], limit: int
    ) -> Sequence[tuple[int, Change]]:
        """Changes with their numbers, newest first, from the one before number `before`; None as org or team is all."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Configured:
    """Names that flyball.yaml gives: of providers, and of models as routes and their targets call them."""

    providers: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class AdminRooms:
    """Everything the admin port needs.

    `allowed_hosts` are Host names it answers to beside the loopback ones (`*` is any). `metrics` gives the
    Prometheus text, behind `metrics_token` when that is set. `console_link` makes a one-time path into the console
    for a person, `signed_out` is told when a person's token is gone;
    both are called on the event loop. `observes_all` tells whether everyone's enforcement is `observe`,
    `configured` what names the file gives,
    `policy_source` where policies come from, `health` how well targets answer (it blocks for a short disk access, and
    raises core's Refused). `lag` says why ClickHouse may not have all that was recorded, empty where it has;
    `operations_days` is how long calls are kept there.
    """

    state: StateFile
    hash_key: bytes = field(repr=False)
    key_store: KeyStore
    tokens: AdminTokens
    budget_store: BudgetStore
    reader: SpendReader
    runs: RunLedger
    switch_store: SwitchStore
    purge_store: PurgeStore
    statements: Statements
    adjustments: Adjustments
    lag: Callable[[], str] = str
    operations_days: int = 400
    proposals: ProposalStore | None = None
    policy_source: Callable[[], PolicySource] = PolicySource
    configured: Callable[[], Configured] = Configured
    health: Callable[[], Sequence[TargetOverview]] = tuple
    run_book: Callable[[], RunBook] = RunBook
    alerts: Alerting | None = None
    approvals: ApprovalBook | None = None
    webhook_keys: Callable[[], tuple[bytes, ...]] = tuple
    observes_all: Callable[[], bool] = bool
    clock: Clock
    metrics: Callable[[], str] = str
    metrics_token: Secret | None = None
    console: ASGIApp | None = None
    console_link: Callable[[AdminIdentity], str] | None = None
    signed_out: Callable[[str], None] | None = None
    audit: AuditLog | None = None
    allowed_hosts: frozenset[str] = frozenset()
    version: str = ""

    @cached_property
    def forecasts(self) -> Forecasts:
        """How budgets are expected to go on."""
        return Forecasts(self.reader, self.clock)


_: type[SpendReader] = Reader
