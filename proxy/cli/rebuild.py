"""`flyball budgets rebuild`: make the ledger's counters what the rows of calls say."""

import argparse
import asyncio
import sys
from collections.abc import Callable
from typing import Any

from proxy.app.following_reader import FollowingReader
from proxy.app.ledgers import rebuildable_book
from proxy.app.rebuild import rebuild
from proxy.app.stores import Stores
from proxy.budget import LedgerUnavailable
from proxy.cli.reading import read_config
from proxy.cli.running import connect
from proxy.cli.table import print_json
from proxy.config import Config
from proxy.core.clock import SystemClock
from proxy.processes.folder import StateFolder
from proxy.telemetry import TelemetryUnavailable

WHAT = "let every counter be at least what the rows of its calls say"


def add_rebuild(actions: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `rebuild` to the actions of `budgets`."""
    action = actions.add_parser(
        "rebuild",
        help=WHAT,
        description=f"{WHAT.capitalize()}, budgets' and rate limits' in their present windows. A new ledger does so by "
        "itself before it takes a call. Doing it again changes nothing. Calls may go on, unless --exactly is given.",
    )
    action.add_argument(
        "--exactly",
        action="store_true",
        help="lower counters that say more than the rows; only while no calls are made",
    )
    action.add_argument("--json", action="store_true", help="print the result for programs")
    add_config(action)
    action.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Rebuild, and say how many counters that were."""
    config = read_config(options.config)
    if config is None or connect(options.config) is None:
        return 1
    try:
        counters = asyncio.run(_rebuilt(config, exactly=options.exactly))
    except TelemetryUnavailable as error:
        print(f"flyball: nothing is rebuilt without the rows: {error.message}", file=sys.stderr)
        return 1
    except LedgerUnavailable as error:
        print(f"flyball: the ledger cannot be written: {error}; run it again, it only repeats itself", file=sys.stderr)
        return 1
    if options.json:
        print_json({"counters": counters, "exactly": options.exactly})
    else:
        print(f"{counters} counters are {'exactly' if options.exactly else 'at least'} what the rows say")
    return 0


async def _rebuilt(config: Config, *, exactly: bool) -> int:
    folder = StateFolder(config.home)
    stores = await asyncio.to_thread(Stores.open, config, folder.ledger, SystemClock())
    reader = FollowingReader(config.settings.telemetry, config.home, folder.clickhouse)
    try:
        return await rebuild(stores, rebuildable_book(config, stores.state), reader, exactly=exactly)
    finally:
        await reader.close()
        stores.state.close()
