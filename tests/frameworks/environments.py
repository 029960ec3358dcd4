"""An environment of its own for each framework: exactly what its lock file says, hashes and all."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
CACHE: Final = Path(sys.prefix) / "frameworks"
"""Beside the packages of the tests themselves; a changed lock file gets a new folder."""
HERE: Final = Path(__file__).parent
_INSTALL_S: Final = 900


class CannotInstall(RuntimeError):
    """The registries cannot be reached, or there is no node: only a developer's machine may be like that."""


def python_of(framework: str) -> Path:
    """The interpreter of a framework's environment, made when first asked for.

    Raises:
        CannotInstall: pip failed.
    """
    lock = REPOSITORY / "requirements" / f"frameworks-{framework}.txt"
    folder = _folder(framework, lock.read_bytes())
    python = folder / "bin" / "python"
    with _alone(folder):
        if not (folder / "done").exists():
            venv.create(folder, with_pip=True, clear=True)
            pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            _run([*pip, "--no-deps", "--require-hashes", "-r", str(lock)], REPOSITORY)
            (folder / "done").touch()
    return python


def node_folder(name: str) -> Path:
    """A copy of a folder here with its caller, and beside it the packages of its lock: `vercel` or `node`.

    Raises:
        CannotInstall: node or npm is missing, or npm failed.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise CannotInstall("node or npm is missing")
    files = sorted(each for each in (HERE / name).iterdir() if each.is_file())
    folder = _folder(name, b"".join(each.read_bytes() for each in files))
    with _alone(folder):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for each in files:
                shutil.copy(each, folder)
            _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
            (folder / "done").touch()
    return folder


def told_when_absent(why: CannotInstall) -> None:
    """What cannot be installed is told, and is a failure where CI runs."""
    print(f"not run: {why}")  # noqa: T201  said to whoever runs the tests
    assert "CI" not in os.environ, why


def _folder(name: str, content: bytes) -> Path:
    return CACHE / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Within, no other test process installs there."""
    CACHE.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    if done.returncode:
        raise CannotInstall(f"{command[0]} says {(done.stderr or done.stdout).strip()[-1500:]}")
