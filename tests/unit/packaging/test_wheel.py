"""The built wheel carries everything that is needed, and nothing else."""

import zipfile
from email import message_from_string
from pathlib import Path
from typing import Final

from proxy import __version__

ROOT: Final = Path(__file__).parents[3]
SHIPPED: Final = ("proxy", "policies", "dashboards")
_NOT_SHIPPED: Final = {".md", ".pyc"}


def names(wheel: zipfile.ZipFile) -> set[str]:
    """Every file of the wheel that is not about the wheel itself."""
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_every_file_of_the_tree_is_in_it_and_no_other(wheel: zipfile.ZipFile) -> None:
    tree = {
        path.relative_to(ROOT).as_posix()
        for top in SHIPPED
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix not in _NOT_SHIPPED and "__pycache__" not in path.parts
    }
    assert names(wheel) == tree


def test_policies_dashboards_and_data_are_in_it(wheel: zipfile.ZipFile) -> None:
    held = names(wheel)
    assert {"policies/flyball/base.rego", "policies/settings.json", "proxy/py.typed"} <= held
    for folder, suffix in (
        ("dashboards/generated/", ".json"),
        ("proxy/pricing/book/", ".json"),
        ("proxy/metering/vocab/", ".tiktoken"),
        ("proxy/telemetry/migrations/", ".sql"),
        ("proxy/admin/console/static/", ".css"),
    ):
        assert any(name.startswith(folder) and name.endswith(suffix) for name in held), folder


def test_nothing_runs_by_being_installed(wheel: zipfile.ZipFile) -> None:
    assert not [name for name in wheel.namelist() if name.endswith((".pth", ".so", ".exe", ".sh"))]
    assert not [name for name in wheel.namelist() if ".data/" in name]


def test_it_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    about = f"flyball-{__version__}.dist-info"
    metadata = message_from_string(wheel.read(f"{about}/METADATA").decode())
    assert (metadata["Name"], metadata["License-Expression"]) == ("flyball", "Apache-2.0")
    assert {f"{about}/licenses/LICENSE", f"{about}/licenses/NOTICE"} <= set(wheel.namelist())
    assert "flyball = proxy.cli:main" in wheel.read(f"{about}/entry_points.txt").decode()


def test_the_package_under_test_is_this_trees() -> None:
    # Another distribution of the same import name would silently be tested instead.
    assert Path(__import__("proxy").__file__ or "").parent == ROOT / "proxy"
