"""`flyball erase --user`: take an end user out of the telemetry store."""

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec

from proxy.admin.audit import StateAuditLog
from proxy.admin.rooms import Change
from proxy.admin.tables import Tables
from proxy.app.stores import Stores
from proxy.cli.reading import read_config
from proxy.cli.table import print_json
from proxy.config import Config
from proxy.core.clock import SystemClock
from proxy.processes.folder import StateFolder
from proxy.telemetry import NOT_REACHED, Erased, StoreRefused, TelemetryUnavailable, erase_user, store_address

WHAT: Final = "take an end user out of the telemetry store; calls and their sums stay"


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `erase` to the command line."""
    verb = verbs.add_parser(
        "erase",
        help=WHAT,
        description=f"{WHAT.capitalize()}. In the rows of the user's calls it empties who it was and what clients "
        "chose freely (run, step, tags, program, the facts of decisions, the provider's ids). Rollups and every sum "
        "stay as they are. The audit trail keeps that it was done, with a digest in the place of the name. It says "
        "what it cannot reach.",
    )
    verb.add_argument("--org", required=True, help="whose user")
    verb.add_argument("--user", required=True, help="the end user's id, as calls named it")
    verb.add_argument("--reason", default="", help="why; kept in the audit trail")
    verb.add_argument("--dry-run", action="store_true", help="only count")
    verb.add_argument("--json", action="store_true", help="print the result for programs")
    add_config(verb)
    verb.set_defaults(verb=_run)


def _run(options: argparse.Namespace) -> int:
    config = read_config(options.config)
    if config is None:
        return 1
    try:
        erased = asyncio.run(_erased(config, options))
    except (TelemetryUnavailable, StoreRefused, ValueError) as error:
        print(f"flyball: not erased: {error}; run it again, it only repeats itself", file=sys.stderr)
        return 1
    if options.json:
        print_json(
            {
                "dry_run": options.dry_run,
                "rows": dict(erased.rows),
                "named_alike": dict(erased.named_alike),
                "not_reached": list(NOT_REACHED),
            }
        )
    else:
        _print(erased, dry_run=options.dry_run)
    return 0


async def _erased(config: Config, options: argparse.Namespace) -> Erased:
    folder = StateFolder(config.home)
    telemetry = config.settings.telemetry
    address = store_address(telemetry, config.home, folder.clickhouse())
    erased = await erase_user(
        address, org=options.org, user=options.user, dry_run=options.dry_run, cluster=telemetry.cluster
    )
    if not options.dry_run:
        await asyncio.to_thread(_note, config, options, erased)
    return erased


def _note(config: Config, options: argparse.Namespace, erased: Erased) -> None:
    """Into the audit trail, which is kept for years: by a digest, for the name itself is what was to be erased."""
    clock = SystemClock()
    stores = Stores.open(config, StateFolder(config.home).ledger, clock)
    digest = hashlib.sha256(f"{options.org}/{options.user}".encode()).hexdigest()
    try:
        StateAuditLog(Tables(stores.state)).append(
            Change(
                at_ns=clock.now_ns(),
                actor="cli",
                role="owner",
                action="erase",
                subject=f"user:sha256:{digest}",
                org=options.org,
                team=None,
                before=None,
                after=msgspec.json.encode({"rows": dict(erased.rows), "reason": options.reason}),
            )
        )
    finally:
        stores.state.close()


def _print(erased: Erased, *, dry_run: bool) -> None:
    print("Would empty:" if dry_run else "Emptied:")
    for table, count in erased.rows.items():
        print(f"  {table}: {count:,} rows")
    for table, count in erased.named_alike.items():
        if count:
            print(f"Left as it is: {count:,} rows of {table} have a run or a tag with this name")
    print("Not reached:")
    for each in NOT_REACHED:
        print(f"  {each}")
