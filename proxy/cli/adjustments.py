"""`flyball adjustments list | add | remove`: negotiated lines on the statements of months that are open."""

import argparse
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from proxy.cli.actions import add_action, with_client
from proxy.cli.running import AdminClient
from proxy.cli.table import dollars, print_json, print_table

PATH: Final = "/admin/v1/adjustments"


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `adjustments` to the command line."""
    verb = verbs.add_parser("adjustments", help="negotiated lines: credits, discounts, commitments")
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    listed = add_action(actions, "list", "the lines there are")
    added = add_action(actions, "add", "add a line to the statements of a month that is open")
    removed = add_action(actions, "remove", "take a line back, as long as its month is open")
    for action in (listed, added):
        action.add_argument("--org", required=action is added)
        action.add_argument("--team", help="a team of it; left out: the org as a whole")
        action.add_argument("--period", required=action is added, help="the month, such as 2026-11")
    added.add_argument("--kind", choices=("credit", "discount", "commitment", "other"), default="other")
    added.add_argument(
        "--amount-usd", required=True, metavar="USD", help="signed: --amount-usd=-12.50 is for their good"
    )
    added.add_argument("--cost-center", default="")
    added.add_argument("--note", default="", help="stands on the statement")
    removed.add_argument("id")
    for action, run in ((listed, _list), (added, _add), (removed, _remove)):
        action.add_argument("--json", action="store_true", help="print JSON")
        add_config(action)
        action.set_defaults(verb=with_client(run))


def _list(client: AdminClient, options: argparse.Namespace) -> int:
    names = ("org", "team", "period")
    asked = {name: value for name in names if (value := getattr(options, name)) is not None}
    found = client.ask("GET", f"{PATH}?{urlencode({**asked, 'limit': 500})}")
    if options.json:
        print_json(found)
        return 0
    rows = [
        (
            *(each["id"], each["period"], each["org"], each["team"] or "(the org)", each["kind"]),
            *(dollars(each["amount_usd"]), each["note"]),
        )
        for each in found["data"]
    ]
    print_table(("id", "month", "org", "team", "kind", "amount", "note"), rows, right=(5,))
    return 0


def _add(client: AdminClient, options: argparse.Namespace) -> int:
    names = ("org", "team", "period", "kind", "amount_usd", "cost_center", "note")
    made = client.ask("POST", PATH, {name: getattr(options, name) for name in names})
    if options.json:
        print_json(made)
    else:
        print(f"{made['id']}: {dollars(made['amount_usd'])} for {made['period']}")
    return 0


def _remove(client: AdminClient, options: argparse.Namespace) -> int:
    gone = client.ask("DELETE", f"{PATH}/{options.id}")
    print_json(gone) if options.json else print(f"{gone['id']} is taken back")
    return 0
