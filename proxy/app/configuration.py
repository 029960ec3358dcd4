"""What a process is configured with: the file, the simulated provider over it, and the snapshot calls start with."""

import os
import threading
from dataclasses import replace

from proxy.app.stores import Stores, body_key_of
from proxy.budget import BudgetCatalog
from proxy.cache import CacheRules
from proxy.config import Config, FileSettings
from proxy.core.money import Nano, exact_usd
from proxy.journey.rooms import Snapshot
from proxy.journey.run_book import RunBook
from proxy.policy import Finder, FindingsSettings, PolicyEngine, ToolBook, asks_for, open_policy
from proxy.pricing import PriceBook, load_book
from proxy.routing import AgentBook, Router, RouteSettings, TargetSettings
from proxy.upstream import Provider, ProviderSettings

SIM_MODELS = "sim-*"


def with_sim(config: Config, sim_url: str) -> Config:
    """The configuration with the simulated provider serving `sim-*` models."""
    if not sim_url or "sim" in config.settings.providers:
        return config
    sim = ProviderSettings(base_url=sim_url, profile="sim")
    route = RouteSettings(model=SIM_MODELS, targets=(TargetSettings(provider="sim"),))
    settings = replace(
        config.settings,
        providers={**config.settings.providers, "sim": sim},
        routes=(*config.settings.routes, route),
    )
    return replace(config, settings=settings)


class Configured:
    """The snapshot that calls start with; replaced whole when the file or the state file changes."""

    def __init__(self, config: Config, stores: Stores) -> None:
        self._stores = stores
        self.config = config
        self._replaced: list[PolicyEngine] = []
        self._swap = threading.Lock()
        self._known_finder: Finder | None = None
        policy = open_policy(config.settings.policy, taken=config.taken_policy)
        self.snapshot = self._make(config, load_book(config.settings.prices), policy)

    def reload_switches(self) -> None:
        """Take kill switches, and what was purged, from the state file anew: before all else, and beside whatever
        else is being taken."""
        switches, purges = self._stores.switches.load(), self._stores.purges.load()
        with self._swap:
            self.snapshot = replace(self.snapshot, switches=switches, purges=purges)

    def reload_state(self) -> None:
        """Take keys and budgets from the state file anew; never beside `reload_file`: one would undo the other."""
        keyring, budgets = self._stores.keys.load(), self._budgets(self.config)
        with self._swap:
            # What rows begin with says what keys were: whose they are, what they cost to whom.
            self.snapshot = replace(self.snapshot, keyring=keyring, budgets=budgets, row_beginnings={})

    def reload_file(self, config: Config) -> None:
        """Take providers, routes and prices from a new configuration."""
        known = self.snapshot.policy
        policy = open_policy(config.settings.policy, known, taken=config.taken_policy)
        made = self._make(config, load_book(config.settings.prices), policy)
        with self._swap:
            self.snapshot = replace(made, switches=self.snapshot.switches, purges=self.snapshot.purges)
        if policy is not known:
            self._replaced.append(known)
        self.config = config

    async def close_replaced(self) -> None:
        """Let go of policy engines that no new call begins with; on the loop that they were asked on."""
        while self._replaced:
            await self._replaced.pop().close()

    async def close(self) -> None:
        """Let go of all policy engines."""
        self._replaced.append(self.snapshot.policy)
        await self.close_replaced()

    def _budgets(self, config: Config) -> BudgetCatalog:
        return self._stores.budgets.load(
            distinct_scopes_per_key=config.settings.holds.distinct_scopes_per_key,
            observing=self._stores.keys.observing(),
            observe_all=config.settings.enforcement == "observe",
        )

    def _finder(self, settings: FindingsSettings) -> Finder:
        """The one there is, with what it remembers, unless its settings are others now."""
        if self._known_finder is None or self._known_finder.settings != settings:
            self._known_finder = Finder(settings)
        return self._known_finder

    def _make(self, config: Config, prices: PriceBook, policy: PolicyEngine) -> Snapshot:
        settings = config.settings
        router, agents = Router(settings.routes), AgentBook(settings.agents)
        finder, reads_findings = self._finder(settings.policy.findings), asks_for(policy, "findings", "findings_scan")
        if reads_findings:
            finder.prepare()
        return Snapshot(
            generation=config.generation,
            keyring=self._stores.keys.load(),
            budgets=self._budgets(config),
            router=router,
            providers={name: Provider.of(name, each) for name, each in settings.providers.items()},
            default_provider=_default_provider(settings),
            passes_unknown=any(each.passthrough for each in settings.providers.values()),
            prices=prices,
            policy=policy,
            finder=finder,
            caching=CacheRules(
                settings.cache,
                secret=body_key_of(config),
                generation=config.generation,
                revision=policy.revision,
            ),
            reads_findings=reads_findings,
            reads_results=asks_for(policy, "tool_results_unreleased"),
            overhead_per_day=_overhead(settings),
            deny_unpriced=settings.prices.unpriced == "deny",
            runs=RunBook.of(settings.runs),
            switches=self._stores.switches.load(),
            purges=self._stores.purges.load(),
            tools=ToolBook(settings.tools),
            agents=agents if settings.agents else None,
            reads_asks=router.reads_asks or agents.reads_asks,
        )


def _overhead(settings: FileSettings) -> Nano | None:
    per_day = settings.limits.overhead_usd_per_day
    return None if per_day is None else exact_usd(per_day)


def _default_provider(settings: FileSettings) -> str:
    """Where calls go that name neither a model nor an object: as it is set, else the only provider there is."""
    if settings.defaults.provider is not None:
        return settings.defaults.provider
    names = [name for name in settings.providers if name != "sim"] or list(settings.providers)
    return names[0] if len(names) == 1 else ""


def environment() -> dict[str, str]:
    """The process's environment; asked for here and in the command only."""
    return dict(os.environ)
