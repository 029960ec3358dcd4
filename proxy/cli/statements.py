"""`flyball statements list | show | verify`: what teams were charged."""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlencode

from proxy.cli.actions import add_action, with_client
from proxy.cli.running import AdminClient
from proxy.cli.table import dollars, print_json, print_table

PATH: Final = "/admin/v1/statements"
_PAGE: Final = 500


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `statements` to the command line."""
    verb = verbs.add_parser("statements", help="what teams were charged for closed months")
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    listed = add_action(actions, "list", "statements, the newest month first")
    shown = add_action(actions, "show", "one statement with all its lines")
    checked = add_action(actions, "verify", "work out every hash again, and follow each team's chain of statements")
    shown.add_argument("org")
    shown.add_argument("number", type=int)
    shown.add_argument("--csv", action="store_true", help="print CSV")
    for action in (listed, checked):
        action.add_argument("--org", help="only this org")
        action.add_argument("--team", help="only this team")
    listed.add_argument("--period", help="only this month")
    for action, run in ((listed, _list), (shown, _show), (checked, _verify)):
        action.add_argument("--json", action="store_true", help="print JSON")
        add_config(action)
        action.set_defaults(verb=with_client(run))


def _list(client: AdminClient, options: argparse.Namespace) -> int:
    found = list(_all(client, options.org, options.team, options.period))
    if options.json:
        print_json(found)
        return 0
    rows = [
        (
            *(each["period"], each["org"], each["team"] or "(the org)", str(each["number"])),
            *(dollars(each["total_usd"]), each["closed_at"], each["closed_by"]),
        )
        for each in found
    ]
    print_table(("month", "org", "team", "number", "total", "closed", "by"), rows, right=(3, 4))
    return 0


def _show(client: AdminClient, options: argparse.Namespace) -> int:
    path = f"{PATH}/{options.org}/{options.number}"
    if options.csv:
        sys.stdout.write(client.fetched(f"{path}?format=csv").decode())
        return 0
    found = client.ask("GET", path)
    if options.json:
        print_json(found)
        return 0
    zone, by = found["timezone"], found["closed_by"]
    print(f"statement {found['number']} of {found['org']}: {found['team'] or 'the org as a whole'}, {found['period']}")
    print(f"{found['starts_at']} to {found['ends_at']} ({zone}); closed {found['closed_at']} by {by}")
    rows = [
        ("usage", each["key"], each["provider"], each["model"], f"{each['calls']:,}", dollars(each["cost_usd"]))
        for each in found["usage"]
    ]
    rows += [
        (f"{each['why']} {each['of_period']}", each["key"], each["provider"], each["model"], f"{each['calls']:,}",
         dollars(each["amount_usd"]))
        for each in found["adjustments"]
    ]  # fmt: skip
    rows += [(each["kind"], each["note"], "", "", "", dollars(each["amount_usd"])) for each in found["negotiated"]]
    rows.append(("total", "", "", "", "", dollars(found["total_usd"])))
    print_table(("line", "key", "provider", "model", "calls", "amount"), rows, right=(4, 5))
    if found["unpriced_calls"]:
        print(f"{found['unpriced_calls']:,} calls had no price and are in no sum")
    print(f"prices {', '.join(found['price_versions']) or '-'}")
    print(f"hash {found['hash']}\nprevious {found['previous_hash'] or '(the first of this team)'}")
    return 0


def _verify(client: AdminClient, options: argparse.Namespace) -> int:
    told: dict[str, Any] = {"statements": 0, "wrong": []}
    chains: dict[tuple[str, str], str] = {}
    found = sorted(_all(client, options.org, options.team, None), key=lambda each: (each["org"], each["number"]))
    for each in found:
        whole = client.ask("GET", f"{PATH}/{each['org']}/{each['number']}")
        name, chain = f"{each['org']} {each['number']}", (each["org"], each["team"])
        if hash_of(whole) != whole["hash"]:
            told["wrong"].append(f"statement {name} is not what its hash says")
        if whole["previous_hash"] != chains.get(chain, ""):
            told["wrong"].append(f"statement {name} does not follow the team's statement before")
        chains[chain] = whole["hash"]
        told["statements"] += 1
    if options.json:
        print_json(told)
    else:
        for wrong in told["wrong"]:
            print(f"WRONG {wrong}")
        print(f"{told['statements']:,} statements looked at, {len(told['wrong'])} faults found")
    return 1 if told["wrong"] else 0


def hash_of(statement: dict[str, Any]) -> str:
    """The hash that a statement must have, from its members alone: as docs/money.md says it is made."""
    content = {name: value for name, value in statement.items() if name not in ("hash", "object")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _all(client: AdminClient, org: str | None, team: str | None, period: str | None) -> Iterator[Any]:
    asked = {name: value for name, value in (("org", org), ("team", team), ("period", period)) if value}
    page = ""
    while True:
        found = client.ask("GET", f"{PATH}?{urlencode({**asked, 'limit': _PAGE})}{page}")
        yield from found["data"]
        if not found["has_more"]:
            return
        page = f"&page={found['next_page']}"
