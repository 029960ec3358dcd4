"""`flyball reprice`: what recorded calls cost at another price version, as corrections beside the rows."""

import argparse
import asyncio
import fcntl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from proxy.admin.audit import StateAuditLog
from proxy.admin.rooms import Change
from proxy.admin.tables import Tables
from proxy.app.reprice_plan import Plan, RepriceFolder
from proxy.app.repricing import CURRENT, BadTarget, Kept, Repricer, price_providers, target_of
from proxy.app.stores import Stores
from proxy.cli.reading import read_config
from proxy.cli.table import print_json, print_table
from proxy.config import Config
from proxy.core.clock import SystemClock
from proxy.core.money import to_usd_text
from proxy.pricing import BadPrices
from proxy.processes.folder import StateFolder
from proxy.telemetry import Corrections, RepriceQuery, StoreRefused, TelemetryUnavailable, store_address

WHAT: Final = "work out what recorded calls cost at another price version, and correct their cost"
_MOST_SHOWN: Final = 200


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `reprice` to the command line."""
    verb = verbs.add_parser(
        "reprice",
        help=WHAT,
        description=f"{WHAT.capitalize()}: from the token buckets of their attempts. The rows stay as they are; the "
        "difference is written beside them and counts wherever spend is summed. It is shown first. Doing it again "
        "changes nothing; a reprice that was interrupted is finished by the next one.",
    )
    verb.add_argument(
        "--to",
        default=CURRENT,
        metavar="VERSION|DAY",
        help=f"version of the configured prices, {CURRENT!r} (the default) for the same, or a day whose rates count",
    )
    verb.add_argument("--from", dest="start", required=True, type=moment, metavar="TIME", help="2026-11-01, in UTC")
    verb.add_argument("--until", type=moment, metavar="TIME", help="up to, not including; default now")
    verb.add_argument("--org", help="only this org")
    verb.add_argument("--model", action="append", default=[], help="only this model; may be repeated")
    verb.add_argument("--reason", default="reprice", help="stands in every correction and in the audit trail")
    verb.add_argument("--dry-run", action="store_true", help="show the difference and write nothing")
    verb.add_argument("--yes", action="store_true", help="write without asking")
    verb.add_argument("--json", action="store_true", help="print the difference for programs; asks nothing")
    add_config(verb)
    verb.set_defaults(verb=run)


def moment(text: str) -> datetime:
    """A day or a time in UTC, unless it says another zone.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write it like 2026-11-01 or 2026-11-01T13:00") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def run(options: argparse.Namespace) -> int:
    """Plan, show, ask, write."""
    config = read_config(options.config)
    if config is None:
        return 1
    try:
        with _alone(StateFolder(config.home)):
            return asyncio.run(_Work(config, options).run())
    except BadTarget as error:
        return _failed(str(error))
    except BadPrices as error:
        return _failed("; ".join(error.complaints))
    except (TelemetryUnavailable, StoreRefused, ValueError) as error:
        return _failed(f"{getattr(error, 'message', error)}; what was decided on is finished by the next reprice")


class _Work:
    """One run of the command."""

    def __init__(self, config: Config, options: argparse.Namespace) -> None:
        self._config = config
        self._options = options
        self._folder = RepriceFolder(config.home / "reprice")
        self._console = Console(stderr=True)

    async def run(self) -> int:
        """Everything, over one connection to the store."""
        settings, state = self._config.settings, StateFolder(self._config.home)
        address = store_address(settings.telemetry, self._config.home, state.clickhouse())
        corrections = Corrections(address)
        try:
            if self._folder.waiting():
                self._console.print("finishing a reprice that was interrupted", style="yellow")
                await self._write(corrections)
            return await self._reprice(corrections)
        finally:
            await corrections.close()

    async def _reprice(self, corrections: Corrections) -> int:
        options, settings = self._options, self._config.settings
        target = target_of(options.to, settings.prices)
        repricer = Repricer(target, price_providers(settings.providers), options.reason)
        asked = RepriceQuery(
            start=options.start,
            end=options.until or datetime.now(UTC),
            org=options.org,
            filters={"model": options.model} if options.model else {},
        )
        total = sum(stretch.operations for stretch in await corrections.stretches(asked))
        with self._progress("calls", total) as seen:
            plan = await self._folder.plan(corrections, asked, repricer, SystemClock(), seen)
        _show(plan, target.label, as_json=options.json)
        if options.dry_run or not plan.corrections or not self._agreed(plan):
            self._folder.discard()
            return 0
        self._folder.decide()
        await asyncio.to_thread(self._audit, plan, target.label)
        written = await self._write(corrections, plan.corrections)
        self._console.print(f"{written:,} corrections written")
        return 0

    async def _write(self, corrections: Corrections, total: int | None = None) -> int:
        with self._progress("corrections", total) as done:
            return await self._folder.carry_out(corrections, done)

    def _agreed(self, plan: Plan) -> bool:
        if self._options.yes:
            return True
        if self._options.json or not sys.stdin.isatty():
            self._console.print("nothing was written; say --yes to write it")
            return False
        return input(f"write {plan.corrections:,} corrections? [y/N] ").strip().lower() in ("y", "yes")

    def _audit(self, plan: Plan, label: str) -> None:
        stores = Stores.open(self._config, StateFolder(self._config.home).ledger, SystemClock())
        change = Change(
            at_ns=SystemClock().now_ns(),
            actor="flyball reprice",
            role="owner",
            action="money.reprice",
            subject=f"prices/{label}",
            org=self._options.org,
            team=None,
            before=None,
            after=b'{"corrections":%d}' % plan.corrections,
        )
        StateAuditLog(Tables(stores.state)).append(change)
        stores.state.close()

    @contextmanager
    def _progress(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(what, total=total)
            yield lambda more: progress.advance(task, more)


def _show(plan: Plan, label: str, *, as_json: bool) -> None:
    rows = sorted(plan.differences.items(), key=lambda each: (-abs(each[1].after - each[1].before), each[0]))
    before, after = (sum(getattr(each, side) for _, each in rows) for side in ("before", "after"))
    if as_json:
        print_json(
            {
                "to": label,
                "corrections": plan.corrections,
                "difference_usd": to_usd_text(after - before),
                "kept": {kept.name.lower(): plan.kept[kept] for kept in Kept},
                "groups": [
                    {
                        **dict(zip(("org", "team", "model"), names, strict=True)),
                        "calls": each.calls,
                        "before_usd": to_usd_text(each.before),
                        "after_usd": to_usd_text(each.after),
                    }
                    for names, each in rows
                ],
            }
        )
        return
    head = ("team", "model", "calls", "before", f"at {label}", "difference")
    money = [
        (f"{org}/{team}", model, f"{each.calls:,}", *_money(each.before, each.after))
        for (org, team, model), each in rows[:_MOST_SHOWN]
    ]
    if rows:
        total = ("all", "", f"{plan.corrections:,}", *_money(before, after))
        print_table(head, [*money, total], right=(2, 3, 4, 5))
    for kept, calls in plan.kept.most_common():
        print(f"{calls:,} calls stay as they are: {kept.value}")
    if not plan.corrections:
        print("nothing to correct")


def _money(before: Any, after: Any) -> tuple[str, str, str]:
    return to_usd_text(before), to_usd_text(after), to_usd_text(after - before)


@contextmanager
def _alone(folder: StateFolder) -> Iterator[None]:
    folder.make()
    with (folder.home / "lock-reprice").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("flyball: another reprice runs over this state folder; wait for it") from None
        yield


def _failed(why: str) -> int:
    print(f"flyball: {why}", file=sys.stderr)
    return 1
