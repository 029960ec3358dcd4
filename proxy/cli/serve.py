"""`flyball serve`: everything on one host, or one role of it."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from proxy.app.configuration import environment
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
    model = example_model(config.settings.routes)
    forks = ForkServer.begin()  # first of all: what it forks inherits what is open here
    launch = executed if forks is None else forks.launch
    try:
        return asyncio.run(Supervisor(config, roles, lambda summary: announce(summary, model), launch).run())
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


def announce(summary: dict[str, Any], model: str) -> None:
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
    _hint_providers()
    if "data" in ends:
        _hint_call(summary, model)
    sys.stdout.flush()


def _hint_providers() -> None:
    if environment().get("ANTHROPIC_API_KEY"):
        print("  note: ANTHROPIC_API_KEY is set, but the Anthropic dialect is not served in this version")


def _hint_call(summary: dict[str, Any], model: str) -> None:
    key_file = Path(summary["home"]) / "first-key"
    if not key_file.exists():
        return
    if summary["sim"]:
        print("  no provider key was found, so only simulated models (sim-*) are served; they cost nothing real")
    print("\nTry it:\n")
    print(f"  curl -s {summary['endpoints']['data']}/v1/chat/completions \\")
    print(f'    -H "Authorization: Bearer $(cat {key_file})" -H "Content-Type: application/json" \\')
    print(f'    -d \'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}\'\n')
    print(f"Look at it:\n\n  FLYBALL_HOME={summary['home']} {sys.argv[0]} console\n")
