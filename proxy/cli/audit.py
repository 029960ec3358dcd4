"""`flyball audit verify`: whether the audit chain is whole, in the state file and as it was shipped."""

import argparse
import asyncio
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from proxy.admin.audit import StateAuditLog
from proxy.admin.chain import Head
from proxy.admin.tables import Tables
from proxy.app.audit_check import ChainReport, check_chain
from proxy.app.following_reader import FollowingReader
from proxy.app.operation_check import OperationReport, SegmentsReport, check_operation, check_segments
from proxy.app.stores import Stores
from proxy.cli.reading import read_config
from proxy.cli.table import print_json
from proxy.config import Config
from proxy.core.clock import SystemClock
from proxy.processes.folder import StateFolder

WHAT: Final = "prove that the audit trail is as it was written"
_NOTED: Final = re.compile(r"([1-9]\d{0,17}):([0-9a-f]{64})")


class Checked(NamedTuple):
    """All that was looked at: the audit chain, the chains of segments, and the operation that was asked for."""

    chain: ChainReport
    segments: list[SegmentsReport]
    operation: OperationReport | None

    @property
    def is_good(self) -> bool:
        """Whether nothing is broken, and nothing was left out."""
        whole = not self.chain.broken and not self.chain.unasked and not any(each.why for each in self.segments)
        return whole and (self.operation is None or self.operation.proven)


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `audit` to the command line."""
    verb = verbs.add_parser("audit", help=WHAT, description=WHAT.capitalize() + ".")
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    what = "read the whole chain and name the first broken link"
    verify = actions.add_parser(
        "verify",
        help=what,
        description=f"{what.capitalize()}: in this host's state file, in ClickHouse, and between the two. Changes "
        "nothing. Ends with 1 where a link is broken, or where ClickHouse cannot be asked.",
    )
    verify.add_argument(
        "--expect",
        type=_noted,
        metavar="NUMBER:HASH",
        help="a head that an earlier verify printed: the entry must still stand there, unchanged",
    )
    verify.add_argument(
        "--operation",
        metavar="ID",
        help="prove besides that this operation's row, and all that were shipped with it, are as they were shipped",
    )
    verify.add_argument("--json", action="store_true", help="print the result for programs")
    add_config(verify)
    verify.set_defaults(verb=_run)


def _noted(text: str) -> Head:
    match = _NOTED.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError("write it as verify prints it: the number, a colon, 64 hex digits")
    return Head(int(match[1]), match[2])


def _run(options: argparse.Namespace) -> int:
    config = read_config(options.config)
    if config is None:
        return 1
    if not StateFolder(config.home).ledger.exists():
        print(f"flyball: there is no state file in {config.home}")
        return 1
    checked = asyncio.run(_checked(config, options.expect, options.operation))
    if options.json:
        print_json(_told(checked))
    else:
        _print(checked)
    return 0 if checked.is_good else 1


async def _checked(config: Config, expected: Head | None, operation: str | None) -> Checked:
    folder = StateFolder(config.home)
    stores = await asyncio.to_thread(Stores.open, config, folder.ledger, SystemClock())
    reader = FollowingReader(config.settings.telemetry, config.home, folder.clickhouse)
    try:
        trail = StateAuditLog(Tables(stores.state))
        report = await check_chain(trail, reader, expected)
        segments = [] if report.broken or report.unasked else await check_segments(trail, reader)
        of_it = None if operation is None else await check_operation(operation, trail, reader)
        return Checked(report, segments, of_it)
    finally:
        await reader.close()
        stores.state.close()


def _print(checked: Checked) -> None:
    report = checked.chain
    if report.broken is not None:
        print(f"BROKEN at entry {report.broken.number}, in {report.broken_in}: {report.broken.why}")
    else:
        print(f"The chain is whole: {report.entries:,} entries, head {report.head.number}:{report.head.hash}")
        print(_compared(report))
    for each in checked.segments:
        print(
            f"BROKEN: {each.why}" if each.why else f"The segments' chain {each.spool} is whole: {each.links:,} links."
        )
    if checked.operation is not None:
        _print_operation(checked.operation)


def _compared(report: ChainReport) -> str:
    if report.unasked:
        return f"ClickHouse was not compared: {report.unasked}"
    if not report.shipped:
        return "ClickHouse has none of them yet."
    return f"ClickHouse has entries {report.shipped_from} to {report.shipped_to}, the same."


def _print_operation(report: OperationReport) -> None:
    said = "is as it was shipped" if report.proven else f"NOT PROVEN: {report.why}"
    print(f"Operation {report.operation} {said}")
    for fact in report.facts:
        print(f"  {fact}")


def _told(checked: Checked) -> dict[str, Any]:
    report, of_it = checked.chain, checked.operation
    broken = report.broken
    return {
        "whole": broken is None,
        "broken": None if broken is None else {"number": broken.number, "in": report.broken_in, "why": broken.why},
        "entries": report.entries,
        "head": f"{report.head.number}:{report.head.hash}",
        "shipped": report.shipped,
        "shipped_from": report.shipped_from,
        "shipped_to": report.shipped_to,
        "unasked": report.unasked,
        "segments": [asdict(each) for each in checked.segments],
        **({} if of_it is None else {"operation": asdict(of_it)}),
    }
