"""What no single key shows: names that lead nowhere, things asked for that cannot be had together."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

from proxy.budget import BadBudget, BadReceiver, rate_of, receiver_of, signing_keys, spec_of
from proxy.cache import cache_problems
from proxy.config.fill import VARIABLE
from proxy.config.ledger import ledger_contradictions
from proxy.config.schema import FileSettings
from proxy.config.tree import Listing, Mapping_, Node
from proxy.core.money import NotMoney, exact_usd
from proxy.policy import BadPolicy, open_policy, tool_problems
from proxy.pricing import BadPrices, load_book
from proxy.routing import (
    Router,
    RouteSettings,
    agent_problems,
    attempt_problems,
    health_problems,
    models_of,
    rollout_problems,
    when_problems,
)
from proxy.runs import BadAlias, BadRunLimit, read_alias, read_limit
from proxy.telemetry import otel_problems
from proxy.upstream import BadProvider, Provider

SIMULATED: Final = "sim-"
"""How the models of the simulated provider begin; its route is not the file's."""
STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def contradictions(
    settings: FileSettings, tree: Node, environment: Mapping[str, str], taken_policy: Path | None = None
) -> list[str]:
    """One sentence per contradiction, with the place of the key it hangs on."""
    found = [
        *_routes(settings),
        *_rollouts(settings),
        *_providers(settings),
        *_defaults(settings),
        *_shared_state(settings),
        *_server(settings),
        *_policy(settings, taken_policy),
        *_tools(settings),
        *ledger_contradictions(settings.ledger, place_of(tree, "ledger.url")),
        *_prices(settings),
        *_budgets(settings),
        *_downgrades(settings),
        *_agents(settings),
        *_runs(settings),
        *_receivers(settings, environment),
        *_keys(settings, environment),
        *_ceiling(settings),
        *_negatives(settings),
        *_health(settings),
        *((f"cache.{key}", what) for key, what in cache_problems(settings.cache, settings.providers)),
        *_otel(settings, environment),
        *_cluster(settings),
    ]
    return [f"{place_of(tree, path)}: {path} {what}" for path, what in found]


def place_of(tree: Node, path: str) -> str:
    """Where a key stands in the file, or its nearest parent that does."""
    node = tree
    for name, index in STEP.findall(path):
        if isinstance(node, Mapping_) and name in node.entries:
            node = node.entries[name]
        elif isinstance(node, Listing) and index and int(index) < len(node.items):
            node = node.items[int(index)]
        else:
            break
    return node.place


def _routes(settings: FileSettings) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for at, route in enumerate(settings.routes):
        yield from _route_numbers(f"routes[{at}]", route)
        if not route.targets:
            yield f"routes[{at}].targets", "is empty, so the route leads nowhere"
        if bool(route.model) == bool(route.path):
            yield f"routes[{at}]", "needs exactly one of model and path"
        elif route.path and not route.path.startswith("/"):
            yield f"routes[{at}].path", f"must begin with a slash, as in /files; it is {route.path!r}"
        what = "path" if route.path else "model"
        if (name := route.model or route.path) in seen:
            yield f"routes[{at}].{what}", f"repeats {name!r}; the first route would always win"
        if route.when is None:
            seen.add(name)
        for number, target in enumerate(route.targets):
            if target.model is not None and target.strip_prefix:
                yield (
                    f"routes[{at}].targets[{number}].strip_prefix",
                    "says nothing beside `model`",
                )
            if target.provider not in settings.providers:
                known = ", ".join(settings.providers) or "none"
                path = f"routes[{at}].targets[{number}].provider"
                yield path, f"names {target.provider!r}, which is not under providers (there: {known})"


def _route_numbers(path: str, route: RouteSettings) -> Iterator[tuple[str, str]]:
    """What is said beside the names of a route: its condition, and numbers that must mean something."""
    for key, wrong in attempt_problems(route.fallback, route.retry, route.hedge):
        yield f"{path}.{key}", wrong
    if route.when is not None:
        if route.path:
            yield f"{path}.when", "is for routes of models; a route with a path has no condition"
        for key, what in when_problems(route.when):
            yield f"{path}.when.{key}", what
    if not 0 <= route.eases_from < 1:
        yield f"{path}.eases_from", f"must be a fraction from 0 up to 1; it is {route.eases_from}"
    for name in ("affinity_ttl_s", "prompt_cache_s", "expected_output_tokens"):
        if getattr(route, name) < 0:
            yield f"{path}.{name}", f"must not be negative; it is {getattr(route, name)}"
    weights = [target.weight for target in route.targets]
    if any(not 0 <= weight <= 1_000_000 for weight in weights):
        yield f"{path}.targets", "have weights from 0 to 1000000"
    elif weights and not any(weights):
        yield f"{path}.targets", "have no weight at all, so none could be drawn"


