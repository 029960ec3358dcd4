"""Policies that are only a draft: a folder, a bundle, or single files laid over what decides now."""

from collections.abc import Sequence
from pathlib import Path

from proxy.policy.bundle import TEST_SUFFIX, Bundle, read_bundle
from proxy.policy.bundles.archive import MOST_PACKED
from proxy.policy.bundles.reading import read_archive
from proxy.policy.bundles.settings import BundleSettings
from proxy.policy.errors import BadPolicy


def read_draft(paths: Sequence[Path], over: Bundle | None) -> tuple[Bundle, list[str]]:
    """A draft, and in words what it is made of. Single files stand in the place of the module of the same name in
    `over`, else beside its modules. Of a bundle the signature is not looked at: nothing is taken here.

    Raises:
        BadPolicy: it cannot be read, or is single files where `over` is None.
    """
    if len(paths) == 1 and paths[0].is_dir():
        return read_bundle(paths[0]), [f"all of {paths[0]}"]
    if len(paths) == 1 and paths[0].name.endswith((".tar.gz", ".tgz")):
        return _bundle(paths[0]), [f"all of {paths[0]}"]
    if over is None:
        raise BadPolicy(["single files are laid over what decides now, and there is none: name a folder"])
    modules, told = dict(over.modules), []
    for path in paths:
        if path.suffix != ".rego" or path.name.endswith(TEST_SUFFIX):
            raise BadPolicy([f"{path}: is no module; name Rego files, one folder, or one bundle (.tar.gz)"])
        place = _place(path, over)
        told.append(f"{path} {'in the place of' if place in modules else 'beside the others as'} {place}")
        modules[place] = _text(path)
    return Bundle.of(modules, over.data), told


def _bundle(path: Path) -> Bundle:
    try:
        with path.open("rb") as file:
            archive = file.read(MOST_PACKED + 1)
    except OSError as error:
        raise BadPolicy([f"{path}: {error}"]) from error
    return read_archive(archive, BundleSettings(), unsigned=True).bundle


def _place(path: Path, over: Bundle) -> str:
    named = [known for known in over.modules if known.rpartition("/")[2] == path.name]
    if len(named) > 1:
        exact = [known for known in named if path.as_posix().endswith(f"/{known}")]
        if len(exact) != 1:
            raise BadPolicy([f"{path}: could stand in the place of {' or '.join(sorted(named))}; name a folder"])
        return exact[0]
    return named[0] if named else path.name


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicy([f"{path}: {error}"]) from error
