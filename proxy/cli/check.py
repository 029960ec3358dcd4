"""`flyball check`: is the configuration good?"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from typing import Any

from proxy.app.bundle_fetch import BundleFetch, NotFetched
from proxy.cli.reading import read_config
from proxy.policy import BadPolicy, PolicySettings, check_archive


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `check` to the command line."""
    verb = verbs.add_parser(
        "check",
        help="read the configuration and tell every mistake in it",
        description="Read the configuration as `serve` would, tell every mistake with its place, and start nothing.",
    )
    add_config(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """0 and a summary, or 1 and the mistakes."""
    config = read_config(options.config)
    if config is None:
        return 1
    settings = config.settings
    print(f"configuration: {config.path or 'none (environment only)'}, generation {config.generation}")
    print(f"state folder:  {config.home}")
    print(f"providers:     {', '.join(settings.providers) or 'none: simulated models (sim-*) will be served'}")
    print(f"routes:        {len(settings.routes)}")
    keys = sum(len(team.keys) for org in settings.tenants for team in org.teams)
    print(f"tenants:       {len(settings.tenants)} orgs, {keys} keys")
    print(f"budgets:       {len(settings.budgets)}, and {len(settings.rate_limits)} rate limits")
    problem = _fetched(settings.policy)
    if problem:
        print(f"flyball: policy.bundle: {problem}", file=sys.stderr)
        return 1
    print("all good")
    return 0


def _fetched(policy: PolicySettings) -> str:
    """What is wrong with the bundle that is to be fetched, asked for once; empty where nothing is, or there is none."""
    if policy.fetched is None:
        return ""
    try:
        archive = asyncio.run(BundleFetch()(policy.fetched)).archive
        packed = check_archive(policy, archive or b"")
    except (NotFetched, BadPolicy) as error:
        return str(error)
    print(f"policy:        bundle {packed.named or '(no name)'}, revision {packed.bundle.revision}")
    return ""
