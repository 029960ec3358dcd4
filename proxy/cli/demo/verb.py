"""`flyball demo` on the command line."""

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from proxy.cli.demo.run import DemoOptions, run_demo


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `demo` to the command line. It writes a configuration of its own, so it takes none."""
    verb = verbs.add_parser("demo", help="three tenants, two minutes of live traffic, one of them hits its cap")
    for option in fields(DemoOptions):
        said = {"help": option.metadata["doc"], "default": option.default}
        if option.type is bool:
            verb.add_argument(f"--{option.name}", action="store_true", **said)
        else:
            verb.add_argument(f"--{option.name}", type=option.type, metavar="N", **said)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Run the demo with what was asked."""
    return run_demo(DemoOptions(**{option.name: getattr(options, option.name) for option in fields(DemoOptions)}))
