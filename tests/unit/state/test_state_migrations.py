"""Schema steps: in order, once, all or none."""

import sqlite3
from pathlib import Path

import pytest

from proxy.state import StateFile, StateTooNew, migrate

FIRST = "CREATE TABLE a (x); INSERT INTO a VALUES (1);"
SECOND = """
    -- a comment; with a semicolon
    CREATE TABLE b (
        y TEXT DEFAULT ';'
    );
    INSERT INTO a VALUES (2)
"""


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    return StateFile(tmp_path / "s.sqlite").connect()


def rows(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT x FROM a ORDER BY x")]


def test_steps_run_in_order_and_once(connection: sqlite3.Connection) -> None:
    migrate(connection, "room", [FIRST])
    migrate(connection, "room", [FIRST])
    assert rows(connection) == [1]
    migrate(connection, "room", [FIRST, SECOND])
    migrate(connection, "room", [FIRST, SECOND])
    assert rows(connection) == [1, 2]
    assert connection.execute("SELECT y FROM b").fetchall() == []


def test_rooms_count_for_themselves(connection: sqlite3.Connection) -> None:
    migrate(connection, "room", [FIRST])
    migrate(connection, "other", ["CREATE TABLE c (z);"])
    assert connection.execute("SELECT z FROM c").fetchall() == []


def test_a_failing_step_keeps_nothing(connection: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, "room", [FIRST, "CREATE TABLE b (y); INSERT INTO nowhere VALUES (1);"])
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('a', 'b')").fetchone() == (0,)
    migrate(connection, "room", [FIRST, SECOND])
    assert rows(connection) == [1, 2]


def test_a_newer_file_is_left_alone(connection: sqlite3.Connection) -> None:
    migrate(connection, "room", [FIRST, SECOND])
    with pytest.raises(StateTooNew, match="2 steps of room"):
        migrate(connection, "room", [FIRST])
    assert rows(connection) == [1, 2]
