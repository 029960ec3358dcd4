"""`flyball cache`: take answers out of the caches, and see what was taken out."""

import argparse
from collections.abc import Callable
from typing import Any, Final

from proxy.cli.actions import add_action, with_client
from proxy.cli.running import AdminClient
from proxy.cli.table import plain, print_json, print_table

WHAT: Final = "take answers out of the caches, and see what was taken out"
PATH: Final = "/admin/v1/cache/purges"
_HEAD: Final = ("ID", "TARGET", "ORG", "AT", "BY")
_TARGET: Final = "all, entry:op_… (x-flyball-operation of the call that made it), model:…, tag:k=v or revision:…"


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `cache` to the command line."""
    verb = verbs.add_parser("cache", help=WHAT, description=WHAT.capitalize() + ".")
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    purge = add_action(actions, "purge", "give answers that were made until now to nobody any more")
    purge.add_argument("target", help=_TARGET)
    purge.add_argument("--org", help="of this org only")
    shown = add_action(actions, "purges", "list what was taken out, the last first")
    for each, action in ((purge, _purge), (shown, _list)):
        each.add_argument("--json", action="store_true", help="the admin API's answer as it is")
        add_config(each)
        each.set_defaults(verb=with_client(action))


def _purge(client: AdminClient, options: argparse.Namespace) -> int:
    body = {"target": options.target} | ({"org": options.org} if options.org else {})
    made = client.ask("POST", PATH, body)
    if options.json:
        print_json(made)
    else:
        print(f"purged: {plain(made['target'])}{' of ' + made['org'] if made['org'] else ''}")
    return 0


def _list(client: AdminClient, options: argparse.Namespace) -> int:
    found = client.ask("GET", f"{PATH}?limit=500")
    if options.json:
        print_json(found)
    elif not found["data"]:
        print("Nothing was taken out of the caches.")
    else:
        print_table(
            _HEAD,
            [(each["id"], each["target"], each["org"] or "", each["at"][:19], each["by"]) for each in found["data"]],
        )
    return 0
