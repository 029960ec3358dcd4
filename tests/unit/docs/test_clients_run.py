"""docs/compatibility.md names the versions of SDKs and frameworks that the locks have, and all that are run."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| `([^`]+)`( \(npm\))? \| ([0-9.]+) \|", re.MULTILINE)
NOT_CLIENTS = {"presidio"}


def told() -> dict[str, str]:
    """Package → version, as the page says; packages of npm have it behind their name."""
    page = (ROOT / "docs" / "compatibility.md").read_text("utf-8")
    return {name + npm: version for name, npm, version in ROW.findall(page)}


def locked() -> dict[str, set[str]]:
    """Package → the versions in the locks."""
    found: dict[str, set[str]] = {}
    for lock in (ROOT / "requirements").glob("*.txt"):
        for name, version in re.findall(
            r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;]+)", lock.read_text("utf-8"), re.MULTILINE
        ):
            found.setdefault(name.lower(), set()).add(version)
    for lock in (ROOT / "tests" / "frameworks").glob("*/package-lock.json"):
        for path, package in json.loads(lock.read_text("utf-8"))["packages"].items():
            if path.count("node_modules/") == 1:
                found.setdefault(path.removeprefix("node_modules/") + " (npm)", set()).add(package["version"])
    return found


def test_the_versions_are_those_that_are_installed() -> None:
    versions = locked()
    assert {name: version for name, version in told().items() if version not in versions.get(name, ())} == {}


def test_every_framework_that_is_run_is_named() -> None:
    page = told()
    for inputs in (ROOT / "requirements").glob("frameworks-*.in"):
        wanted = [re.split(r"[\[><= ]", line)[0] for line in inputs.read_text("utf-8").split() if line[0].isalpha()]
        if inputs.stem.removeprefix("frameworks-") not in NOT_CLIENTS:
            assert any(name in page for name in wanted), f"{inputs.name}: {wanted}"
