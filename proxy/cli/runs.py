"""`flyball runs`: the agent runs of the running Flyball, and stopping one."""

import argparse
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlencode

from proxy.cli.actions import add_action, with_client
from proxy.cli.running import AdminClient

WHAT: Final = "list, show and stop the agent runs of the running Flyball"
PATH: Final = "/admin/v1/runs"
IN_A_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}")
"""What the admin API takes in a path; a run with another name is found by it and asked for by its id."""


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `runs` to the command line."""
    verb = verbs.add_parser("runs", help=WHAT, description=WHAT.capitalize() + ".")
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    listing = add_action(actions, "list", "the latest runs with what they did and cost")
    listing.add_argument("--agent", help="only runs in which this agent made a call")
    listing.add_argument("--state", choices=("open", "stopped", "killed"), help="only runs that stand so")
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="how many at most (100)")
    show = add_action(actions, "show", "one run: what it did, its limits, its last calls")
    kill = add_action(actions, "kill", "stop a run: no more calls, its open streams end within a second")
    kill.add_argument("--reason", default="", help="why; kept in the audit trail")
    for action in (show, kill):
        action.add_argument("run", help="the run's name or its id (run_…)")
    for action, run in ((listing, _list), (show, _show), (kill, _kill)):
        action.add_argument("--org", help="whose run")
        action.add_argument("--team", help="of which team")
        action.add_argument("--key", help="of the key with this name")
        add_config(action)
        action.set_defaults(verb=with_client(run))


def _list(client: AdminClient, options: argparse.Namespace) -> int:
    asked = {"agent": options.agent, "state": options.state, "limit": min(options.limit, 100), **_whose(options)}
    left, page = options.limit, ""
    while left > 0:
        found = client.ask("GET", f"{PATH}?{_query(asked)}{page}")
        for run in found["data"][:left]:
            print(_line(run))
        left -= len(found["data"])
        if not found["has_more"]:
            break
        page = f"&page={found['next_page']}"
    return 0


def _show(client: AdminClient, options: argparse.Namespace) -> int:
    told = client.ask("GET", _of(client, options))
    print(_line(told["run"]))
    for limit in told["limits"]:
        print(_limit(limit))
    for call in told["last_calls"]:
        cost = "unpriced" if call["cost_usd"] is None else f"${call['cost_usd']}"
        print(f"  {call['charged_at']}  {call['id']}  {call['outcome']} {call['code']}  {call['model']}  {cost}")
    return 0


def _kill(client: AdminClient, options: argparse.Namespace) -> int:
    path = _of(client, options).replace("?", "/kill?", 1)
    killed = client.ask("POST", path, {"reason": options.reason})
    print(f"killed {killed['id']}  {killed['org']}/{killed['team']}/{killed['key']}  {killed['name']}")
    return 0


def _of(client: AdminClient, options: argparse.Namespace) -> str:
    """The path of the run that is meant, with whose it is."""
    name = options.run
    if not IN_A_PATH.fullmatch(name):
        found = client.ask("GET", f"{PATH}?{_query({'name': name, **_whose(options)})}")["data"]
        if not found:
            raise SystemExit(f"flyball: there is no run {name!r}")
        if len(found) > 1:
            raise SystemExit(f"flyball: {len(found)} keys have a run {name!r}; say whose by --org, --team and --key")
        name = found[0]["id"]
    return f"{PATH}/{quote(name, safe='')}?{_query(_whose(options))}"


def _whose(options: argparse.Namespace) -> dict[str, Any]:
    return {"org": options.org, "team": options.team, "key": options.key}


def _query(asked: dict[str, Any]) -> str:
    return urlencode({name: value for name, value in asked.items() if value is not None})


def _line(run: dict[str, Any]) -> str:
    whose = f"{run['org']}/{run['team']}/{run['key']}"
    did = f"{run['calls']} calls  {run['tool_calls']} tool calls  ${run['cost_usd']}"
    return f"{run['id']}  {run['state']}  {whose}  {did}  {run['last_at'] or 'running'}  {_plain(run['name'])}"


def _limit(limit: dict[str, Any]) -> str:
    unit = "_usd" if limit["what"] == "usd" else ""
    of_agent = f" of agent {limit['agent']}" if limit.get("agent") else ""
    used, most = limit[f"used{unit}"], limit[f"limit{unit}"]
    return f"  {limit['what']}{of_agent}: {used} of {most} ({limit['said_of']})"


def _plain(name: str) -> str:
    """A client chose it: what would move the cursor is written as an escape."""
    return name if name.isprintable() else name.encode("unicode_escape").decode("ascii")
