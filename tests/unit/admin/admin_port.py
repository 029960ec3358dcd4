"""A running admin port: real uvicorn on a real socket, a scripted reader behind it."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from proxy.admin import AdminRooms, build_admin
from proxy.admin.rooms import SpendReader
from proxy.billing import Adjustments, Statements
from proxy.budget import (
    Alerting,
    Answered,
    BudgetStore,
    NotPosted,
    Outbox,
    Receiver,
    Sender,
    SqliteLedger,
    Watcher,
)
from proxy.cache import PurgeStore
from proxy.core.clock import SetClock
from proxy.core.money import ZERO
from proxy.core.refusal import Refused
from proxy.core.secret import Secret
from proxy.identity import AdminTokens, KeyStore
from proxy.policy import ApprovalBook, ProposalStore, Sealer, SwitchStore
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
    RunsQuery,
    RunTotals,
    SpendQuery,
    SpendRow,
    VariantsQuery,
    VariantTotals,
)
from tests.unit.admin.telemetry_rows import comparison

HASH_KEY = bytes(range(32))
BOOTSTRAP = "fba-bootstrap-token-of-the-tests"


@dataclass
class ScriptedReader:
    """A reader that answers what it was told to, and remembers what it was asked."""

    rows: list[SpendRow] = field(default_factory=list)
    corrections: list[CorrectedRow] = field(default_factory=list)
    operations: list[OperationDetail] = field(default_factory=list)
    decided: list[DecisionRow] = field(default_factory=list)
    shadows: dict[str, tuple[int, int]] = field(default_factory=dict)
    decisions_asked: list[DecisionsQuery] = field(default_factory=list)
    fails: Refused | Exception | None = None
    asked: list[SpendQuery] = field(default_factory=list)
    recently: list[dict[str, Any]] = field(default_factory=list)
    comparison: Comparison = field(default_factory=lambda: comparison())
    panel_rows: PanelRows = field(default_factory=lambda: PanelRows(names=(), types=(), rows=()))
    panels: list[PanelQuery] = field(default_factory=list)
    compared: list[CompareQuery] = field(default_factory=list)
    searches: list[OperationSearch] = field(default_factory=list)
    run_totals: list[RunTotals] = field(default_factory=list)
    runs_asked: list[RunsQuery] = field(default_factory=list)
    observations: Observed = field(default_factory=lambda: Observed(0, 0, ZERO, ()))
    variants_asked: list[VariantsQuery] = field(default_factory=list)
    beside: list[VariantTotals] = field(default_factory=list)
    observed_asked: list[ObservedQuery] = field(default_factory=list)

    async def spend(self, asked: SpendQuery) -> list[SpendRow]:
        self.asked.append(asked)
        if self.fails is not None:
            raise self.fails
        return self.rows[: asked.limit]

    async def spend_file(self, asked: SpendQuery, names: Sequence[str], kind: FileFormat) -> bytes:
        self.asked.append(asked)
        return f"{kind} of {','.join(names)}".encode()

    async def focus(self, asked: SpendQuery, tags: Sequence[str], kind: FileFormat) -> bytes:
        self.asked.append(asked)
        return f"focus {kind} with {','.join(tags)}".encode()

    async def panel(self, asked: PanelQuery) -> PanelRows:
        self.panels.append(asked)
        if self.fails is not None:
            raise self.fails
        return self.panel_rows

    async def compare(self, asked: CompareQuery) -> Comparison:
        self.compared.append(asked)
        if self.fails is not None:
            raise self.fails
        return self.comparison

    async def corrected(self, asked: CorrectedQuery) -> list[CorrectedRow]:
        return self.corrections

    async def operation(self, operation: str, org: str | None) -> OperationDetail | None:
        for each in self.operations:
            if each.operation.operation_id == operation and org in (None, each.operation.org):
                return each
        return None

    async def recent(
        self,
        *,
        org: str | None,
        filters: Mapping[str, Sequence[str]] | None = None,
        limit: int = 50,
        before: str | None = None,
        search: OperationSearch = EVERYTHING,
    ) -> list[OperationRow]:
        self.recently.append({"org": org, "filters": filters, "limit": limit, "before": before})
        self.searches.append(search)
        return [each.operation for each in self.operations if org in (None, each.operation.org)][:limit]

    async def shadowed(self, revision: str, since: datetime) -> tuple[int, int]:
        if self.fails is not None:
            raise self.fails
        return self.shadows.get(revision, (0, 0))

    async def decisions(self, asked: DecisionsQuery) -> list[DecisionRow]:
        self.decisions_asked.append(asked)
        wanted = {name: values for name, values in asked.filters.items() if name in ("decision", "operation")}
        return [
            each
            for each in self.decided
            if asked.org in (None, each.org) and all(getattr(each, f"{name}_id") in wanted[name] for name in wanted)
        ][: asked.limit]

    async def observed(self, asked: ObservedQuery) -> Observed:
        self.observed_asked.append(asked)
        return self.observations

    async def variants(self, asked: VariantsQuery) -> list[VariantTotals]:
        self.variants_asked.append(asked)
        return self.beside

    async def runs(self, asked: RunsQuery) -> list[RunTotals]:
        self.runs_asked.append(asked)
        if self.fails is not None:
            raise self.fails
        return [each for each in self.run_totals if _is_meant(each, asked)][: asked.limit]


def _is_meant(run: RunTotals, asked: RunsQuery) -> bool:
    return (
        asked.org in (None, run.identity.org)
        and asked.team in (None, run.team)
        and asked.key in (None, run.key_name)
        and asked.run in (None, run.identity.run)
        and asked.digest in (None, run.identity.digest)
        and asked.end in (None, "stopped" if run.last_code == "run_stopped" else "open")
        and (asked.agent is None or asked.agent in run.agents)
        and (asked.only is None or run.identity in asked.only)
        and run.identity not in asked.but
    )


@dataclass
class ScriptedPost:
    """Who posts alerts; it answers what it was told to, and remembers whom it was to tell."""

    answers: Answered | NotPosted = field(default_factory=lambda: Answered(200, "ok"))
    told: list[str] = field(default_factory=list)

    async def __call__(
        self, receiver: Receiver, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float
    ) -> Answered:
        self.told.append(receiver.name)
        if isinstance(self.answers, NotPosted):
            raise self.answers
        return self.answers


@dataclass
class Port:
    """An admin port and all that stands behind it."""

    url: str
    rooms: AdminRooms
    reader: ScriptedReader
    clock: SetClock
    signed_out: list[str]
    post: ScriptedPost
    watcher: Watcher

    @property
    def alerting(self) -> Alerting:
        """What raises and sends alerts."""
        assert self.rooms.alerts is not None
        return self.rooms.alerts

    def as_owner(self) -> httpx.Client:
        """A client with the bootstrap token."""
        return self.client(BOOTSTRAP)

    def client(self, token: str | None = None) -> httpx.Client:
        """A client with this token, or with none; its paths start at the port's root."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=10)

    def person(self, name: str, role: str, org: str | None = None, team: str | None = None) -> httpx.Client:
        """A client of a new person with this role and binding."""
        issued = self.rooms.tokens.create(name, AdminTokens.Role(role), org=org, team=team)
        return self.client(issued.secret.reveal())

    def tenants(self, *orgs: str) -> None:
        """Orgs with the teams support and sales in each, one key `bot` in either, a budget per team and org."""
        with self.as_owner() as owner:
            for org in orgs:
                made = [owner.put(f"/admin/v1/orgs/{org}", json={})]
                for team in ("support", "sales"):
                    made.append(owner.put(f"/admin/v1/teams/{org}/{team}", json={}))
                    made.append(owner.post("/admin/v1/keys", json={"org": org, "team": team, "name": "bot"}))
                    budget = {"scope": f"team:{org}/{team}", "limit_usd": 5}
                    made.append(owner.put(f"/admin/v1/budgets/{org}-{team}", json=budget))
                made.append(owner.put(f"/admin/v1/budgets/{org}", json={"scope": f"org:{org}", "limit_usd": "9"}))
                made.append(owner.put(f"/admin/v1/limits/{org}-rpm", json={"scope": f"org:{org}", "limit_requests": 9}))
                assert [each.status_code for each in made] == [201] * len(made)


