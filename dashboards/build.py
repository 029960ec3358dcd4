"""Write boards and provisioning files, or check that they are fresh: `python -m dashboards.build [--check]`."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog import encoder

from dashboards.boards import BOARDS
from dashboards.provisioning import provisioning_files

FOLDER: Final = Path(__file__).parent / "generated"
PROVISIONING: Final = Path(__file__).parent / "provisioned"


def boards() -> Mapping[str, Dashboard]:
    """Every board under the name of its file."""
    return MappingProxyType({f"{name}.json": make() for name, make in BOARDS.items()})


def rendered(board: Dashboard) -> str:
    """A board as JSON text, the same for the same code."""
    return json.dumps(board.build(), cls=encoder.JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def stale(folder: Path = FOLDER) -> list[str]:
    """The names of the files that are missing, differ from the code, or that no code makes."""
    wanted = {name: rendered(board) for name, board in boards().items()}
    found = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.json"))}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def stale_provisioning(folder: Path = PROVISIONING) -> list[str]:
    """The same for provisioning files, by their paths under the folder."""
    wanted = provisioning_files()
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.yaml"))}
    found = {name: path.read_text(encoding="utf-8") for name, path in paths.items()}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def write_provisioning(folder: Path = PROVISIONING) -> None:
    """Write every provisioning file and drop what no code makes any more."""
    for name in stale_provisioning(folder):
        (folder / name).unlink(missing_ok=True)
    for name, text in provisioning_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def write(folder: Path = FOLDER) -> None:
    """Write every board and drop what no code makes any more."""
    folder.mkdir(exist_ok=True)
    for name in stale(folder):
        (folder / name).unlink(missing_ok=True)
    for name, board in boards().items():
        (folder / name).write_text(rendered(board), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """The command; 1 when `--check` finds stale files."""
    parser = argparse.ArgumentParser(prog="dashboards.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when generated files are stale")
    if not parser.parse_args(arguments).check:
        write()
        write_provisioning()
        return 0
    names = [f"{FOLDER.name}/{name}" for name in stale()]
    names += [f"{PROVISIONING.name}/{name}" for name in stale_provisioning()]
    for name in names:
        sys.stderr.write(f"dashboards/{name} is stale: run python -m dashboards.build\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
