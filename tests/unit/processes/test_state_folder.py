"""The state folder: for its owner only, and addresses that are whole or not there."""

import stat
from pathlib import Path

from proxy.processes.folder import StateFolder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    assert folder.make()
    assert [mode(part) for part in (folder.home, folder.spool, folder.run)] == [0o700] * 3


def test_a_folder_with_a_ledger_is_not_new(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.make()
    folder.ledger.touch()
    assert not folder.make()


def test_addresses_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.make()
    assert folder.endpoints() == {}
    assert folder.clickhouse() is None
    folder.write_endpoints({"clickhouse": "http://127.0.0.1:8123", "pid": 1})
    assert folder.clickhouse() == "http://127.0.0.1:8123"
    assert [path.name for path in folder.run.iterdir()] == ["endpoints.json"]


def test_a_damaged_file_is_taken_as_nothing_running(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.make()
    for text in ("", "[1]", '{"data": ', "\x00"):
        folder.endpoints_file.write_text(text)
        assert folder.endpoints() == {}
    folder.endpoints_file.write_text('{"clickhouse": 5}')
    assert folder.clickhouse() is None
