"""`flyball spend`: what was spent, by whom and on what, as a table or a file."""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from proxy.cli.actions import with_client
from proxy.cli.running import AdminClient
from proxy.cli.stretch import WRITTEN, earlier, length, moment, zone
from proxy.cli.table import print_json, print_table

WHAT: Final = "what was spent, by whom and on what"
PATH: Final = "/admin/v1/spend"
PATIENCE_S: Final = 60.0
"""As long as the store may take for one question, and a little."""
BUCKETS: Final = ("15m", "1h", "1d", "1w", "1mo", "all")
FILES: Final = ("csv", "parquet", "focus", "focus-parquet")
_MOST_SHOWN: Final = 1_000


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `spend` to the command line."""
    verb = verbs.add_parser("spend", help=WHAT, description=WHAT.capitalize() + ".", epilog=_EXAMPLE)
    verb.add_argument("--since", metavar="WHEN", help=f"from then on: {WRITTEN} (the first of this month)")
    verb.add_argument("--until", metavar="WHEN", help="up to, not including, then (now)")
    verb.add_argument("--last", metavar="LENGTH", help="the time up to now of this length, such as 24h, 7d or 4w")
    add_choice(verb)
    verb.add_argument(
        "--by", action="append", default=[], metavar="NAME", help="group by: team, key, model, tag:env, … (repeatable)"
    )
    verb.add_argument("--bucket", choices=BUCKETS, default="all", help="a row for each stretch of this length (all)")
    verb.add_argument(
        "--format",
        choices=("table", "json", *FILES),
        default="table",
        help="table, JSON, or a file; focus and focus-parquet are FinOps FOCUS 1.2, by day (table)",
    )
    verb.add_argument("--output", type=Path, metavar="FILE", help="write there, not to standard output")
    verb.add_argument("--limit", type=int, metavar="N", help=f"rows of a table at most ({_MOST_SHOWN:,})")
    add_config(verb)
    verb.set_defaults(verb=with_client(_spend))


def add_choice(verb: argparse.ArgumentParser) -> None:
    """The options that choose calls and say whose calendar counts."""
    verb.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only such calls: team=support, model=gpt-5, tag:env=prod, … (repeatable; the same name twice: either)",
    )
    verb.add_argument("--timezone", type=zone, default=ZoneInfo("UTC"), help="IANA name; where days begin (UTC)")


def chosen(options: argparse.Namespace) -> list[tuple[str, str]]:
    """The parameters that choose calls.

    Raises:
        SystemExit: a choice that is not written NAME=VALUE.
    """
    found = [("timezone", str(options.timezone))]
    for text in options.where:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SystemExit(f"flyball: --where {text!r} is not written NAME=VALUE")
        found.append(("tag", f"{name[4:]}={value}") if name.startswith("tag:") else (name, value))
    return found


def _spend(client: AdminClient, options: argparse.Namespace) -> int:
    bucket = "1d" if options.format.startswith("focus") and options.bucket == "all" else options.bucket
    asked = [*_span(options), *chosen(options), ("bucket_width", bucket)]
    asked += [("group_by", name) for name in options.by]
    if options.format in FILES:
        content = client.fetched(f"{PATH}?{urlencode([*asked, ('format', options.format)])}", timeout_s=PATIENCE_S)
        return put_out(content, options.output)
    rows, more = _rows(client, asked, options.limit or _MOST_SHOWN)
    if options.format == "json":
        print_json(rows)
    else:
        _print(rows, options)
    if more:
        print(f"flyball: there is more than {len(rows)} rows; --limit, or a file by --format csv", file=sys.stderr)
    return 0


def put_out(content: bytes, path: Path | None) -> int:
    """Write a file to where it was asked for; 1, and why on standard error, where that cannot be."""
    try:
        if path is None:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            path.write_bytes(content)
    except OSError as error:
        print(f"flyball: {path or 'standard output'} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _span(options: argparse.Namespace) -> list[tuple[str, str]]:
    now = datetime.now(options.timezone)
    if options.last is not None:
        if options.since is not None or options.until is not None:
            raise SystemExit("flyball: --last goes without --since and --until")
        return [("start_time", _second(earlier(now, length(options.last))))]
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    start = first if options.since is None else moment(options.since, options.timezone)
    until = [] if options.until is None else [("end_time", _second(moment(options.until, options.timezone)))]
    return [("start_time", _second(start)), *until]


def _second(at: datetime) -> str:
    return str(int(at.timestamp()))


def _rows(client: AdminClient, asked: Sequence[tuple[str, str]], most: int) -> tuple[list[dict[str, Any]], bool]:
    rows: list[dict[str, Any]] = []
    page: list[tuple[str, str]] = []
    while True:
        limit = ("limit", str(min(most - len(rows), 10_000)))
        found = client.ask("GET", f"{PATH}?{urlencode([*asked, limit, *page])}", timeout_s=PATIENCE_S)
        rows += found["data"]
        if not found["has_more"] or len(rows) >= most:
            return rows, found["has_more"]
        page = [("page", found["next_page"])]


def _print(rows: Sequence[dict[str, Any]], options: argparse.Namespace) -> None:
    timed = options.bucket != "all"
    head = [
        *(["FROM"] if timed else []),
        *(name.upper() for name in options.by),
        "SPEND",
        "CALLS",
        "TOKENS",
        "UNPRICED",
    ]
    cells = [
        [
            *([_local(row["start_time"], options)] if timed else []),
            *(row["group"][name] or "-" for name in options.by),
            f"${row['cost_usd']}",
            f"{row['calls']:,}",
            f"{sum(row['tokens'].values()):,}",
            f"{row['unpriced_calls']:,}",
        ]
        for row in rows
    ]
    print_table(head, cells, right=range(len(head) - 4, len(head)))


def _local(second: int, options: argparse.Namespace) -> str:
    at = datetime.fromtimestamp(second, options.timezone)
    whole_days = options.bucket in ("1d", "1w", "1mo")
    return f"{at:%Y-%m-%d}" if whole_days else f"{at:%Y-%m-%d %H:%M}"


_EXAMPLE: Final = "Example: flyball spend --last 7d --by team --by model --where tag:env=prod --timezone Europe/Berlin"
