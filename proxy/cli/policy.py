"""`flyball policy`: work with policies."""

import argparse
from collections.abc import Callable
from typing import Any

from proxy.cli import policy_proposals, policy_replay, policy_testing


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `policy` to the command line."""
    verb = verbs.add_parser(
        "policy", help="test, try, propose and promote policies", description="Work with policies (Rego v1)."
    )
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    policy_testing.add_action(actions)
    policy_replay.add_actions(actions, add_config)
    policy_proposals.add_actions(actions, add_config)
