"""Noticing that the configuration file has changed."""

import os
from pathlib import Path

from proxy.processes.reload import QUIET_LOOKS, FileWatch


def test_a_change_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "flyball.yaml"
    path.write_text("a: 1\n")
    watch = FileWatch(path)
    assert not watch.changed()
    path.write_text("a: 12\n")
    assert watch.changed()
    assert not watch.changed()


def test_a_file_put_in_its_place_is_a_change(tmp_path: Path) -> None:
    path, other = tmp_path / "flyball.yaml", tmp_path / "other"
    path.write_text("a: 1\n")
    watch = FileWatch(path)
    other.write_text("a: 2\n")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    os.replace(other, path)
    assert watch.changed()


def test_a_file_that_is_away_for_a_moment_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "flyball.yaml"
    path.write_text("a: 1\n")
    watch = FileWatch(path)
    path.unlink()
    assert not watch.changed()
    path.write_text("a: 2\n")
    assert watch.changed()


def test_without_a_file_nothing_ever_changes() -> None:
    assert not FileWatch(None).changed()


def test_an_empty_file_is_given_time_to_be_filled(tmp_path: Path) -> None:
    path = tmp_path / "flyball.yaml"
    path.write_text("server: {}\n")
    watch = FileWatch(path)
    for _ in range(2):
        path.write_text("")
        assert watch.changed()
        assert [watch.may_be_filled() for _ in range(QUIET_LOOKS)] == [True] * (QUIET_LOOKS - 1) + [False]
        path.write_text("server: {workers: 1}\n")
        assert watch.changed() and not watch.may_be_filled()
