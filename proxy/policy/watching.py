"""Noticing that policies have changed on the disk."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from proxy.policy.bundle import DATA_SUFFIXES
from proxy.policy.settings import PolicySettings

Mark: TypeAlias = tuple[str, int, int, int]
MOST_WATCHED: Final = 4096
"""Files looked at; a change in others is taken with the next one in these, or on SIGHUP."""


def fingerprint(settings: PolicySettings) -> frozenset[Mark]:
    """What the files of policies and of `policy.settings` look like from outside; another one when any has changed."""
    files = [] if settings.settings is None else [settings.settings]
    if settings.bundle is not None and settings.bundle.file is not None:
        files.append(settings.bundle.file)
    if settings.dir is not None:
        files += _files(settings.dir)
    return frozenset(mark for path in files if (mark := _mark(path)) is not None)


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for inner, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += _policies(Path(inner), names)
        if len(found) >= MOST_WATCHED:
            break
    return found[:MOST_WATCHED]


def _policies(folder: Path, names: list[str]) -> Iterator[Path]:
    for name in sorted(names):
        if name.endswith((".rego", *DATA_SUFFIXES)) and not name.startswith("."):
            yield folder / name


def _mark(path: Path) -> Mark | None:
    try:
        seen = path.stat()
    except OSError:  # taken away just now
        return None
    return str(path), seen.st_mtime_ns, seen.st_size, seen.st_ino
