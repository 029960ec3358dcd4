"""The admin process's parts, plugged together: API and console on one port."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from proxy import __version__
from proxy.admin import AdminRooms, Configured, build_admin
from proxy.admin.audit import StateAuditLog
from proxy.admin.console import (
    ConsoleRooms,
    ConsoleSessions,
    FirstCall,
    StoreBudgets,
    StoreReadings,
    build_console,
)
from proxy.admin.inside import Inside
from proxy.admin.rooms import PolicySource
from proxy.admin.tables import Tables
from proxy.app.alerts import AlertParts
from proxy.app.audit_post import Noticed
from proxy.app.configuration import SIM_MODELS
from proxy.app.following_reader import FollowingReader
from proxy.app.ledgers import open_ledger
from proxy.app.policy_status import PolicyStatus
from proxy.app.rollouts import Rollouts
from proxy.app.stores import Stores, hash_key_of
from proxy.budget import PolicyNote, Refusals, signing_keys
from proxy.config import Config
from proxy.core.clock import SystemClock
from proxy.core.refusal import Refusal, Refused
from proxy.identity import AdminIdentity, AdminTokens, IdentityError
from proxy.journey.run_book import RunBook
from proxy.policy import PolicySettings
from proxy.routing import HealthStore, HealthUnavailable, TargetOverview, Versions, overview
from proxy.telemetry import behind

MOST_LAG_S = 15.0
"""How old the oldest row on its way to ClickHouse may be when a period is closed."""


class AdminParts:
    """Everything the admin port is made of."""

    def __init__(
        self,
        config: Config,
        stores: Stores,
        reader: FollowingReader,
        metrics: Callable[[], str],
        first_call: FirstCall,
        refused: Callable[[], Refusals],
        noted: Callable[[], Sequence[PolicyNote]],
        policy_status: Callable[[], PolicyStatus | None] = lambda: None,
    ) -> None:
        """`metrics` gives the workers' part of the page, `refused` what refused their calls lately, `noted` what
        rules of the policy alerted of, `policy_status` what the supervisor knows of policies."""
        clock, hash_key = SystemClock(), hash_key_of(config)
        first = AdminTokens.bootstrap_token(config.home)
        self.tokens = AdminTokens(stores.state, hash_key, bootstrap=first, clock=clock)
        self.sessions = ConsoleSessions(clock)
        self.reader = reader
        self.approvals = stores.approvals
        self.health = stores.health
        self.ledger = open_ledger(config, stores.state, clock)
        self.run_book = RunBook.of(config.settings.runs)
        noticed = Noticed(StateAuditLog(Tables(stores.state)), clock)
        self.rollouts = Rollouts(reader, stores.switches, Versions(stores.state), noticed, clock)
        self.rollouts.take(config)
        self.alerts = AlertParts(config, stores, clock, refused, noted, self.rollouts.notes)
        self.observes_all = config.settings.enforcement == "observe"
        self.webhook_keys = _webhook_keys(config)
        self.configured = configured_names(config)
        self.policy = config.settings.policy
        rooms = AdminRooms(
            state=stores.state,
            hash_key=hash_key,
            key_store=stores.keys,
            tokens=self.tokens,
            budget_store=stores.budgets,
            reader=reader,
            runs=self.ledger,
            switch_store=stores.switches,
            purge_store=stores.purges,
            statements=stores.statements,
            adjustments=stores.adjustments,
            lag=lambda: behind(config.home / "spool", time.time(), MOST_LAG_S),
            operations_days=config.settings.telemetry.operations_days,
            proposals=stores.proposals,
            policy_source=lambda: policy_source(self.policy, policy_status()),
            configured=lambda: self.configured,
            health=lambda: target_health(stores.health),
            run_book=lambda: self.run_book,
            alerts=self.alerts.alerting,
            approvals=stores.approvals,
            webhook_keys=lambda: self.webhook_keys,
            observes_all=lambda: self.observes_all,
            clock=clock,
            metrics=lambda: metrics() + self.alerts.alerting.metrics() + stores.switches.metrics(),
            console_link=self._console_link,
            signed_out=self.sessions.close_all_of,
            version=__version__,
            allowed_hosts=frozenset(config.settings.server.admin_allowed_hosts),
            metrics_token=config.settings.server.metrics_token,
        )
        console = build_console(
            ConsoleRooms(
                sessions=self.sessions,
                authenticate=self._authenticate,
                spend=StoreReadings(reader),
                panels=reader,
                budgets=StoreBudgets(stores.budgets),
                api=Inside(rooms),
                clock=clock,
                first_call=first_call,
            )
        )
        self.port = build_admin(replace(rooms, console=console))

    def follow(self, config: Config) -> None:
        """Show runs against the limits of a new file, and tell its receivers of alerts."""
        self.run_book = RunBook.of(config.settings.runs)
        self.policy = config.settings.policy
        self.observes_all = config.settings.enforcement == "observe"
        self.webhook_keys = _webhook_keys(config)
        self.configured = configured_names(config)
        self.alerts.take(config)
        self.rollouts.take(config)

    async def look_at_rollouts(self) -> None:
        """Roll targets back, and see which versions answer, where this host is the one that looks."""
        if self.alerts.alerting.leads:
            await self.rollouts.look()

    async def close(self) -> None:
        """Let go of what is open."""
        await self.alerts.close()
        await self.reader.close()
        await self.ledger.close()
        self.approvals.close()
        self.health.close()

    async def sweep_approvals(self) -> None:
        """Let approvals that nobody used in their time be gone, with the answers that waited."""
        await asyncio.to_thread(self.approvals.sweep, SystemClock().now_ns())

    async def _authenticate(self, token: str) -> AdminIdentity | None:
        now_ns = SystemClock().now_ns()
        try:
            return await asyncio.to_thread(self.tokens.authenticate, token, now_ns)
        except IdentityError:
            return None

    def _console_link(self, identity: AdminIdentity) -> str:
        return f"/console/open?code={self.sessions.make_link(identity).reveal()}"


def configured_names(config: Config) -> Configured:
    """The names that a file gives; the simulated provider stands in none."""
    routes = config.settings.routes
    targets = [target.model for route in routes for target in route.targets if target.model]
    return Configured(
        providers=frozenset((*config.settings.providers, "sim")),
        models=frozenset((*(route.model for route in routes if route.model), *targets, SIM_MODELS)),
    )


def target_health(store: HealthStore) -> list[TargetOverview]:
    """How well targets answer, by what the workers of all hosts have told each other.

    Raises:
        Refused: DEPENDENCY_UNAVAILABLE.
    """
    try:
        return overview(store.exchange("", b""))
    except HealthUnavailable as error:
        raise Refused(
            Refusal.DEPENDENCY_UNAVAILABLE, f"What workers know of targets cannot be read: {error}.", retry_after_s=1
        ) from error


def policy_source(settings: PolicySettings, status: PolicyStatus | None) -> PolicySource:
    """Where policies come from, by the file and by what the supervisor knows."""
    known = status or PolicyStatus()
    return PolicySource(
        by_file=settings.by_file,
        base=settings.base == "flyball",
        source=known.source,
        revision=known.revision,
        bundle=known.named,
        error=known.error,
    )


def _webhook_keys(config: Config) -> tuple[bytes, ...]:
    secret = config.settings.policy.approvals.webhook_secret
    return () if secret is None else signing_keys(secret.reveal())
