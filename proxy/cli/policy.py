"""`flyball policy`: the tests of policies, run by the engine that decides."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from proxy.cli import policy_proposals, policy_replay
from proxy.policy import BadPolicy, run_tests


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `policy` to the command line."""
    verb = verbs.add_parser(
        "policy", help="test, try, propose and promote policies", description="Work with policies (Rego v1)."
    )
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    test = actions.add_parser(
        "test",
        help="run the tests that stand beside policies",
        description="Run every rule named `test_…` of the packages whose names end in `_test`, by the embedded engine, "
        "over all rules of the folder, set or not. Exit status 1 if one fails or nothing was tested.",
    )
    test.add_argument("folder", nargs="?", type=Path, help="a folder of policies; default the starter library")
    test.set_defaults(verb=run)
    policy_replay.add_actions(actions, add_config)
    policy_proposals.add_actions(actions, add_config)


def run(options: argparse.Namespace) -> int:
    """0 when every test passes, 1 with those that do not, or with what cannot be read."""
    try:
        tried = run_tests(options.folder)
    except BadPolicy as error:
        for problem in error.problems:
            print(f"flyball: {problem}", file=sys.stderr)
        return 1
    failed = [each for each in tried if each.said]
    for each in failed:
        print(f"FAIL {each.package}.{each.name} {each.said}")
    print(f"{len(tried) - len(failed)} of {len(tried)} tests pass")
    return 1 if failed or not tried else 0
