"""The state file: private, shared, watched, checkpointed."""

import multiprocessing
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.state import StateBusy, StateFile
from proxy.state.recording import RecordingConnection


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    made = StateFile(tmp_path / "deep" / "ledger.sqlite")
    yield made
    made.close()


def test_the_file_is_private_and_in_wal_mode(state: StateFile) -> None:
    connection = state.connect()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
    assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    assert connection.isolation_level is None
    connection.execute("CREATE TABLE t (x)")
    for file in state.path.parent.iterdir():
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600, file
    connection.close()


def test_a_change_is_kept_whole_and_bumps_the_generation(state: StateFile) -> None:
    before = state.generation()
    with state.change() as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (1)")
    assert state.generation() == before + 1
    with state.read() as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]


def test_a_failed_change_leaves_nothing(state: StateFile) -> None:
    before = state.generation()
    with pytest.raises(ZeroDivisionError), state.change() as connection:
        connection.execute("CREATE TABLE t (x)")
        _ = 1 // 0
    assert state.generation() == before
    with state.read() as connection:
        assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 't'").fetchone() is None


def test_a_change_inside_a_change_is_refused(state: StateFile) -> None:
    with state.change(), pytest.raises(RuntimeError), state.change():
        pass
    with state.change():
        pass


def test_changed_tells_of_every_generation_once(state: StateFile) -> None:
    other = StateFile(state.path)
    assert state.changed() is True
    assert state.changed() is False
    with other.change():
        pass
    assert state.changed() is True
    assert state.changed() is False
    with state.change():
        pass
    assert state.changed() is True
    assert state.changed() is False
    other.close()


def test_writes_that_are_no_admin_change_do_not_count_as_one(state: StateFile) -> None:
    state.changed()
    ledger = state.connect()
    ledger.execute("CREATE TABLE t (x)")
    ledger.execute("INSERT INTO t VALUES (1)")
    assert state.changed() is False
    ledger.close()


def test_a_locked_file_is_said_to_be_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.state.file._PATIENCE_MS", 50)
    state = StateFile(tmp_path / "s.sqlite")
    state.generation()
    state.close()
    blocker = state.connect()
    blocker.execute("BEGIN IMMEDIATE")
    own = StateFile(state.path)
    own._connection, own._pid = own._connect(RecordingConnection, 50), os.getpid()
    with pytest.raises(StateBusy), own.change():
        pass
    blocker.execute("ROLLBACK")
    with own.change():
        pass
    own.close()
    blocker.close()


def test_threads_share_one_object(state: StateFile) -> None:
    before = state.generation()

    def change_often() -> None:
        for _ in range(50):
            with state.change():
                pass

    threads = [threading.Thread(target=change_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.generation() == before + 200


def _open_and_change(path: Path) -> None:
    state = StateFile(path)
    for _ in range(20):
        with state.change():
            pass
    state.close()


def test_processes_that_open_a_new_file_at_once_all_get_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "s.sqlite"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_open_and_change, args=(path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    state = StateFile(path)
    assert state.generation() == 61
    state.close()


def test_a_forked_child_opens_its_own_connection(state: StateFile) -> None:
    state.generation()
    child = os.fork()
    if child == 0:
        with state.change():
            pass
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert state.generation() == 2


def test_a_checkpoint_empties_the_log_and_restarts_a_long_one(state: StateFile) -> None:
    writer = state.connect()
    writer.execute("CREATE TABLE t (x BLOB)")
    for _ in range(20):
        writer.execute("INSERT INTO t VALUES (randomblob(3000))")
    done = state.checkpoint()
    assert done.log_pages == done.moved_pages > 20
    assert done.restarted is False
    writer.execute("INSERT INTO t VALUES (randomblob(3000))")
    generation = state.generation()
    assert state.checkpoint(restart_above_pages=0).restarted is True
    assert state.generation() == generation
    writer.execute("INSERT INTO t VALUES (1)")
    assert state.checkpoint().log_pages < 10
    writer.close()


def test_a_log_that_someone_still_reads_is_not_started_over(state: StateFile) -> None:
    writer, reader = state.connect(), state.connect()
    writer.execute("CREATE TABLE t (x BLOB)")
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    for _ in range(20):
        writer.execute("INSERT INTO t VALUES (randomblob(3000))")
    assert state.checkpoint(restart_above_pages=0).restarted is False
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    reader.execute("COMMIT")
    assert state.checkpoint(restart_above_pages=0).restarted is True
    writer.close()
    reader.close()


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "not.sqlite"
    path.write_text("this is not a database, it is a text that goes on for a while" * 20)
    with pytest.raises(sqlite3.DatabaseError):
        StateFile(path).generation()
