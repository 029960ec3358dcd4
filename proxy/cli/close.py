"""`flyball close 2026-10`: the statements of a month, for good."""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from proxy.billing import BillingError, Period
from proxy.cli.actions import with_client
from proxy.cli.running import AdminClient, ApiRefused
from proxy.cli.table import dollars, print_json, print_table

WHAT: Final = "close a month: one statement for each team, that never changes"
_AGAIN_S: Final = 2.0
_PATIENCE_S: Final = 300.0
_MARGIN_S: Final = 86_400


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `close` to the command line."""
    verb = verbs.add_parser(
        "close",
        help=WHAT,
        description=f"{WHAT.capitalize()}. Refused while calls of the month are not settled or not in the telemetry "
        "store, and while some have no price. What becomes known later is charged by the next month's statements.",
    )
    verb.add_argument("period", help="the month, such as 2026-10")
    verb.add_argument("--org", action="append", default=[], help="only this org; may be repeated; all when left out")
    verb.add_argument("--timezone", help="whose calendar cuts the month; an org's first one decides, UTC by default")
    verb.add_argument("--allow-unpriced", action="store_true", help="close although calls have no price; it is stated")
    verb.add_argument("--dry-run", action="store_true", help="show the statements and close nothing")
    verb.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="how long to wait for what is on its way"
    )
    verb.add_argument("--json", action="store_true", help="print JSON")
    add_config(verb)
    verb.set_defaults(verb=with_client(_close))


def _close(client: AdminClient, options: argparse.Namespace) -> int:
    body = {"timezone": options.timezone, "allow_unpriced": options.allow_unpriced, "dry_run": options.dry_run}
    closed, refused = [], []
    for org in options.org or _orgs(client, options.period):
        try:
            closed.append(_patiently(client, f"/admin/v1/periods/{org}/{options.period}/close", body, options.wait))
        except ApiRefused as error:
            refused.append(f"{org}: {error.said}")
    if options.json:
        print_json({"closed": closed, "refused": refused})
    else:
        _show(closed, dry_run=options.dry_run)
    for said in refused:
        print(f"flyball: {said}", file=sys.stderr)
    if not closed and not refused:
        print(f"flyball: nobody spent anything in {options.period}", file=sys.stderr)
    return 1 if refused or not closed else 0


def _patiently(client: AdminClient, path: str, body: dict[str, Any], wait_s: float) -> Any:
    """The answer; what is on its way only is waited for."""
    until = time.monotonic() + wait_s
    while True:
        try:
            return client.ask("POST", path, body, timeout_s=_PATIENCE_S)
        except ApiRefused as error:
            if not error.passes or time.monotonic() >= until:
                raise
            time.sleep(_AGAIN_S)


def _orgs(client: AdminClient, text: str) -> list[str]:
    """Every org that spent something around that month, or that there is: deleted ones are charged too."""
    try:
        start, end = Period.of(text).bounds("UTC")
    except BillingError as error:
        raise SystemExit(f"flyball: {error}") from None
    asked = urlencode(
        {
            "start_time": int(start.timestamp()) - _MARGIN_S,
            "end_time": int(end.timestamp()) + _MARGIN_S,
            "bucket_width": "all",
            "group_by": "org",
            "limit": 10_000,
        }
    )
    spent = client.ask("GET", f"/admin/v1/spend?{asked}")["data"]
    return sorted({each["group"]["org"] for each in spent})


def _show(closed: list[Any], *, dry_run: bool) -> None:
    rows = [
        (
            f"{each['org']}/{each['team'] or '(the org)'}",
            *(str(each["number"]), dollars(each["usage_usd"]), dollars(each["adjustments_usd"])),
            *(dollars(each["negotiated_usd"]), dollars(each["total_usd"])),
            f"{each['unpriced_calls']:,}",
            each["hash"][:12],
        )
        for period in closed
        for each in period["statements"]
    ]
    if rows:
        head = ("team", "number", "usage", "adjustments", "negotiated", "total", "unpriced", "hash")
        print_table(head, rows, right=(1, 2, 3, 4, 5, 6))
    for period in closed:
        done = "would be closed" if dry_run else "is closed"
        zone = period["timezone"] or "empty"
        print(f"{period['period']} of {period['org']} {done}: {dollars(period['total_usd'])} ({zone})")
