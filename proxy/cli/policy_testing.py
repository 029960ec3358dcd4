"""`flyball policy test`: the tests beside policies, by the engine in the process, by OPA, or by both."""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from proxy.cli.table import print_json
from proxy.policy import BadPolicy, Tried, run_opa_tests, run_tests

ENGINES: Final = {"embedded": ("embedded",), "opa": ("opa",), "both": ("embedded", "opa")}
Results: TypeAlias = dict[str, list[Tried]]


def add_action(actions: Any) -> None:
    """Add `test` to `flyball policy`."""
    test = actions.add_parser(
        "test",
        help="run the tests that stand beside policies",
        description="Run every rule named `test_…` of the packages whose names end in `_test`, over all rules of the "
        "folder, set or not. Exit status 1 if one fails, nothing was tested, or the engines do not run the same tests.",
    )
    test.add_argument("folder", nargs="?", type=Path, help="a folder of policies; default the starter library")
    test.add_argument(
        "--engine",
        choices=tuple(ENGINES),
        default="embedded",
        help="which runs them (embedded); opa: `opa test`",
    )
    test.add_argument("--opa", metavar="PROGRAM", help="the program `opa`; default the one on the path")
    test.add_argument("--json", action="store_true", help="print JSON")
    test.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """0 when every test passes, 1 with those that do not, or with what cannot be read."""
    try:
        results: Results = {engine: _runner(engine, options)() for engine in ENGINES[options.engine]}
    except BadPolicy as error:
        for problem in error.problems:
            print(f"flyball: {problem}", file=sys.stderr)
        return 1
    alone = _alone(results)
    if options.json:
        print_json({"tests": [_shown(engine, each) for engine in results for each in results[engine]], "alone": alone})
    else:
        _print(results, alone)
    good = all(tried and not any(each.said for each in tried) for tried in results.values())
    return 0 if good and not alone else 1


def _runner(engine: str, options: argparse.Namespace) -> Callable[[], list[Tried]]:
    if engine == "embedded":
        return lambda: run_tests(options.folder)
    opa = options.opa or shutil.which("opa")
    if opa is None:
        raise BadPolicy(["there is no `opa` on the path: install it, name it by --opa, or test with --engine embedded"])
    return lambda: run_opa_tests(options.folder, opa)


def _alone(results: Results) -> list[str]:
    """Tests that only one of several engines has run."""
    ran = {engine: {f"{each.package}.{each.name}" for each in tried} for engine, tried in results.items()}
    common = set.intersection(*ran.values())
    return [f"{name}: run by {engine} only" for engine, names in ran.items() for name in sorted(names - common)]


def _print(results: Results, alone: list[str]) -> None:
    for engine, tried in results.items():
        by = f" by {engine}" if len(results) > 1 or engine != "embedded" else ""
        failed = [each for each in tried if each.said]
        for each in failed:
            print(f"FAIL {each.package}.{each.name}{by} {each.said}")
        print(f"{len(tried) - len(failed)} of {len(tried)} tests pass{by}")
    for name in alone:
        print(f"FAIL {name}")


def _shown(engine: str, tried: Tried) -> dict[str, Any]:
    test = f"{tried.package}.{tried.name}"
    return {"engine": engine, "test": test, "passed": not tried.said, "said": tried.said}