TARGET = TargetOverview(
    provider="openai",
    model="gpt-5",
    state="open",
    workers={"open": 1, "closed": 3},
    calls=12,
    faults=9,
    slow=0,
    busy=2,
    cools_s=1.25,
    headroom=0.5,
    ttft_ms=412.34,
    tokens_per_s=None,
)


@contextmanager
def serving(folder: Path, clock: SetClock, store: SpendReader | None = None, **more: Any) -> Iterator[Port]:
    """An admin port on a free port of the loopback, until the block ends; it asks `store`, if given."""
    state = StateFile(folder / "ledger.sqlite")
    reader = ScriptedReader()
    budget_store = BudgetStore(state, clock=clock)
    outbox = Outbox(state)
    post = ScriptedPost()
    watcher = Watcher(budget_store, state, outbox, clock)
    signed_out: list[str] = []
    rooms = AdminRooms(
        state=state,
        hash_key=HASH_KEY,
        key_store=KeyStore(state, HASH_KEY, clock=clock),
        tokens=AdminTokens(state, HASH_KEY, bootstrap=Secret(BOOTSTRAP), clock=clock),
        budget_store=budget_store,
        reader=store or reader,
        runs=SqliteLedger(state, clock=clock),
        switch_store=SwitchStore(state, clock=clock),
        purge_store=PurgeStore(state, clock=clock),
        statements=Statements(state),
        adjustments=Adjustments(state, clock=clock),
        proposals=ProposalStore(state, clock=clock),
        alerts=Alerting(watcher, Sender(outbox, post, clock), outbox, clock),
        approvals=ApprovalBook(state, Sealer(HASH_KEY)),
        health=lambda: [TARGET],
        clock=clock,
        signed_out=signed_out.append,
        **more,
    )
    server = uvicorn.Server(uvicorn.Config(build_admin(rooms), port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.005)
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Port(f"http://127.0.0.1:{port}", rooms, reader, clock, signed_out, post, watcher)
    finally:
        server.should_exit = True
        thread.join(10)
        state.close()
