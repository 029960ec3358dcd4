"""The command `flyball`: one verb a file."""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, TypeAlias

from proxy import __version__
from proxy.app.configuration import environment

Verb: TypeAlias = Callable[[argparse.Namespace], int]
CONFIG_NAME: Final = "flyball.yaml"
_VERBS: Final = (
    "serve",
    "demo",
    "check",
    "doctor",
    "console",
    "keys",
    "budgets",
    "limits",
    "spend",
    "why",
    "reprice",
    "reconcile",
    "close",
    "statements",
    "adjustments",
    "runs",
    "approvals",
    "audit",
    "retention",
    "erase",
    "kill",
    "cache",
    "observe",
    "policy",
    "route",
    "grafana",
    "telemetry",
    "importing",
)
"""A file or folder each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 0 when all is well, 1 when not, 2 for wrong usage."""
    given = sys.argv[1:] if arguments is None else arguments
    options = parser(given).parse_args(given)
    verb: Verb = options.verb
    try:
        return verb(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 141


def parser(given: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line: of the verb that these arguments begin with, else of all, which takes longer to load."""
    top = argparse.ArgumentParser(
        prog="flyball",
        description="A governor for AI spend: an OpenAI-compatible proxy with hard budgets and exact money.",
        epilog="Every verb has its own --help. Documentation: docs/ and the README.",
    )
    top.add_argument("--version", action="version", version=f"flyball {__version__}")
    verbs = top.add_subparsers(metavar="VERB", required=True)
    for name in given[:1] if given and given[0] in _VERBS else _VERBS:
        import_module(f"proxy.cli.{name}").add_verb(verbs, add_config)
    return top


def add_config(verb: argparse.ArgumentParser) -> None:
    """The option that names the configuration file."""
    named = environment().get("FLYBALL_CONFIG")
    here = Path(CONFIG_NAME)
    default = Path(named) if named else (here if here.exists() else None)
    verb.add_argument(
        "--config",
        type=Path,
        default=default,
        metavar="FILE",
        help=f"configuration; default $FLYBALL_CONFIG, else ./{CONFIG_NAME} if it is there, else none at all",
    )
