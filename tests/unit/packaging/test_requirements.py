"""The locked requirements are those of pyproject.toml, all of them with hashes, and name no index."""

import json
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
FOLDER: Final = ROOT / "requirements"
PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """Distribution → version of a lock file."""
    return dict(PIN.findall((FOLDER / name).read_text()))


def asked(name: str) -> set[str]:
    """The lines of an .in file that ask for something."""
    lines = (FOLDER / name).read_text().splitlines()
    return {line for line in lines if line and not line.startswith(("#", "-r"))}


def test_what_runtime_asks_for_is_what_the_project_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = set(project["project"]["dependencies"]) | set(project["build-system"]["requires"])
    assert asked("runtime.in") == wanted


@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.in")))
def test_everything_asked_for_is_locked(name: str) -> None:
    locked = {each.lower().replace("_", "-") for each in pins(f"{name}.txt")}
    wanted = {re.split(r"[\[<>=;~! ]", line)[0].lower().replace("_", "-") for line in asked(f"{name}.in")}
    assert wanted <= locked


def test_tests_run_on_the_versions_that_serve() -> None:
    runtime, dev = pins("runtime.txt"), pins("dev.txt")
    assert runtime.items() <= dev.items()


@pytest.mark.parametrize("name", sorted(file.name for file in FOLDER.glob("*.txt")))
def test_every_pin_has_a_hash_and_no_index_is_named(name: str) -> None:
    text = (FOLDER / name).read_text()
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text)
    assert all("--hash=sha256:" in block for block in blocks if PIN.match(block))
    assert len(pins(name)) > 10
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)


def test_what_node_needs_is_pinned_with_hashes_and_no_registry_is_named() -> None:
    lock = json.loads((ROOT / "tests" / "frameworks" / "vercel" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert len(packages) > 10
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
