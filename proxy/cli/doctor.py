"""`flyball doctor`: what is wrong with this installation, in words that say what to do."""

import argparse
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from proxy.app.policy_status import read_status
from proxy.cli.reading import read_config
from proxy.config import Config
from proxy.processes.folder import SECRETS, StateFolder
from proxy.processes.metrics import summed

LOW_DISK_BYTES: Final = 1024**3
MANY_SEGMENTS: Final = 120
PROBE_S: Final = 3.0
_ORDINARY: Final = frozenset({"cooling", "returning"})
Finding = tuple[bool, str]


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `doctor` to the command line."""
    verb = verbs.add_parser(
        "doctor",
        help="look for what is wrong with this installation",
        description="Check the configuration, the state folder and the running processes. No provider is asked.",
    )
    add_config(verb)
    verb.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """One line per finding; 1 when something is wrong."""
    config = read_config(options.config)
    if config is None:
        return 1
    findings = [(True, f"configuration {config.path or '(none)'} is valid"), *_state(config), *_running(config)]
    for good, words in findings:
        print(f"{'ok   ' if good else 'WRONG'} {words}")
    return 0 if all(good for good, _ in findings) else 1


def _state(config: Config) -> Iterator[Finding]:
    home = config.home
    if not home.exists():
        yield True, f"state folder {home} does not exist yet; serve makes it"
        return
    yield os.access(home, os.W_OK), f"state folder {home} can be written"
    for name in SECRETS:
        path = home / name
        if path.exists():
            private = not stat.S_IMODE(path.stat().st_mode) & 0o077
            yield private, f"{path} is readable by its owner only" + ("" if private else f": run chmod 600 {path}")
    free = shutil.disk_usage(home).free
    yield free > LOW_DISK_BYTES, f"{free // 1024**2} MB of disk are free under {home}"
    yield from _spool(StateFolder(home).spool)


def _spool(spool: Path) -> Iterator[Finding]:
    sealed = len(list((spool / "sealed").glob("*"))) if (spool / "sealed").exists() else 0
    yield sealed < MANY_SEGMENTS, f"{sealed} segments wait to be shipped to ClickHouse"
    rejected = len(list((spool / "rejected").glob("*"))) if (spool / "rejected").exists() else 0
    yield rejected == 0, f"{rejected} segments were rejected by ClickHouse (see {spool / 'rejected'})"


def _running(config: Config) -> Iterator[Finding]:
    folder = StateFolder(config.home)
    endpoints = folder.endpoints()
    if not endpoints:
        yield True, "nothing is running over this state folder"
        return
    probes = {"data": "/readyz", "admin": "/healthz", "clickhouse": "/ping"}
    for name, path in probes.items():
        address = endpoints.get(name)
        if isinstance(address, str):
            yield _answers(address + path), f"{name} answers at {address}"
    yield from _policy(folder)
    yield from _keys(folder)
    yield from _targets(folder)


def _policy(folder: StateFolder) -> Iterator[Finding]:
    status = read_status(folder.run)
    if status is None:
        return
    if status.stale:
        yield False, f"the policies of {status.source} are not taken, older ones decide: {status.error}"
    else:
        named = f" ({status.named})" if status.named else ""
        yield True, f"policies of {status.source} decide: revision {status.revision[:12]}{named}"


def _keys(folder: StateFolder) -> Iterator[Finding]:
    """Of providers that have two keys, which is in use; that the next one is says that the first was refused."""
    for (provider, key), workers in sorted(summed(folder.run).keys.items()):
        yield True, f"provider {provider} is called with {key} (workers: {workers})"


def _targets(folder: StateFolder) -> Iterator[Finding]:
    """Targets that this host's workers do not ask now; each tries them again by itself."""
    for provider, model, state, workers in summed(folder.run).targets.left_alone():
        yield (
            state in _ORDINARY,
            f"target {provider}/{model or '*'} is not asked as usual ({state}; workers: {workers})",
        )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PROBE_S, trust_env=False).is_success
    except httpx.HTTPError:
        return False
