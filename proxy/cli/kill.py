"""`flyball kill`: turn off an org, a key, a model, a tool and so on, see what is off, and let it go on again."""

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from proxy.cli.actions import with_client
from proxy.cli.running import AdminClient
from proxy.cli.stating import length_of
from proxy.cli.table import plain, print_json, print_table

WHAT: Final = "turn something off at once, on all hosts; list what is off; lift it"
PATH: Final = "/admin/v1/kill-switches"
_EPILOG: Final = """\
flyball kill KIND:TARGET --reason WHY [--for 2h]    turn it off
flyball kill list [--all]                           what is off, by whom, why, since when
flyball kill lift ID                                let it go on

KIND:TARGET is org:acme, team:acme/support, key:acme/support/bot, agent:acme/triage, run:acme/r1, model:gpt-*,
provider:openai, tool:delete_*, writes or writes:acme (all tools that are not registered as ones that only read).
"""
_HEAD: Final = ("ID", "OFF", "STATE", "SINCE", "UNTIL", "BY", "WHY")


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `kill` to the command line."""
    verb = verbs.add_parser(
        "kill",
        help=WHAT,
        description=WHAT.capitalize() + ".",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_argument("target", metavar="KIND:TARGET | list | lift", help="what to turn off, or what else to do")
    verb.add_argument("id", nargs="?", help="of the kill switch to lift")
    verb.add_argument("--reason", help="why it is turned off; those who are refused are told")
    verb.add_argument("--for", dest="length", type=length_of, metavar="LENGTH", help="for so long only: 30m, 2h, 7d")
    verb.add_argument("--all", action="store_true", help="list those that have ended too")
    verb.add_argument("--json", action="store_true", help="the admin API's answer as it is")
    add_config(verb)
    verb.set_defaults(verb=lambda options: _run(verb, options))


def _run(verb: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if options.target == "list":
        action = _list
    elif options.target == "lift":
        action = _lift
        if options.id is None:
            verb.error("lift needs the ID of the kill switch; `flyball kill list` shows it")
    else:
        action = _set
        if not options.reason:
            verb.error("turning something off needs a --reason")
    if (options.id is not None) != (action is _lift):
        verb.error(f"{options.id!r} is one argument too many")
    return with_client(action)(options)


def _set(client: AdminClient, options: argparse.Namespace) -> int:
    body = {"target": options.target, "reason": options.reason}
    if options.length is not None:
        body["expires_at"] = (datetime.now(UTC) + timedelta(seconds=options.length)).isoformat()
    made = client.ask("POST", PATH, body)
    if options.json:
        print_json(made)
        return 0
    until = f" until {_moment(made['expires_at'])}" if made["expires_at"] else ""
    print(f"off: {plain(made['target'])}{until}; lift it with: flyball kill lift {made['id']}")
    for warning in made["warnings"]:
        print(f"but: {warning}")
    return 0


def _list(client: AdminClient, options: argparse.Namespace) -> int:
    found = client.ask("GET", f"{PATH}?limit=500{'' if options.all else '&state=on'}")
    if options.json:
        print_json(found)
    elif not found["data"]:
        print("Nothing was ever turned off." if options.all else "Nothing is turned off.")
    else:
        print_table(_HEAD, [_row(each) for each in found["data"]])
        if found["has_more"]:
            print(f"\nThese are the last {len(found['data'])}; there are more.")
    return 0


def _lift(client: AdminClient, options: argparse.Namespace) -> int:
    lifted = client.ask("POST", f"{PATH}/{quote(options.id, safe='')}/lift")
    if options.json:
        print_json(lifted)
        return 0
    print(f"lifted: {plain(lifted['target'])}")
    for each in client.ask("GET", f"{PATH}?limit=500&state=on")["data"]:
        if each["target"] == lifted["target"]:
            print(f"but: {each['id']} turns it off too")
    return 0


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    until = each["lifted_at"] or each["expires_at"]
    texts = (each["target"], each["state"], _moment(each["since"]), _moment(until), each["by"], each["reason"])
    return (each["id"], *texts)


def _moment(text: str | None) -> str:
    return "" if text is None else re.sub(r"[TZ]", " ", text[:16]).strip()