def _rollouts(settings: FileSettings) -> Iterator[tuple[str, str]]:
    """Variants have names and rules that can hold; copies go to a provider there is, with no client's credential."""
    for at, route in enumerate(settings.routes):
        for key, what in rollout_problems(route):
            yield f"routes[{at}].{key}", what
        for number, shadow in enumerate(route.shadows):
            path, provider = f"routes[{at}].shadows[{number}].provider", settings.providers.get(shadow.provider)
            if provider is None:
                known = ", ".join(settings.providers) or "none"
                yield path, f"names {shadow.provider!r}, which is not under providers (there: {known})"
            elif provider.credentials == "passthrough":
                yield path, f"names {shadow.provider!r}, which is called with clients' own credentials"


def _defaults(settings: FileSettings) -> Iterator[tuple[str, str]]:
    name = settings.defaults.provider
    if name is not None and name not in settings.providers:
        known = ", ".join(settings.providers) or "none"
        yield "defaults.provider", f"names {name!r}, which is not under providers (there: {known})"


def _shared_state(settings: FileSettings) -> Iterator[tuple[str, str]]:
    """What a provider keeps is shared by all keys only where all keys are of one org."""
    if len({tenant.org for tenant in settings.tenants}) < 2:
        return
    for name, provider in settings.providers.items():
        if provider.provider_state == "shared":
            yield f"providers.{name}.provider_state", "is `shared`, which only one org may reach; there are several"


def _tools(settings: FileSettings) -> Iterator[tuple[str, str]]:
    for sentence in tool_problems(settings.tools):
        path, _, what = sentence.partition(": ")
        yield path, what


def _providers(settings: FileSettings) -> Iterator[tuple[str, str]]:
    for name, provider in settings.providers.items():
        try:
            Provider.of(name, provider)
        except BadProvider as error:
            yield f"providers.{name}", f"cannot be used: {error}"


def _server(settings: FileSettings) -> Iterator[tuple[str, str]]:
    server = settings.server
    if not 1 <= server.workers <= 64:
        yield "server.workers", f"must be from 1 to 64; it is {server.workers}"
    for key in ("listen", "admin_listen"):
        value = getattr(server, key)
        _, colon, port = value.rpartition(":")
        if not colon or not port.isdigit() or int(port) > 65535:
            yield f"server.{key}", f"must be host:port; it is {value!r}"
    if server.listen == server.admin_listen and not server.listen.endswith(":0"):
        yield "server.admin_listen", "must differ from server.listen"


def _cluster(settings: FileSettings) -> Iterator[tuple[str, str]]:
    if settings.telemetry.cluster is not None and settings.telemetry.url is None:
        yield "telemetry.cluster", "names a cluster of ClickHouse servers: set telemetry.url to one of them"


