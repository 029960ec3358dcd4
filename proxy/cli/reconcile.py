"""`flyball reconcile`: what we recorded against what a provider says was used, by day, model and kind of token."""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from proxy.cli.actions import with_client
from proxy.cli.running import AdminClient
from proxy.cli.table import print_json, print_table
from proxy.wire.usage_report import BadReport, Kind, Report, read_report

WHAT: Final = "compare what was recorded with a provider's usage or cost export"
_MOST_BYTES: Final = 256 * 1024 * 1024
_MOST_SHOWN: Final = 100
_PATIENCE_S: Final = 60.0
_SENT: Final = ("ok", "cancelled", "truncated", "upstream_error", "lost")
"""Outcomes of calls that a provider may have seen."""
_OURS: Final[Mapping[str, Mapping[Kind, tuple[str, ...]]]] = {
    "openai": {
        "input": ("input", "audio_input", "image_input"),
        "cache_read": ("cache_read",),
        "cache_write": ("cache_write", "cache_write_1h"),
        "output": ("output", "reasoning", "audio_output", "image_output"),
    },
    "anthropic": {
        "input": ("input", "audio_input", "image_input"),
        "cache_read": ("cache_read",),
        "cache_write": ("cache_write",),
        "cache_write_1h": ("cache_write_1h",),
        "output": ("output", "reasoning", "audio_output", "image_output"),
    },
}
"""Which of our disjoint buckets make up what each of them tells."""


class Place(NamedTuple):
    """What is compared: one kind on one day for one model; model "" is all of them."""

    day: date
    model: str
    kind: Kind


