"""What the verbs with actions (`flyball keys list`, `flyball runs kill`) have in common."""

import argparse
from collections.abc import Callable
from typing import Any

from proxy.cli.running import AdminClient, connect


def add_action(actions: Any, name: str, what: str) -> argparse.ArgumentParser:
    """Add an action to a verb; `what` says in a few words what it does."""
    made: argparse.ArgumentParser = actions.add_parser(name, help=what, description=what.capitalize() + ".")
    return made


def with_client(action: Callable[[AdminClient, argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """The action over the admin API of the Flyball that runs; 1, and why on standard error, where none does."""

    def run(options: argparse.Namespace) -> int:
        client = connect(options.config)
        return 1 if client is None else action(client, options)

    return run
