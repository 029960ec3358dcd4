"""`flyball keys`: the client keys of the running Flyball."""

import argparse
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from proxy.cli.actions import add_action, with_client
from proxy.cli.running import AdminClient

WHAT: Final = "list, create and revoke the client keys of the running Flyball"


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `keys` to the command line."""
    verb = verbs.add_parser("keys", help=WHAT, description=WHAT.capitalize() + ".")
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    listing = add_action(actions, "list", "every key with its org and team")
    create = add_action(actions, "create", "make a key; its secret is shown once")
    create.add_argument("org")
    create.add_argument("team")
    create.add_argument("name")
    revoke = add_action(actions, "revoke", "stop a key from working, on every worker within seconds")
    revoke.add_argument("key_id", help="the key's id, as `flyball keys list` and operations show it")
    for action, run in ((listing, _list), (create, _create), (revoke, _revoke)):
        add_config(action)
        action.set_defaults(verb=with_client(run))


def _list(client: AdminClient, options: argparse.Namespace) -> int:
    path: str | None = "/admin/v1/keys?limit=100"
    while path:
        page = client.ask("GET", path)
        for key in page["data"]:
            print(f"{key['id']}  {key['org']}/{key['team']}/{key['name']}  {key.get('status', '')}")
        path = f"/admin/v1/keys?limit=100&page={page['next_page']}" if page.get("has_more") else None
    return 0


def _create(client: AdminClient, options: argparse.Namespace) -> int:
    made = client.ask("POST", "/admin/v1/keys", {"org": options.org, "team": options.team, "name": options.name})
    print(made["secret"])
    return 0


def _revoke(client: AdminClient, options: argparse.Namespace) -> int:
    key = client.ask("GET", f"/admin/v1/keys/{quote(options.key_id, safe='')}")
    name = "/".join(quote(key[part], safe="") for part in ("org", "team", "name"))
    client.ask("POST", f"/admin/v1/keys/{name}/revoke", {})
    print(f"revoked {options.key_id}")
    return 0
