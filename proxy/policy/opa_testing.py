"""Running the tests that stand beside policies by OPA itself (`opa test`), over what the embedded engine tests."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from proxy.policy.errors import BadPolicy
from proxy.policy.trying import Tried, tested_bundle

PATIENCE_S: Final = 300
_FAILED: Final = 2
_MOST_TOLD: Final = 20


class _Result(msgspec.Struct):
    package: str
    name: str
    fail: bool = False
    skip: bool = False
    error: Any = None


def run_opa_tests(folder: Path | None, opa: str) -> list[Tried]:
    """Run all tests of a folder, or of the starter library, by the program `opa`. Blocks.

    Raises:
        BadPolicy: a file that cannot be read, or OPA cannot be run or cannot load them.
    """
    bundle = tested_bundle(folder)
    with tempfile.TemporaryDirectory(prefix="flyball-opa-test-") as scratch:
        for path, text in bundle.modules.items():
            place = Path(scratch) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
        (Path(scratch) / "data.json").write_text(json.dumps(bundle.data), "utf-8")
        return _read(_told(opa, scratch))


def _told(opa: str, folder: str) -> str:
    try:
        done = subprocess.run(
            [opa, "test", "--format=json", "."], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadPolicy([f"{opa}: cannot be run: {error}"]) from error
    if done.returncode not in (0, _FAILED):
        told = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise BadPolicy([f"{opa}: {line}" for line in told[:_MOST_TOLD]] or [f"{opa}: ended with {done.returncode}"])
    return done.stdout


def _read(told: str) -> list[Tried]:
    try:
        results = msgspec.json.decode(told or "[]", type=list[_Result] | None) or []
    except msgspec.DecodeError as error:
        raise BadPolicy([f"opa test answers in another shape: {error}"]) from error
    return [
        Tried(each.package.removeprefix("data."), each.name, _said(each))
        for each in sorted(results, key=lambda each: (each.package, each.name))
        if not each.skip
    ]


def _said(result: _Result) -> str:
    if result.error is not None:
        return f"error: {json.dumps(result.error)}"
    return "fails" if result.fail else ""
