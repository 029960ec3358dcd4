"""`flyball serve`: everything on one host, or one role of it."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from proxy.budget import BudgetConflict
from proxy.cli.reading import read_config
from proxy.config.known_providers import EXAMPLES
from proxy.identity import IdentityError
from proxy.processes import AlreadyRunning, CannotListen, NotReady, Supervisor
from proxy.processes.folder import StateFolder
from proxy.processes.fork_server import ForkServer
from proxy.processes.logs import start_logging
from proxy.processes.running import executed
from proxy.routing import RouteSettings, is_glob
from proxy.upstream import ProviderSettings

OWNER_ONLY = 0o077
"""Rows, ledger and secrets are nobody else's: whatever we or our children write is for its owner only."""
ROLES = ("worker", "collector", "admin")


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `serve` to the command line."""
    verb = verbs.add_parser(
        "serve",
        help="start the proxy, the collector and the admin port",
        description="Start everything on this host. Without a configuration, known environment variables such as "
        "OPENAI_API_KEY make providers; without any of those a simulated provider serves sim-* models.",
    )
    add_config(verb)
    verb.add_argument("--role", choices=ROLES, action="append", help="start only this role; may be given repeatedly")
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM."""
    config = read_config(options.config)
    if config is None:
        return 1
    exposed = StateFolder(config.home).exposed_secrets()
    if exposed:
        paths = " ".join(map(str, exposed))
        print(f"flyball: {paths} can be read by others than the owner; run: chmod 600 {paths}", file=sys.stderr)
        return 1
    os.umask(OWNER_ONLY)
    start_logging("supervisor")
    roles = frozenset(options.role or ROLES)
    settings = config.settings
    model = example_model(settings.routes)
    example = example_call(model, _dialect_of(settings.routes, settings.providers))
    forks = ForkServer.begin()  # first of all: what it forks inherits what is open here
    launch = executed if forks is None else forks.launch
    try:
        return asyncio.run(Supervisor(config, roles, lambda summary: announce(summary, example), launch).run())
    except (AlreadyRunning, CannotListen, NotReady, IdentityError, BudgetConflict) as error:
        print(f"flyball: {error}", file=sys.stderr)
        return 1
    finally:
        if forks is not None:
            forks.close()


def example_model(routes: Sequence[RouteSettings]) -> str:
    """A model name to try: a route's own, else the known example of its provider, else words."""
    routes = [route for route in routes if route.model]
    if not routes:
        return "sim-small"
    exact = next((route.model for route in routes if not is_glob(route.model)), None)
    return exact or EXAMPLES.get(routes[0].targets[0].provider, f"<a model like {routes[0].model}>")


def example_call(model: str, dialect: str) -> tuple[str, str]:
    """The path of a first call and its body."""
    asked: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    if dialect == "anthropic":
        return "/v1/messages", json.dumps({**asked, "max_tokens": 100})
    return "/v1/chat/completions", json.dumps(asked)


def _dialect_of(routes: Sequence[RouteSettings], providers: Mapping[str, ProviderSettings]) -> str:
    """What the provider behind the first route speaks."""
    provider = providers.get(routes[0].targets[0].provider) if routes else None
    return "openai" if provider is None else provider.dialect


def announce(summary: dict[str, Any], example: tuple[str, str]) -> None:
    """Say where everything is, and how to make the first call."""
    ends = summary["endpoints"]
    print(f"flyball serves with {summary['workers']} workers")
    for name, what in (
        ("data", "data port (base URL for SDKs: add /v1)"),
        ("admin", "admin API, metrics; console under /console"),
        ("clickhouse", "ClickHouse (HTTP)"),
        ("sim", "simulated provider"),
    ):
        if name in ends:
            print(f"  {ends[name]:<34} {what}")
    print(f"  {summary['home']:<34} state ({summary['state']})")
    if "data" in ends:
        _hint_call(summary, *example)
    sys.stdout.flush()


def _hint_call(summary: dict[str, Any], path: str, body: str) -> None:
    key_file = Path(summary["home"]) / "first-key"
    if not key_file.exists():
        return
    if summary["sim"]:
        print("  no provider key was found, so only simulated models (sim-*) are served; they cost nothing real")
    print("\nTry it:\n")
    print(f"  curl -s {summary['endpoints']['data']}{path} \\")
    print(f'    -H "Authorization: Bearer $(cat {key_file})" -H "Content-Type: application/json" \\')
    print(f"    -d '{body}'\n")
    print(f"Look at it:\n\n  FLYBALL_HOME={summary['home']} {sys.argv[0]} console\n")
