"""The memory of released tool calls, over both places it is kept in: whose they are, how many, for how long."""

import sqlite3
import threading
from pathlib import Path

import pytest

from proxy.core.secret import Secret
from proxy.policy import (
    RedisReleasedCalls,
    ReleasedCalls,
    ReleasedUnavailable,
    SqliteReleasedCalls,
    call_mark,
    run_mark,
)
from proxy.state import Remote, StateFile
from tests.contract.place import place as place
from tests.contract.place import redis as redis

NOW = 1_795_176_000_000_000_000
DAY_NS = 86_400_000_000_000
RUN = run_mark("acme", "key_1", "r1")


def opened(place: str) -> ReleasedCalls:
    """As each worker opens it."""
    if place.startswith("redis"):
        url, _, name = place.partition("#")
        return RedisReleasedCalls(Remote(Secret(url)), name)
    return SqliteReleasedCalls(StateFile(Path(place)))


def marks(*ids: str) -> list[bytes]:
    return [call_mark(each) for each in ids]


def test_what_one_worker_notes_the_others_find(place: str) -> None:
    one, other = opened(place), opened(place)
    one.note(RUN, marks("a", "b"), NOW)
    assert other.given(RUN, marks("a", "b", "c"), NOW + 1) == set(marks("a", "b"))
    one.close()
    other.close()
    assert opened(place).given(RUN, marks("a"), NOW) == set(marks("a"))


def test_each_run_has_its_own(place: str) -> None:
    book = opened(place)
    book.note(RUN, marks("a"), NOW)
    for org, key_id, run in (
        ("acme", "key_1", ""),
        ("acme", "key_2", "r1"),
        ("beta", "key_1", "r1"),
        ("acm", "ekey_1", "r1"),
    ):
        assert book.given(run_mark(org, key_id, run), marks("a"), NOW) == set()
    book.close()


def test_they_are_forgotten_after_a_day(place: str) -> None:
    book = opened(place)
    book.note(RUN, marks("a"), NOW)
    book.note(RUN, marks("b"), NOW + DAY_NS // 2)
    assert book.given(RUN, marks("a", "b"), NOW + DAY_NS - 10**9) == set(marks("a", "b"))
    assert book.given(RUN, marks("a", "b"), NOW + DAY_NS + 10**9) == set(marks("b"))
    book.close()


@pytest.mark.parametrize("most", [512, 64])
def test_of_a_run_the_latest_are_remembered(place: str, most: int) -> None:
    book = opened(place)
    for number in range(60):
        book.note(RUN, marks(*(f"{number}-{each}" for each in range(10))), NOW + number * 10**6, most)
    first = 60 - most // 10  # of which all are remembered
    early, late = marks("0-0", f"{first - most // 80 - 2}-9"), marks(f"{first}-0", "59-9")
    assert book.given(RUN, [*early, *late], NOW + 10**9) == set(late)
    book.close()


def test_many_write_at_once(place: str) -> None:
    books = [opened(place) for _ in range(4)]

    def write(book: ReleasedCalls, name: str) -> None:
        for number in range(20):
            book.note(RUN, marks(f"{name}{number}"), NOW + number)

    threads = [threading.Thread(target=write, args=(book, str(at))) for at, book in enumerate(books)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = marks(*(f"{at}{number}" for at in range(4) for number in range(20)))
    assert books[0].given(RUN, wanted, NOW) == set(wanted)
    for book in books:
        book.close()


def test_the_file_does_not_grow_without_end(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "ledger.sqlite")
    book = SqliteReleasedCalls(state, most=1000)
    for number in range(30):
        run = run_mark("acme", "key_1", str(number))
        book.note(run, marks(*(str(each) for each in range(256))), NOW + number)
    with state.read() as connection:
        assert connection.execute("SELECT count(*) FROM released_calls").fetchone()[0] <= 1000 + 256
    assert book.given(run, marks("0", "255"), NOW + 30) == set(marks("0", "255"))
    book.note(RUN, marks(*(str(each) for each in range(256))), NOW + 2 * DAY_NS)
    with state.read() as connection:
        assert connection.execute("SELECT count(*) FROM released_calls").fetchone()[0] == 256
    book.close()
    state.close()


def test_a_locked_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    book = SqliteReleasedCalls(StateFile(path))
    book.note(RUN, marks("a"), NOW)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ReleasedUnavailable, match="locked"):
        book.note(RUN, marks("b"), NOW)
    assert book.given(RUN, marks("a", "b"), NOW) == set(marks("a"))
    other.close()
    book.note(RUN, marks("b"), NOW)
    assert book.given(RUN, marks("b"), NOW) == set(marks("b"))
    book.close()


def test_a_redis_that_is_away_is_said() -> None:
    book = RedisReleasedCalls(Remote(Secret("redis://127.0.0.1:9")), "x")
    for ask in (lambda: book.note(RUN, marks("a"), NOW), lambda: book.given(RUN, marks("a"), NOW)):
        with pytest.raises(ReleasedUnavailable):
            ask()
