"""Running the tests that stand beside policies: every rule named `test_…` of a package whose name ends in `_test`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from proxy.policy.bundle import TEST_SUFFIX, Bundle, read_bundle, read_files
from proxy.policy.errors import PolicyUnavailable
from proxy.policy.rego import EmbeddedRego

_TEST: Final = re.compile(r"^(test_\w+)", re.MULTILINE)
_PACKAGE: Final = re.compile(r"^package\s+([\w.]+)", re.MULTILINE)


class Tried(NamedTuple):
    """One test and how it ended; `said` is empty for one that passed."""

    package: str
    name: str
    said: str


def run_tests(folder: Path | None) -> list[Tried]:
    """Run all tests of a folder, or of the starter library, over every rule in it, set or not. Blocks.

    Raises:
        BadPolicy: a file that cannot be read or evaluated.
    """
    bundle = tested_bundle(folder)
    engine = EmbeddedRego(bundle)
    tests = sorted(path for path in bundle.modules if path.endswith(TEST_SUFFIX))
    return [tried for path in tests for tried in _tried(engine, bundle.modules[path])]


def tested_bundle(folder: Path | None) -> Bundle:
    """Every rule of a folder, or of the starter library, set or not, with the tests beside them.

    Raises:
        BadPolicy: a file that cannot be read.
    """
    rules = {path: text for path, text in read_files(folder).items() if path.endswith(".rego")}
    bundle = read_bundle(folder)
    return Bundle.of({**bundle.modules, **rules}, bundle.data)


def names_in(text: str) -> tuple[str, list[str]]:
    """A test file's package, and the names of its tests."""
    found = _PACKAGE.search(text)
    return found[1] if found else "", list(dict.fromkeys(_TEST.findall(text)))


def _tried(engine: EmbeddedRego, text: str) -> list[Tried]:
    package, names = names_in(text)
    try:
        values: Mapping[str, Any] = engine.evaluate(f"data.{package}", {}) or {}
    except PolicyUnavailable as error:
        return [Tried(package, name, error.reason) for name in names]
    return [Tried(package, name, "" if values.get(name) is True else _told(values, name)) for name in names]


def _told(values: Mapping[str, Any], name: str) -> str:
    return f"is {values[name]!r}" if name in values else "is undefined: some line of it does not hold"
