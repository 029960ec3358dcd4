"""`flyball telemetry`: keep and hand out what was recorded: backups, and tables as Parquet."""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from proxy.cli.reading import read_config
from proxy.cli.stretch import WRITTEN, moment
from proxy.config import Config
from proxy.processes.folder import StateFolder
from proxy.telemetry import (
    EXPORTED,
    Export,
    NotEmpty,
    StoreAddress,
    StoreRefused,
    TelemetryUnavailable,
    back_up,
    export_parquet,
    restore,
    store_address,
)

_T = TypeVar("_T")
WHAT: Final = "back up and restore the embedded ClickHouse, export its tables"
_UTC: Final = ZoneInfo("UTC")
_MONTH: Final = timedelta(days=30)


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `telemetry` to the command line."""
    verb = verbs.add_parser("telemetry", help=WHAT, description=_sentence(WHAT))
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    saved = _action(actions, "backup", "write the embedded ClickHouse's database into one file, while it runs")
    saved.add_argument("--out", type=Path, metavar="FILE", help="move it there (a new file under STATE/backups)")
    taken = _action(actions, "restore", "fill a store that has no operations yet from a backup's file")
    taken.add_argument("file", type=Path, metavar="FILE")
    export = _action(actions, "export", "write a table's rows into one Parquet file")
    export.add_argument("--table", choices=EXPORTED, default="operations", help="(operations)")
    export.add_argument("--since", metavar="WHEN", help=f"from then on: {WRITTEN} (30 days ago); days are UTC's")
    export.add_argument("--until", metavar="WHEN", help="up to, not including, then (now)")
    export.add_argument("--org", metavar="NAME", help="rows of this org only (all)")
    export.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to make")
    for action, run in ((saved, _back_up), (taken, _restore), (export, _export)):
        add_config(action)
        action.set_defaults(verb=_with_store(run))


def _action(actions: Any, name: str, what: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = actions.add_parser(name, help=what, description=_sentence(what))
    return made


def _sentence(what: str) -> str:
    """With a capital, and the names in it as they are."""
    return f"{what[0].upper()}{what[1:]}."


def _with_store(
    action: Callable[[Config, StoreAddress, argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    """The action over the telemetry store; 1, and why on standard error, where it cannot be had."""

    def run(options: argparse.Namespace) -> int:
        config = read_config(options.config)
        if config is None:
            return 1
        try:
            address = store_address(config.settings.telemetry, config.home, StateFolder(config.home).clickhouse())
            return action(config, address, options)
        except (ValueError, OSError, NotEmpty, StoreRefused) as why:
            print(f"flyball: {why}", file=sys.stderr)
        except TelemetryUnavailable as why:
            print(f"flyball: {why.message}", file=sys.stderr)
        return 1

    return run


def _back_up(config: Config, address: StoreAddress, options: argparse.Namespace) -> int:
    _only_embedded(config)
    if options.out is not None and options.out.exists():
        raise FileExistsError(f"{options.out} exists already")
    path = _shown("backup", decimal, lambda told: back_up(address, config.home, told))
    if options.out is not None:
        path = Path(shutil.move(path, options.out))
    print(f"{path}: {decimal(path.stat().st_size)}")
    return 0


def _restore(config: Config, address: StoreAddress, options: argparse.Namespace) -> int:
    _only_embedded(config)
    if not options.file.is_file():
        raise FileNotFoundError(f"{options.file} is no file")
    _shown("restore", decimal, lambda told: restore(address, config.home, options.file, told))
    print(f"the store is as it was in {options.file}; restart flyball to bring its schema up to this version")
    return 0


def _export(_: Config, address: StoreAddress, options: argparse.Namespace) -> int:
    if options.out.exists():
        raise FileExistsError(f"{options.out} exists already")
    until = moment(options.until, _UTC) if options.until else datetime.now(UTC)
    since = moment(options.since, _UTC) if options.since else until - _MONTH
    wanted = Export(table=options.table, since=since, until=until, org=options.org)
    done = 0

    def added(count: int, told: Callable[[int], None]) -> None:
        nonlocal done
        done += count
        told(done)

    rows = _shown(
        f"export of {wanted.table}",
        lambda count: f"{count:,} rows",
        lambda told: export_parquet(address, wanted, options.out, lambda count: added(count, told)),
    )
    print(f"{options.out}: {rows:,} rows, {decimal(options.out.stat().st_size)}")
    return 0


def _only_embedded(config: Config) -> None:
    if config.settings.telemetry.url is not None:
        raise ValueError("telemetry.url names a ClickHouse server: back it up with its own BACKUP statement")


def _shown(
    what: str, written: Callable[[int], str], work: Callable[[Callable[[int], None]], Coroutine[Any, Any, _T]]
) -> _T:
    """Do the work with its progress on standard error, where that is a terminal."""
    console = Console(stderr=True)
    done_so_far = TextColumn("{task.fields[done]}")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), done_so_far, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None, done="")
        return asyncio.run(work(lambda done: progress.update(task, done=written(done))))
