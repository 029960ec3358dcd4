"""The demo's folder: what is written there, and what is never thrown away."""

import stat
from pathlib import Path

import pytest
import yaml

from proxy.cli.demo.folder import DemoFolder, NotADemoFolder, demo_folder
from proxy.cli.demo.tenants import KEYS, ORGS
from proxy.config import load_config
from proxy.core.money import Nano


@pytest.fixture
def folder(tmp_path: Path) -> DemoFolder:
    """A prepared, empty folder."""
    folder = DemoFolder(tmp_path / "demo")
    folder.prepare(keep=False)
    return folder


def test_the_folder_is_under_flyball_home_or_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert demo_folder({"FLYBALL_HOME": "/x/y"}).home == Path("/x/y/demo")
    assert demo_folder({}).home == tmp_path / ".flyball" / "demo"


def test_an_earlier_demo_is_cleared_unless_kept(folder: DemoFolder) -> None:
    folder.write("http://127.0.0.1:1/v1", Nano(1_500_000_000))
    secrets = folder.secrets()
    folder.prepare(keep=True)
    folder.write("http://127.0.0.1:1/v1", Nano(1_500_000_000))
    assert folder.secrets() == secrets
    folder.prepare(keep=False)
    assert not folder.config.exists()


def test_what_is_not_a_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(NotADemoFolder, match="was not made by flyball demo"):
        DemoFolder(tmp_path).prepare(keep=False)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_secrets_are_long_different_and_for_their_owner_only(folder: DemoFolder) -> None:
    folder.write("http://127.0.0.1:1/v1", Nano(1))
    secrets = folder.secrets()
    assert len(set(secrets.values())) == len(KEYS)
    assert all(20 <= len(secret) <= 256 for secret in secrets.values())
    modes = {stat.S_IMODE(folder.key_file(key).stat().st_mode) for key in KEYS}
    assert modes == {0o600}
    assert not any(secret in folder.config.read_text() for secret in secrets.values())


def test_the_config_is_one_that_flyball_takes(folder: DemoFolder) -> None:
    folder.write("http://127.0.0.1:4010/v1", Nano(1_500_000_000))
    settings = load_config(folder.config, {}).settings
    assert [org.org for org in settings.tenants] == list(ORGS)
    assert settings.providers["sim"].base_url == "http://127.0.0.1:4010/v1"
    limits = {budget["scope"]: budget["limit_usd"] for budget in yaml.safe_load(folder.config.read_text())["budgets"]}
    assert limits["org:initech"] == "1.50"
    assert all(budget["hard"] for budget in yaml.safe_load(folder.config.read_text())["budgets"])


def test_addresses_are_read_once_they_are_there(folder: DemoFolder) -> None:
    assert folder.endpoints() == {}
    (folder.home / "run").mkdir()
    (folder.home / "run" / "endpoints.json").write_text('{"data": "http://127.0.0.1:1"}')
    assert folder.endpoints() == {"data": "http://127.0.0.1:1"}
