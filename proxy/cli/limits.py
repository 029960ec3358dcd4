"""`flyball limits`: the rate limits of the running Flyball."""

import argparse
from collections.abc import Callable
from typing import Any, Final

from proxy.cli.metered import Kind, add_kind

LIMITS: Final = Kind("limits", "rate limit")


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `limits` to the command line."""
    add_kind(LIMITS, verbs, add_config)
