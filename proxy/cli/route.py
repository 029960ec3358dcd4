"""`flyball route explain`: where a call would go, and why; nothing is sent to a provider."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from proxy.app.configuration import environment
from proxy.cli.actions import add_action, with_client
from proxy.cli.running import AdminClient
from proxy.cli.table import print_json, print_table

PATH: Final = "/v1/flyball/route"
KEY_VARIABLE: Final = "FLYBALL_KEY"
TIMEOUT_S: Final = 10.0


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `route` to the command line."""
    what = "where calls go, and why"
    verb = verbs.add_parser("route", help=what, description=what.capitalize() + ".")
    action = add_action(verb.add_subparsers(metavar="ACTION", required=True), "explain", "dry-run one chat of a key")
    action.add_argument("model", help="the model that the client would name")
    action.add_argument("--body", type=Path, metavar="FILE", help="the request as JSON; by default a short chat")
    action.add_argument("--step", metavar="NAME", help="what it would say in x-flyball-step")
    action.add_argument("--agent", metavar="NAME", help="what it would say in x-flyball-agent")
    action.add_argument("--run", metavar="NAME", help="what it would say in x-flyball-run")
    action.add_argument("--tags", metavar="TAGS", help="what it would say in x-flyball-tags, such as env=prod")
    action.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help=f"a file with the key whose call it would be; by default ${KEY_VARIABLE}, then the first key",
    )
    action.add_argument("--format", choices=("table", "json"), default="table", help="(table)")
    add_config(action)
    action.set_defaults(verb=with_client(_explain))


def _explain(client: AdminClient, options: argparse.Namespace) -> int:
    names = {name: getattr(options, name) for name in ("step", "agent", "run", "tags")}
    headers = {f"x-flyball-{name}": value for name, value in names.items() if value}
    headers["authorization"] = f"Bearer {_key(client, options.key_file)}"
    url = client.endpoints["data"] + PATH
    try:
        answer = httpx.post(url, json=_body(options), headers=headers, timeout=TIMEOUT_S, trust_env=False)
    except httpx.HTTPError as error:
        raise SystemExit(f"flyball: the data port at {url} cannot be reached: {error}") from None
    if not answer.is_success:
        raise SystemExit(f"flyball: {answer.json()['error']['message']} ({answer.status_code})")
    told = answer.json()
    if options.format == "json":
        print_json(told)
    else:
        _tell(told)
    return 0 if told["refused"] is None else 1


def _key(client: AdminClient, file: Path | None) -> str:
    if file is None and (given := environment().get(KEY_VARIABLE)):
        return given
    path = file or client.folder.home / "first-key"
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SystemExit(f"flyball: no key: {error}; name one by --key-file or ${KEY_VARIABLE}") from None


def _body(options: argparse.Namespace) -> dict[str, Any]:
    if options.body is None:
        return {"model": options.model, "messages": [{"role": "user", "content": "Hello"}]}
    try:
        body = json.loads(options.body.read_bytes())
    except (OSError, ValueError) as error:
        raise SystemExit(f"flyball: {options.body} cannot be read as JSON: {error}") from None
    if not isinstance(body, dict):
        raise SystemExit(f"flyball: {options.body} must hold a JSON object")
    return {**body, "model": options.model}


def _tell(told: dict[str, Any]) -> None:
    print(f"{told['requested_model']} → route {told['route'] or '(none)'} {told['strategy']}".rstrip())
    if told["reason"]:
        print(told["reason"])
    rows = [(str(at), _name(each), each["why"]) for at, each in enumerate(told["candidates"], 1)]
    rows += [("–", _name(each), each["why"]) for each in told["left_out"]]
    if rows:
        print_table(("", "target", "why"), rows)
    made = told["estimate"]
    if told["refused"] is None:
        print(f"at most {made['most_usd']} USD for {made['input_tokens']} tokens in, {made['output_tokens']} out")
    else:
        print(f"refused: {told['refused']['code']}: {told['refused']['message']}")


def _name(candidate: dict[str, Any]) -> str:
    return f"{candidate['provider']}/{candidate['model']}"
