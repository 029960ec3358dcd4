"""`flyball retention plan`: what of the telemetry store drops when."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from proxy.cli.reading import read_config
from proxy.cli.table import print_json, print_table
from proxy.config import Config
from proxy.processes.folder import StateFolder
from proxy.telemetry import Partition, StoreRefused, TelemetryUnavailable, plan_retention, store_address

WHAT: Final = "what of the telemetry store drops when"
_KB: Final = 1024


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `retention` to the command line."""
    verb = verbs.add_parser("retention", help=WHAT, description=WHAT.capitalize() + ".")
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    what = "list every month, week or year of every table with the day it drops, its rows and its bytes"
    plan = actions.add_parser(
        "plan",
        help=what,
        description=f"{what.capitalize()}, the next to drop first, by the retention that is set in the configuration "
        "(telemetry.*_days); a retention that was changed holds from the collector's next start. Changes nothing.",
    )
    plan.add_argument("--table", metavar="NAME", help="only this table")
    plan.add_argument("--json", action="store_true", help="print the result for programs")
    add_config(plan)
    plan.set_defaults(verb=_run)


def _run(options: argparse.Namespace) -> int:
    config = read_config(options.config)
    if config is None:
        return 1
    try:
        found = asyncio.run(_planned(config))
    except (TelemetryUnavailable, StoreRefused, ValueError) as error:
        print(f"flyball: the store cannot be asked: {error}", file=sys.stderr)
        return 1
    chosen = [each for each in found if options.table in (None, each.table)]
    if options.json:
        print_json([asdict(each) | {"drops_at": each.drops_at.isoformat()} for each in chosen])
    else:
        _print(chosen)
    return 0


async def _planned(config: Config) -> list[Partition]:
    telemetry = config.settings.telemetry
    address = store_address(telemetry, config.home, StateFolder(config.home).clickhouse())
    return await plan_retention(address, telemetry)


def _print(partitions: list[Partition]) -> None:
    rows = [
        (f"{each.drops_at:%Y-%m-%d}", each.table, each.partition, f"{each.days:,}", f"{each.rows:,}", size(each))
        for each in partitions
    ]
    print_table(("drops on", "table", "part of time", "kept days", "rows", "on disk"), rows, right=(3, 4, 5))


def size(partition: Partition) -> str:
    """Its bytes in the largest unit that leaves a whole number before the point."""
    amount, unit = float(partition.bytes_on_disk), "B"
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if amount < _KB or unit == "TB":
            break
        amount /= _KB
    return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
