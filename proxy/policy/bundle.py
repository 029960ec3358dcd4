"""A set of policies and their data, as read from a folder or a bundle: one revision, whatever engine evaluates it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from proxy.policy.errors import BadPolicy

Json: TypeAlias = Any
BASE: Final = "flyball/base.rego"
SETTINGS: Final = "settings.json"
TEST_SUFFIX: Final = "_test.rego"
NOT_DATA: Final = frozenset({"contract.json", ".manifest"})
DATA_SUFFIXES: Final = (".json", ".yaml", ".yml")
MOST_BYTES: Final = 32 * 1024 * 1024
"""More than this in one folder is no set of policies."""
_NEEDS: Final = "# needs: "


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Rego modules by path, and the documents they read as `data`. `revision` is the SHA-256 over all of it."""

    modules: Mapping[str, str]
    data: Mapping[str, Json]
    revision: str

    @classmethod
    def of(cls, modules: Mapping[str, str], data: Mapping[str, Json]) -> "Bundle":
        """A bundle of these modules and documents.

        Raises:
            BadPolicy: the documents hold what JSON has no word for, such as a date of YAML.
        """
        digest = hashlib.sha256()
        try:
            written = json.dumps(data, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise BadPolicy([f"data: cannot be written as JSON: {error}"]) from error
        for part in (*(text for path in sorted(modules) for text in (path, modules[path])), written):
            encoded = part.encode()
            digest.update(b"%d:" % len(encoded) + encoded)
        return cls(modules=modules, data=data, revision=digest.hexdigest())


def read_bundle(folder: Path | None, *, base: bool = True, settings: Path | None = None) -> Bundle:
    """The policies of a folder, or the starter library where it is None; `flyball/base.rego` comes with either.

    A starter rule waits until the document that it needs is set in `settings`, which stands in the place of the
    library's `settings.json`. Test files and `contract.json` are never loaded. Blocks on the disk.

    Raises:
        BadPolicy: a folder or file that cannot be read, documents that contradict each other.
    """
    try:
        files = dict(_starter_files() if folder is None else _files_of(folder))
        if settings is not None:
            files[SETTINGS] = _read_bounded(settings)
        if base and BASE not in files:
            files[BASE] = shipped_base()
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicy([f"{folder or 'the starter library'}: {error}"]) from error
    data = documents_in(files)
    modules = {path: text for path, text in files.items() if path.endswith(".rego") and not path.endswith(TEST_SUFFIX)}
    if folder is None:
        modules = {path: text for path, text in modules.items() if _is_set(text, data)}
    return Bundle.of(modules, data)


def read_files(folder: Path | None) -> dict[str, str]:
    """Every Rego and data file of a folder, or of the starter library, tests included, by its path.

    Raises:
        BadPolicy: it cannot be read.
    """
    try:
        return dict(_starter_files() if folder is None else _files_of(folder))
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicy([f"{folder or 'the starter library'}: {error}"]) from error


def _is_set(module: str, data: Mapping[str, Json]) -> bool:
    """Whether what a starter rule's line `# needs: settings.…` names stands in the data and is not null."""
    for line in module.splitlines():
        if line.startswith(_NEEDS):
            value: Json = data
            for name in line.removeprefix(_NEEDS).strip().split("."):
                value = value.get(name) if isinstance(value, dict) else None
            return value is not None
    return True


def _starter() -> Traversable:
    return resources.files("policies")


def shipped_base() -> str:
    """The grant to known principals as it is shipped."""
    folder, _, name = BASE.partition("/")
    return _starter().joinpath(folder).joinpath(name).read_text("utf-8")


def _starter_files() -> Iterator[tuple[str, str]]:
    return _walk(_starter(), "")


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{prefix}{each.name}"
        if each.is_dir():
            if each.name != "__pycache__":
                yield from _walk(each, f"{path}/")
        elif path.endswith((".rego", *DATA_SUFFIXES)):
            yield path, each.read_text("utf-8")


def _files_of(folder: Path) -> Iterator[tuple[str, str]]:
    if not folder.is_dir():
        raise BadPolicy([f"{folder}: is no folder"])
    total = 0
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or not path.is_file() or path.suffix not in (".rego", *DATA_SUFFIXES):
            continue
        text = _read_bounded(path)
        total += len(text)
        if total > MOST_BYTES:
            raise BadPolicy([f"{folder}: holds more than {MOST_BYTES:,} bytes of policies and data"])
        yield path.relative_to(folder).as_posix(), text


def _read_bounded(path: Path) -> str:
    if path.stat().st_size > MOST_BYTES:
        raise BadPolicy([f"{path}: is larger than {MOST_BYTES:,} bytes"])
    return path.read_text("utf-8")


def documents_in(files: Mapping[str, str]) -> Mapping[str, Json]:
    """All documents merged, each under the folders it lies in, as `opa run` does it."""
    merged: dict[str, Json] = {}
    problems: list[str] = []
    for path, text in files.items():
        name = path.rpartition("/")[2]
        if not name.endswith(DATA_SUFFIXES) or name in NOT_DATA or name.endswith(("_test.json", "_test.yaml")):
            continue
        try:
            document = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            problems.append(f"{path}: is no {'JSON' if name.endswith('.json') else 'YAML'}: {error}")
            continue
        if document is None:
            continue
        for folder in reversed(path.split("/")[:-1]):
            document = {folder: document}
        if not isinstance(document, dict):
            problems.append(f"{path}: a document at the top of `data` must be an object")
            continue
        problems += [f"{path}: data.{place} is already set by another file" for place in _merge(merged, document, ())]
    if problems:
        raise BadPolicy(problems)
    return merged


def _merge(into: dict[str, Json], more: Mapping[str, Json], place: tuple[str, ...]) -> Iterable[str]:
    for key, value in more.items():
        there = into.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            yield from _merge(there, value, (*place, key))
        elif key in into and there != value:
            yield ".".join((*place, key))
        else:
            into[key] = value
