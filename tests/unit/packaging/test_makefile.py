"""The commands a person types."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
PROMISED: Final = {"setup", "up", "demo", "check", "test", "test-all", "bench", "help"}


def make(*arguments: str) -> str:
    """The output of make."""
    ours = ("MAKE", "MFLAGS", "PYTEST_ARGS")  # what a make around these tests was told
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, env=environment, check=True)
    return done.stdout


def test_help_lists_every_target_with_a_sentence() -> None:
    listed = dict(re.findall(r"^  make (\S+)\s+(\S.*)$", make("help"), re.MULTILINE))
    assert set(listed) >= PROMISED
    assert make() == make("help")


def test_testing_runs_the_gates() -> None:
    commands = make("--dry-run", "check", "test")
    for gate in ("ruff format --check", "ruff check", "mypy", "lint-imports", "dashboards.build --check"):
        assert gate in commands
    first, then = (line for line in commands.splitlines() if "pytest" in line)
    assert '"not long and not alone"' in first and "-n 3" in first and " tests/" not in first
    assert '"alone and not long"' in then and "-n" not in then.split() and "--cov-fail-under=90" in then


def test_every_file_with_a_test_that_runs_alone_is_read_for_it() -> None:
    """One that is not named would be left out of both turns."""
    _, then = (line for line in make("--dry-run", "test").splitlines() if "pytest" in line)
    mark = ".".join(["mark", "alone"])  # not here, or this file would be one of them
    marked = {path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py") if mark in path.read_text("utf-8")}
    assert marked == {Path(word) for word in then.split() if word.startswith("tests/")} != set()


def test_finding_no_test_is_a_failure_unless_some_were_named() -> None:
    assert '"" = 5' in make("--dry-run", "test")
    assert '"$?" = 5' in make("--dry-run", "test", "PYTEST_ARGS=tests/unit/core")


def test_dependencies_are_installed_by_hash_only() -> None:
    installs = [line for line in make("--dry-run", "--always-make", "test").splitlines() if " install " in line]
    assert len(installs) == 3
    assert sum("--require-hashes" in line for line in installs) == 2


def test_what_is_locked_is_installed_without_resolving_anew() -> None:
    """A release after the lock once became pip's choice for a package that another asks for with an extra."""
    installs = [line for line in make("--dry-run", "--always-make", "test").splitlines() if " install " in line]
    assert all("--no-deps" in line for line in installs)


def test_what_ci_runs_is_what_people_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = [line for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "export CI=true", "make check", "make test"]


def test_a_missing_package_is_named_and_an_error_in_ci_only(tmp_path: Path) -> None:
    for command in ("bash", "id"):
        (tmp_path / command).symlink_to(f"/bin/{command}" if command == "bash" else "/usr/bin/id")
    bare = {"PATH": str(tmp_path)}
    script = ["/bin/bash", str(ROOT / ".ci" / "packages"), "no-such-program"]
    here = subprocess.run(script, env=bare, capture_output=True, text=True)
    in_ci = subprocess.run(script, env={**bare, "CI": "true"}, capture_output=True, text=True)
    assert (here.returncode, in_ci.returncode) == (0, 1)
    assert "apt-get install no-such-program" in here.stderr
