"""OPA itself, serving a bundle: `opa` where it is on the path, else its library, hash-pinned, behind a small server.

The library's wheel says that it needs Python 3.14, but calls it by ctypes alone: it is unpacked, not installed.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from proxy.policy import Bundle

HERE: Final = Path(__file__).parent
PINNED: Final = HERE / "opa-bindings.txt"
OPA_VERSION: Final = "v1.19.0"
START_S: Final = 30.0


@contextmanager
def real_opa(bundle: Bundle, folder: Path) -> Iterator[str]:
    """The URL of an OPA that has loaded the bundle; `folder` is scratch."""
    folder.mkdir(parents=True, exist_ok=True)
    opa = shutil.which("opa")
    with _serving_opa(opa, bundle, folder) if opa else _serving_library(bundle, folder) as url:
        yield url


@contextmanager
def _serving_opa(opa: str, bundle: Bundle, folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    content = folder / "bundle"
    for path, text in bundle.modules.items():
        (content / path).parent.mkdir(parents=True, exist_ok=True)
        (content / path).write_text(text)
    (content / "data.json").write_text(json.dumps(bundle.data))
    command = [opa, "run", "--server", "--disable-telemetry", "--log-level=error", f"--addr={address}", str(content)]
    with subprocess.Popen(command) as process:
        try:
            _wait_for(f"http://{address}/health", process)
            yield f"http://{address}"
        finally:
            process.terminate()


@contextmanager
def _serving_library(bundle: Bundle, folder: Path) -> Iterator[str]:
    policies = folder / "policies.json"
    policies.write_text(json.dumps({"modules": dict(bundle.modules), "data": bundle.data}))
    command = [sys.executable, str(HERE / "bindings_server.py"), str(_library()), str(policies)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port, "OPA's library does not take the policies; what it says stands above"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def opa_command() -> str:
    """`opa` itself: on the path, else built once per machine where there is Go."""
    if found := shutil.which("opa"):
        return found
    there = _cache() / f"opa-{OPA_VERSION}" / "opa"
    if not there.exists():
        assert shutil.which("go"), "neither `opa` nor `go` to build it with is on the path"
        environment = {**os.environ, "GOBIN": str(there.parent)}
        source = f"github.com/open-policy-agent/opa@{OPA_VERSION}"
        done = subprocess.run(["go", "install", source], env=environment, capture_output=True, text=True, timeout=1500)
        assert done.returncode == 0, done.stderr
    return str(there)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flyball-tests"


def _library() -> Path:
    """Where the library lies unpacked; fetched once per machine and version."""
    pinned = PINNED.read_text().splitlines()[-1]
    cache = _cache()
    there = cache / pinned.partition(" ")[0]
    if not there.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            _unpack(Path(scratch))
            try:
                (Path(scratch) / "content").rename(there)
            except OSError:  # another test process was first
                assert there.exists()
    return there


def _unpack(scratch: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    where = ["--only-binary=:all:", "--python-version=3.14", "--require-hashes", f"--dest={scratch}"]
    done = subprocess.run([*pip, *where, f"--requirement={PINNED}"], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, f"neither `opa` is on the path nor its library to be had: {done.stderr}"
    (wheel,) = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(scratch / "content")


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "opa ended; what it says stands above"
        try:
            if httpx.get(url, timeout=1, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"opa did not answer within {START_S} s")