def _otel(settings: FileSettings, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for sentence in otel_problems(settings.telemetry, environment):
        path, _, what = sentence.partition(": ")
        yield path, what


def _policy(settings: FileSettings, taken: Path | None) -> Iterator[tuple[str, str]]:
    sentences = settings.policy.contradictions()
    for sentence in sentences:
        path, _, what = sentence.partition(": ")
        yield path, what
    secret = settings.policy.approvals.webhook_secret
    try:
        signing_keys("" if secret is None else secret.reveal())
    except ValueError as error:
        yield "policy.approvals.webhook_secret", str(error)
    if sentences or (settings.policy.fetched is not None and (taken is None or not taken.exists())):
        return
    try:
        open_policy(settings.policy, taken=taken)
    except BadPolicy as error:
        policy = settings.policy
        own = "policy.dir" if policy.dir else "policy.bundle" if policy.bundle else "policy.settings"
        path = "policy.url" if policy.url else own
        for problem in error.problems:
            yield path, problem.removeprefix(f"{path}: ")


def _prices(settings: FileSettings) -> Iterator[tuple[str, str]]:
    try:
        load_book(settings.prices)
    except BadPrices as error:
        for line in str(error).splitlines():
            yield "prices", line


def _budgets(settings: FileSettings) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    budgets = ((f"budgets[{at}]", entry.name, partial(spec_of, entry)) for at, entry in enumerate(settings.budgets))
    limits = (
        (f"rate_limits[{at}]", entry.name, partial(rate_of, entry)) for at, entry in enumerate(settings.rate_limits)
    )
    for path, name, read in (*budgets, *limits):
        try:
            read()
        except BadBudget as error:
            yield f"{path}.{error.field}", f"cannot be meant so: {error}"
        if name in seen:
            yield f"{path}.name", f"repeats {name!r}; budgets and rate limits share their names"
        seen.add(name)


def _downgrades(settings: FileSettings) -> Iterator[tuple[str, str]]:
    """A downgrade leads to a name that a client could ask for; without routes nothing can be said yet."""
    if not settings.routes:
        return
    router = _by_name(settings)
    ladders = (
        *((f"budgets[{at}]", entry.ladder) for at, entry in enumerate(settings.budgets)),
        *((f"rate_limits[{at}]", entry.ladder) for at, entry in enumerate(settings.rate_limits)),
    )
    for path, ladder in ladders:
        for number, rung in enumerate(ladder):
            for pattern, model in rung.to.items():
                if not (model.startswith(SIMULATED) or router.serves(model)):
                    yield f"{path}.ladder[{number}].to.{pattern}", f"leads to {model!r}, which no route serves"


def _by_name(settings: FileSettings) -> Router:
    """The routes without their conditions, which may be wrong: what is asked is which names there are."""
    return Router([replace(route, when=None) for route in settings.routes])


def _agents(settings: FileSettings) -> Iterator[tuple[str, str]]:
    """A step leads to a name that a client could ask for."""
    router = _by_name(settings)
    for name, agent in settings.agents.items():
        yield from agent_problems(name, agent)
        for path, model in models_of(name, agent):
            if settings.routes and not (model.startswith(SIMULATED) or router.serves(model)):
                yield path, f"leads to {model!r}, which no route serves"


def _runs(settings: FileSettings) -> Iterator[tuple[str, str]]:
    for at, entry in enumerate(settings.runs.limits):
        try:
            read_limit(entry)
        except BadRunLimit as error:
            yield f"runs.limits[{at}].{error.field}", f"cannot be meant so: {error}"
    for name in ("aliases", "parent_aliases"):
        for at, alias in enumerate(getattr(settings.runs, name)):
            try:
                read_alias(alias)
            except BadAlias as error:
                yield f"runs.{name}[{at}]", f"cannot be used: {error}"
    if settings.runs.remembered_days < 1:
        yield "runs.remembered_days", f"must be at least 1; it is {settings.runs.remembered_days}"


def _receivers(settings: FileSettings, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for at, entry in enumerate(settings.alerts.receivers):
        try:
            receiver_of(entry, environment)
        except BadReceiver as error:
            yield f"alerts.receivers[{at}].{error.field}", f"cannot be used: {error}"
        if entry.name in seen:
            yield f"alerts.receivers[{at}].name", f"repeats {entry.name!r}"
        seen.add(entry.name)
    for name in ("look_every_s", "timeout_s", "first_retry_s", "retry_for_s", "kept"):
        if getattr(settings.alerts, name) <= 0:
            yield f"alerts.{name}", f"must be more than nothing; it is {getattr(settings.alerts, name)}"


def _keys(settings: FileSettings, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for number, org in enumerate(settings.tenants):
        for which, team in enumerate(org.teams):
            for at, key in enumerate(team.keys):
                path = f"tenants[{number}].teams[{which}].keys[{at}]"
                if sum(each is not None for each in (key.key_env, key.key_file, key.key_sha256)) != 1:
                    yield path, "needs exactly one of key_env, key_file and key_sha256"
                elif key.key_env is not None and not VARIABLE.fullmatch(key.key_env):
                    yield f"{path}.key_env", "must be the name of an environment variable (letters, digits and _)"
                elif key.key_env is not None and not environment.get(key.key_env, "").strip():
                    yield f"{path}.key_env", f"names {key.key_env}, which is not set in the environment"


def _ceiling(settings: FileSettings) -> Iterator[tuple[str, str]]:
    for name in ("hosted_tools_ceiling_usd", "unbounded_ceiling_usd"):
        ceiling = getattr(settings.limits, name)
        if ceiling is not None:
            try:
                exact_usd(ceiling)
            except NotMoney as error:
                yield f"limits.{name}", str(error)


def _health(settings: FileSettings) -> Iterator[tuple[str, str]]:
    for key, what in health_problems(settings.health):
        yield f"health.{key}", what


def _negatives(settings: FileSettings) -> Iterator[tuple[str, str]]:
    """No limit, time or size means anything below zero; a negative ceiling would even lower what is held."""
    for name in ("server", "limits", "ledger", "holds", "telemetry", "metering", "upstream", "ownership", "health"):
        part = getattr(settings, name)
        for each in fields(part):
            value = getattr(part, each.name)
            if isinstance(value, int | float | Decimal) and value < 0:
                yield f"{name}.{each.name}", f"must not be negative; it is {value}"
