"""`flyball approvals`: calls that wait for a person, and their yes or no."""

import argparse
from collections.abc import Callable
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

from proxy.cli.actions import add_action, with_client
from proxy.cli.running import AdminClient

WHAT: Final = "list, show, approve and deny calls that wait for a person"
PATH: Final = "/admin/v1/approvals"
STATES: Final = ("pending", "approved", "denied", "expired", "used")


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `approvals` to the command line."""
    verb = verbs.add_parser("approvals", help=WHAT, description=WHAT.capitalize() + ".")
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    listing = add_action(actions, "list", "the latest approvals; those that wait, unless --state says others")
    listing.add_argument("--state", choices=(*STATES, "any"), default="pending", help="how they stand (pending)")
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="how many at most (100)")
    for name in ("org", "team", "key"):
        listing.add_argument(f"--{name}", help=f"only of this {name}")
    show = add_action(actions, "show", "one approval with the tool calls that it is about")
    approve = add_action(actions, "approve", "say yes: the same request passes once")
    deny = add_action(actions, "deny", "say no: the same request is refused until the approval expires")
    for action in (show, approve, deny):
        action.add_argument("approval", help="the approval's id (apr_…)")
    approve.add_argument("--note", default="", help="why; kept in the audit trail")
    deny.add_argument("--note", default="", help="why; told to the caller, and kept in the audit trail")
    for action, run in ((listing, _list), (show, _show), (approve, _decide("approve")), (deny, _decide("deny"))):
        add_config(action)
        action.set_defaults(verb=with_client(run))


def _list(client: AdminClient, options: argparse.Namespace) -> int:
    state = None if options.state == "any" else options.state
    asked = {"state": state, "org": options.org, "team": options.team, "key": options.key}
    query = {name: value for name, value in asked.items() if value is not None}
    left, page = options.limit, ""
    while left > 0:
        found = client.ask("GET", f"{PATH}?{urlencode({**query, 'limit': min(left, 100)})}{page}")
        for approval in found["data"]:
            print(_line(approval))
        left -= len(found["data"])
        if not found["has_more"]:
            break
        page = f"&page={found['next_page']}"
    return 0


def _show(client: AdminClient, options: argparse.Namespace) -> int:
    told = client.ask("GET", _of(options))
    approval = told["approval"]
    print(_line(approval))
    print(
        f"  asked by {approval['operation']}  run {_plain(approval['run']) or '-'}  agent {_plain(approval['agent'])}"
    )
    print(f"  at {approval['point']}: {_plain(approval['reason']) or 'no reason given'}")
    for call in told["calls"] or ():
        print(f"  {_plain(call['name'])}({_plain(call['arguments'])})")
    if approval["decided_by"]:
        print(
            f"  {approval['state']} by {approval['decided_by']} at {approval['decided_at']}  {_plain(approval['note'])}"
        )
    if told["why_not"]:
        print(f"  you cannot decide on it: {told['why_not']}")
    return 0


def _decide(action: Literal["approve", "deny"]) -> Callable[[AdminClient, argparse.Namespace], int]:
    def decide(client: AdminClient, options: argparse.Namespace) -> int:
        print(_line(client.ask("POST", f"{_of(options)}/{action}", {"note": options.note})))
        return 0

    return decide


def _of(options: argparse.Namespace) -> str:
    return f"{PATH}/{quote(options.approval, safe='')}"


def _line(approval: dict[str, Any]) -> str:
    whose = f"{approval['org']}/{approval['team']}/{approval['key']}"
    what = ", ".join(_plain(name) for name in approval["tools"]) or _plain(approval["model"])
    until = f"${approval['estimate_usd']}  until {approval['expires_at']}"
    return f"{approval['id']}  {approval['state']}  {whose}  {what}  {until}"


def _plain(text: str) -> str:
    """A client or a model chose it: what would move the cursor is written as an escape."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
