"""`flyball import litellm config.yaml`: come from another proxy with providers, routes, keys, teams and budgets."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from proxy.cli.importing.document import written
from proxy.cli.importing.litellm import PRICES, Imported, carry_over
from proxy.cli.importing.litellm_state import NoState, State, fetch_state, read_state
from proxy.cli.table import print_json
from proxy.config.tree import NotYaml

_HEADING: Final = "Made by `flyball import litellm {name}`; read it, then `flyball check --config {out}`."


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `import` to the command line."""
    what = "make a flyball.yaml of another proxy's configuration"
    verb = verbs.add_parser("import", help=what, description=f"{what.capitalize()}.")
    kinds = verb.add_subparsers(metavar="FROM", required=True)
    litellm = kinds.add_parser(
        "litellm",
        help="of a LiteLLM proxy",
        description="Write a flyball.yaml (and a price overlay, where the file has prices) with the providers, routes, "
        "fallbacks and aliases of a LiteLLM config.yaml, and, given the proxy's address or a file of its state, its "
        "teams, keys, budgets (with what they have spent so far) and rate limits. Keys go on working as they are: what "
        "is taken over is their SHA-256, as LiteLLM keeps it. Every line that could not be carried is told. Secrets "
        "that stand in the file are not written: it says which variable is to hold them.",
    )
    litellm.add_argument("config", type=Path, help="LiteLLM's config.yaml")
    litellm.add_argument("--url", help="the running LiteLLM proxy, to take over teams, keys and budgets")
    litellm.add_argument(
        "--master-key-env", default="LITELLM_MASTER_KEY", help="the variable of its master key (default: %(default)s)"
    )
    litellm.add_argument("--state", type=Path, help="instead of --url a JSON file with organizations, teams and keys")
    litellm.add_argument("--org", default="default", help="the org of teams and keys without one (default: default)")
    litellm.add_argument("--out", type=Path, default=Path("flyball.yaml"), help="what to write (default: %(default)s)")
    litellm.add_argument("--force", action="store_true", help="overwrite what is there")
    litellm.add_argument("--json", action="store_true", help="print what was carried and what not for programs")
    litellm.set_defaults(verb=_run)


def _run(options: argparse.Namespace) -> int:
    prices = options.out.with_name(PRICES)
    taken = [str(path) for path in (options.out, prices) if path.exists()]
    if taken and not options.force:
        print(f"flyball: {' and '.join(taken)} would be overwritten; say --force or another --out", file=sys.stderr)
        return 1
    try:
        text = options.config.read_text(encoding="utf-8")
        imported = carry_over(text, options.config.name, _state(options), options.org)
    except (OSError, UnicodeDecodeError, NotYaml, NoState) as error:
        print(f"flyball: not imported: {error}", file=sys.stderr)
        return 1
    heading = _HEADING.format(name=options.config.name, out=options.out)
    options.out.write_text(written(imported.tree, heading), encoding="utf-8")
    if imported.prices:
        prices.write_text(written({"models": imported.prices}, heading), encoding="utf-8")
    _tell(options, imported)
    return 0


def _state(options: argparse.Namespace) -> State:
    if options.state is not None:
        return read_state(options.state)
    if options.url is None:
        return State()
    master_key = os.environ.get(options.master_key_env, "")
    if not master_key:
        raise NoState(f"{options.master_key_env} is not set: it is to hold the master key of {options.url}")
    return fetch_state(options.url, master_key)


def _tell(options: argparse.Namespace, imported: Imported) -> None:
    counts = {part: len(value) for part, value in imported.tree.items() if isinstance(value, dict | list)}
    counts.pop("prices", None)
    if options.json:
        notes = [{"place": note.place, "what": note.what, "why": note.why} for note in imported.notes.all]
        print_json({"written": str(options.out), **counts, "not_carried": notes, "variables": imported.variables})
        return
    told = ", ".join(f"{count} {part.replace('_', ' ')}" for part, count in counts.items()) or "nothing"
    print(f"{options.out}: {told}" + (f"; {PRICES}: {len(imported.prices)} prices" if imported.prices else ""))
    for variable, place in imported.variables.items():
        print(f"set {variable} to the secret at {place}")
    if imported.notes.all:
        print(f"\n{len(imported.notes.all)} lines are not carried, or not as they stood:")
        for note in imported.notes.all:
            print(f"  {note.place}  {note.what}: {note.why}")
