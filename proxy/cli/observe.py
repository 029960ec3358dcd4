"""`flyball observe report`: who would have been refused, by what, had enforcement not only observed."""

import argparse
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from proxy.cli.running import AdminClient, connect
from proxy.cli.table import print_json, print_table

WHAT: Final = "tell who would have been refused while enforcement only observes"
DAYS: Final = 7
MOST: Final = 500
_HEAD: Final = ("WHO", "WOULD BE", "BY", "CALLS", "DOLLARS", "FIRST", "LAST")
_RIGHT: Final = (3, 4)


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `observe` to the command line."""
    verb = verbs.add_parser("observe", help=WHAT, description=WHAT.capitalize() + ".")
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    what = "who would have been refused, when, and by what"
    report = actions.add_parser("report", help=what, description=what.capitalize() + ".")
    report.add_argument("--org", help="only this org")
    report.add_argument("--days", type=_days, default=DAYS, metavar="N", help=f"so many days back from now ({DAYS})")
    report.add_argument("--json", action="store_true", help="the admin API's answer as it is")
    add_config(report)
    report.set_defaults(verb=_run)


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= 3660:
        raise argparse.ArgumentTypeError("from 1 to 3660")
    return days


def _run(options: argparse.Namespace) -> int:
    client = connect(options.config)
    return 1 if client is None else _report(client, options)


def _report(client: AdminClient, options: argparse.Namespace) -> int:
    since = datetime.now(UTC) - timedelta(days=options.days)
    asked = {"start_time": since.isoformat(timespec="seconds"), "limit": MOST}
    if options.org:
        asked["org"] = options.org
    told = client.ask("GET", f"/admin/v1/observe?{urlencode(asked)}")
    if options.json:
        print_json(told)
        return 0
    print(_observed(told["observing"]))
    span = "the last day" if options.days == 1 else f"the last {options.days} days"
    if not told["would_refuse"]:
        print(f"Nothing would have been refused in {span}, of {_calls(told['calls'])} recorded.")
        return 0
    share = f"{told['would_refuse']:,} of {_calls(told['calls'])}"
    print(f"{share} in {span} would have been refused; they cost {told['cost_usd']} USD.\n")
    print_table(_HEAD, [_row(each) for each in told["data"]], right=_RIGHT)
    if told["has_more"]:
        print(f"\nThese are the {len(told['data'])} with the most calls; there are more.")
    return 0


def _observed(observing: Mapping[str, Any]) -> str:
    if observing["everyone"]:
        return "Enforcement only observes: nobody with a valid key is refused."
    parts = [
        f"{word} {', '.join(observing[name])}"
        for name, word in (("orgs", "orgs"), ("budgets", "budgets"), ("limits", "rate limits"))
        if observing[name]
    ]
    if not parts:
        return "Nothing is only observed now: enforcement is on everywhere."
    return f"Only observed now: {'; '.join(parts)}."


def _row(each: Mapping[str, Any]) -> tuple[str, ...]:
    who = f"{each['org']}/{each['team']}/{each['key']}" + (f" ({each['agent']})" if each["agent"] else "")
    moments = [str(each[name])[:16].replace("T", " ") for name in ("first_at", "last_at")]
    return (who, each["would_code"], each["would_by"], f"{each['calls']:,}", each["cost_usd"], *moments)


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"
