"""`flyball budgets`: the budgets of the running Flyball."""

import argparse
from collections.abc import Callable
from typing import Any, Final

from proxy.cli.metered import Kind, add_kind
from proxy.cli.rebuild import add_rebuild

BUDGETS: Final = Kind("budgets", "budget")


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `budgets` to the command line."""
    add_rebuild(add_kind(BUDGETS, verbs, add_config), add_config)