class Compared(NamedTuple):
    """Both sides of one place, and whether they are near enough."""

    place: Place
    ours: Decimal
    theirs: Decimal
    near: bool


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `reconcile` to the command line."""
    verb = verbs.add_parser(
        "reconcile",
        help=WHAT,
        description=f"{WHAT.capitalize()}, by day of UTC, model and kind of token; or by day and dollars. Exports of "
        "OpenAI's usage and costs APIs and of Anthropic's usage and cost reports, as JSON or CSV; which one it is, is "
        "seen from its content. The status is 0 when all is within the tolerance, 1 when not.",
    )
    verb.add_argument(
        "--provider", action="append", required=True, metavar="NAME", help="as flyball.yaml calls it; may be repeated"
    )
    verb.add_argument("--file", type=Path, required=True, help="the export; - is standard input")
    verb.add_argument("--org", help="only calls of this org, where it has an account of its own")
    verb.add_argument("--tolerance", type=_percent, default=Decimal(1), metavar="PERCENT", help="1 if left out")
    verb.add_argument("--all", action="store_true", help="show what agrees too")
    verb.add_argument("--json", action="store_true", help="print JSON")
    add_config(verb)
    verb.set_defaults(verb=with_client(_reconcile))


def compare(report: Report, ours: Mapping[Place, Decimal], tolerance_percent: Decimal) -> Iterator[Compared]:
    """Every place that either side knows, in order; near enough is within the tolerance of the larger side."""
    theirs: dict[Place, Decimal] = defaultdict(Decimal)
    for line in report.lines:
        theirs[Place(line.day, line.model, line.kind)] += line.amount
    for place in sorted({*theirs, *ours}):
        one, other = ours.get(place, Decimal(0)), theirs.get(place, Decimal(0))
        near = abs(one - other) * 100 <= tolerance_percent * max(abs(one), abs(other))
        yield Compared(place, one, other, near)


def _reconcile(client: AdminClient, options: argparse.Namespace) -> int:
    try:
        report = read_report(_content(options.file))
    except BadReport as error:
        print(f"flyball: {options.file}: {error}", file=sys.stderr)
        return 1
    if not report.lines:
        print(f"flyball: {options.file}: nothing was used in it", file=sys.stderr)
        return 1
    found = list(compare(report, _recorded(client, options, report), options.tolerance))
    if report.is_cut:
        print(
            "flyball: the export ends at a page that says there is more: its last days may be missing", file=sys.stderr
        )
    if options.json:
        print_json(_told(report, found))
    else:
        _show(report, found, everything=options.all)
    return 0 if all(each.near for each in found) else 1


def _content(path: Path) -> bytes:
    try:
        content = sys.stdin.buffer.read(_MOST_BYTES + 1) if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise SystemExit(f"flyball: {path} cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise SystemExit(f"flyball: {path} is larger than {_MOST_BYTES // 1024**2} MB; reconcile a month at a time")
    return content


def _recorded(client: AdminClient, options: argparse.Namespace, report: Report) -> dict[Place, Decimal]:
    """What we know of the days of the report, in its kinds."""
    by_model = any(line.model for line in report.lines)
    in_dollars = report.lines[0].kind == "usd"
    sums: dict[Place, Decimal] = defaultdict(Decimal)
    for row in _spend(client, options, report):
        day = datetime.fromtimestamp(row["start_time"], UTC).date()
        if in_dollars:
            sums[Place(day, "", "usd")] += Decimal(row["cost_usd"])
            continue
        model = row["group"]["model"] if by_model else ""
        for kind, buckets in _OURS[report.of].items():
            sums[Place(day, model, kind)] += sum(row["tokens"].get(bucket, 0) for bucket in buckets)
    return {place: amount for place, amount in sums.items() if amount}


def _spend(client: AdminClient, options: argparse.Namespace, report: Report) -> Iterator[Any]:
    days = sorted({line.day for line in report.lines})
    start, end = (datetime.combine(day, time(), UTC) for day in (days[0], days[-1] + timedelta(days=1)))
    asked: list[tuple[str, str | int]] = [
        *(("start_time", int(start.timestamp())), ("end_time", int(end.timestamp())), ("bucket_width", "1d")),
        *(("timezone", "UTC"), ("group_by", "model"), ("limit", 10_000)),
        *(("provider", name) for name in options.provider),
        *(("outcome", outcome) for outcome in _SENT),
    ]
    if options.org:
        asked.append(("org", options.org))
    page = ""
    while True:
        found = client.ask("GET", f"/admin/v1/spend?{urlencode(asked)}{page}", timeout_s=_PATIENCE_S)
        yield from found["data"]
        if not found["has_more"]:
            return
        page = f"&page={found['next_page']}"


def _show(report: Report, found: list[Compared], *, everything: bool) -> None:
    rows = [each for each in found if everything or not each.near]
    if rows:
        head = ("day", "model", "kind", "ours", report.of, "difference")
        print_table(head, [_row(each) for each in rows[:_MOST_SHOWN]], right=(3, 4, 5))
    if len(rows) > _MOST_SHOWN:
        print(f"and {len(rows) - _MOST_SHOWN:,} more: --json has them all")
    totals: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for each in found:
        totals[each.place.kind][0] += each.ours
        totals[each.place.kind][1] += each.theirs
    for kind, (ours, theirs) in totals.items():
        print(f"{kind}: ours {ours:,f}, theirs {theirs:,f}, difference {ours - theirs:+,f}")
    differing = sum(not each.near for each in found)
    print(f"{differing:,} of {len(found):,} differ" if differing else f"all {len(found):,} agree")


def _row(each: Compared) -> tuple[str, ...]:
    place = each.place
    amounts = (f"{each.ours:,f}", f"{each.theirs:,f}", f"{each.ours - each.theirs:+,f}")
    return (place.day.isoformat(), place.model or "(all)", place.kind, *amounts)


def _told(report: Report, found: list[Compared]) -> dict[str, Any]:
    return {
        "format": report.of,
        "is_cut": report.is_cut,
        "agrees": all(each.near for each in found),
        "lines": [
            {
                **each.place._asdict(),
                "day": each.place.day.isoformat(),
                "ours": f"{each.ours:f}",
                "theirs": f"{each.theirs:f}",
                "near": each.near,
            }
            for each in found
        ],
    }


def _percent(text: str) -> Decimal:
    try:
        percent = Decimal(text)
    except InvalidOperation:
        percent = Decimal(-1)
    if not percent.is_finite() or percent < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage such as 0.5")
    return percent
