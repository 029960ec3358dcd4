"""`flyball policy propose | status | promote | rollback | discard`: policies by the admin API of what runs."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from proxy.cli.actions import add_action, with_client
from proxy.cli.running import AdminClient
from proxy.cli.table import print_json
from proxy.policy import BadPolicy, read_draft

PATH: Final = "/admin/v1/policies"


def add_actions(actions: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the actions to `flyball policy`."""
    propose = add_action(
        actions, "propose", "propose a folder or bundle of policies: tried on every call, decides none"
    )
    propose.add_argument("draft", type=Path, help="a folder, or a bundle (.tar.gz)")
    status = add_action(actions, "status", "what decides, what is proposed, and what decided before")
    status.add_argument("--json", action="store_true", help="print JSON")
    promote = add_action(actions, "promote", "make the candidate decide; not by who has proposed it")
    promote.add_argument("revision", help="the candidate's revision, as `status` shows it, or its first 8 signs")
    rollback = add_action(actions, "rollback", "let what decided before the last promotion decide again")
    discard = add_action(actions, "discard", "take the candidate back")
    does = {propose: _propose, status: _status, promote: _promote, rollback: _rollback, discard: _discard}
    for action, run in does.items():
        action.add_argument(
            "--token-file", type=Path, metavar="FILE", help="who acts: an admin token; default the state folder's owner"
        )
        add_config(action)
        action.set_defaults(verb=with_client(run))


def _propose(client: AdminClient, options: argparse.Namespace) -> int:
    try:
        bundle, _ = read_draft([options.draft], None)
    except BadPolicy as error:
        raise SystemExit("\n".join(f"flyball: {problem}" for problem in error.problems)) from None
    body = {"modules": dict(bundle.modules), "data": bundle.data}
    made = _as(client, options).ask("PUT", f"{PATH}/candidate", body)
    print(f"proposed {made['revision']}: its decisions are written down as shadows")
    return 0


def _status(client: AdminClient, options: argparse.Namespace) -> int:
    told = _as(client, options).ask("GET", PATH)
    if options.json:
        print_json(told)
        return 0
    print(f"decides    {told['revision'] or '(nothing was taken yet)'}  from {told['source'] or '-'}")
    if told["error"]:
        print(f"WRONG      newer policies are not taken: {told['error']}")
    for place in ("active", "candidate", "previous"):
        if (found := told[place]) is not None:
            by = f", promoted by {found['promoted_by']} {found['promoted_at']}" if found["promoted_by"] else ""
            print(f"{place:<10} {found['revision']}  proposed by {found['proposed_by']} {found['proposed_at']}{by}")
    if (shadow := told["shadow"]) is not None:
        print(f"           {shadow['differ']:,} of its {shadow['decisions']:,} shadow decisions differ")
    if told["managed_by"] == "file":
        print("flyball.yaml names the policies, so none can be promoted")
    return 0


def _promote(client: AdminClient, options: argparse.Namespace) -> int:
    acting = _as(client, options)
    candidate = acting.ask("GET", PATH)["candidate"]
    if candidate is None:
        raise SystemExit("flyball: there is no candidate")
    if not candidate["revision"].startswith(options.revision) or len(options.revision) < 8:
        raise SystemExit(f"flyball: the candidate is {candidate['revision']}; look at it, and name it")
    told = acting.ask("POST", f"{PATH}/promote", tag=f'"{candidate["revision"]}"')
    print(f"promoted {told['active']['revision']}")
    return 0


def _rollback(client: AdminClient, options: argparse.Namespace) -> int:
    told = _as(client, options).ask("POST", f"{PATH}/rollback")
    active = told["active"]
    print(f"back to {active['revision'] if active else 'the starter library'}")
    return 0


def _discard(client: AdminClient, options: argparse.Namespace) -> int:
    _as(client, options).ask("DELETE", f"{PATH}/candidate")
    print("discarded")
    return 0


def _as(client: AdminClient, options: argparse.Namespace) -> AdminClient:
    if options.token_file is None:
        return client
    try:
        return client.acting(options.token_file.read_text("utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"flyball: the token cannot be read: {error}") from None
