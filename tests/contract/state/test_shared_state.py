"""Two hosts' state files over one Redis: the same on both, in one order, whatever happens in between."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from proxy.core.secret import Secret
from proxy.state import RedisJournal, Remote, Shared, StateAway, StateBusy, StateFile, StateForeign, migrate
from tests.contract.ledger.redis_server import RedisServer, served

THINGS = """
    CREATE TABLE things (name TEXT PRIMARY KEY, data BLOB, number INTEGER);
    CREATE TABLE log (number INTEGER PRIMARY KEY AUTOINCREMENT, said TEXT NOT NULL);
    CREATE TABLE own (held INTEGER);
"""
Host = Callable[..., StateFile]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with served() as server:
        yield server


@pytest.fixture
def host(redis: RedisServer, tmp_path: Path) -> Host:
    name = uuid4().hex

    def make(folder: str, *, compact_after: int = 5_000, shared: bool = True) -> StateFile:
        journal = RedisJournal(Remote(Secret(redis.url)), name)
        of_all = Shared(
            journal=journal,
            local=frozenset({"own"}),
            has_own=lambda connection: connection.execute("SELECT 1 FROM things").fetchone() is not None,
            compact_after=compact_after,
        )
        state = StateFile(tmp_path / folder / "ledger.sqlite", shared=of_all if shared else None)
        connection = state.connect()
        migrate(connection, "things", [THINGS])
        connection.close()
        return state

    return make


def put(state: StateFile, name: str, data: bytes = b"\0\xff", number: int = 2**62) -> None:
    with state.change() as connection:
        connection.execute("INSERT OR REPLACE INTO things VALUES (?, ?, ?)", (name, data, number))
        connection.execute("INSERT INTO log (said) VALUES (:said)", {"said": name})


def things(state: StateFile) -> list[tuple[object, ...]]:
    with state.read() as connection:
        return connection.execute("SELECT * FROM things ORDER BY name").fetchall()


def log(state: StateFile) -> list[tuple[int, str]]:
    with state.read() as connection:
        return connection.execute("SELECT * FROM log ORDER BY number").fetchall()


def test_what_one_host_changes_stands_on_the_other(host: Host) -> None:
    one, two = host("one"), host("two")
    put(one, "a")
    generation = two.generation()
    assert two.follow()
    assert things(two) == things(one) == [("a", b"\0\xff", 2**62)]
    assert two.generation() > generation
    assert not two.follow()
    with two.change() as connection:
        connection.execute("UPDATE things SET number = number + 1 WHERE name = 'a'")
    one.follow()
    assert things(one) == [("a", b"\0\xff", 2**62 + 1)]


def test_a_change_sees_what_others_changed_before_it(host: Host) -> None:
    one, two = host("one"), host("two")
    put(one, "a")
    with two.change() as connection:
        assert connection.execute("SELECT name FROM things").fetchall() == [("a",)]


def test_a_change_that_fails_stands_nowhere(host: Host) -> None:
    one, two = host("one"), host("two")
    with pytest.raises(ZeroDivisionError), one.change() as connection:
        connection.execute("INSERT INTO things (name) VALUES ('a')")
        raise ZeroDivisionError
    put(one, "b")
    two.follow()
    assert [row[0] for row in things(two)] == [row[0] for row in things(one)] == ["b"]


def test_one_that_reloads_nobody_is_shared_all_the_same(host: Host) -> None:
    one, two = host("one"), host("two")
    two.follow()
    generation = two.generation()
    with one.change(reloads=False) as connection:
        connection.execute("INSERT INTO log (said) VALUES ('quietly')")
    assert not two.follow()
    assert (log(two), two.generation()) == ([(1, "quietly")], generation)


def test_many_changes_at_once_on_two_hosts_end_the_same(host: Host) -> None:
    hosts = [host("one"), host("two"), host("one")]  # two processes of the first one
    start = threading.Barrier(len(hosts))

    def work(at: int) -> None:
        start.wait()
        for number in range(25):
            put(hosts[at], f"{at}-{number}", number=number)

    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(work, range(len(hosts))))
    for each in hosts:
        each.follow()
    assert len(things(hosts[0])) == 75
    assert things(hosts[0]) == things(hosts[1])
    assert log(hosts[0]) == log(hosts[1])
    assert [number for number, _ in log(hosts[0])] == list(range(1, 76))


def test_a_host_that_joins_late_has_everything(host: Host) -> None:
    one = host("one", compact_after=10)
    for number in range(37):
        put(one, f"t{number % 5}", number=number)
    late = host("late")
    assert late.follow()
    assert (things(late), log(late)) == (things(one), log(one))
    put(late, "after")
    one.follow()
    assert (things(late), log(late)) == (things(one), log(one))


def test_one_that_was_away_over_a_compaction_catches_up(host: Host) -> None:
    one, two = host("one", compact_after=10), host("two")
    put(one, "first")
    two.follow()
    for number in range(25):
        put(one, f"t{number}")
    two.follow()
    assert (things(two), log(two)) == (things(one), log(one))


def test_the_first_host_shares_what_it_had(host: Host) -> None:
    put(host("one", shared=False), "from before")
    one, two = host("one"), host("two")
    one.follow()
    two.follow()
    assert [row[0] for row in things(two)] == ["from before"]


def test_two_hosts_that_both_had_something_are_not_mixed(host: Host) -> None:
    put(host("one", shared=False), "ours")
    put(host("two", shared=False), "theirs")
    host("one").follow()
    two = host("two")
    with pytest.raises(StateForeign):
        two.follow()
    assert [row[0] for row in things(two)] == ["theirs"]


def test_what_is_a_hosts_own_is_not_shared(host: Host) -> None:
    one, two = host("one"), host("two")
    for number, state in enumerate((one, two)):
        connection = state.connect()
        connection.execute("INSERT INTO own VALUES (?)", (number,))
        connection.close()
    put(one, "a")
    two.follow()
    with two.read() as connection:
        assert connection.execute("SELECT held FROM own").fetchall() == [(1,)]


def test_a_forgotten_journal_is_begun_anew_by_who_has_followed(host: Host, redis: RedisServer) -> None:
    one, two = host("one"), host("two")
    put(one, "a")
    two.follow()
    redis.command("FLUSHALL")
    two.follow()
    put(two, "b")
    one.follow()
    assert things(one) == things(two)
    assert [row[0] for row in things(one)] == ["a", "b"]


def test_a_host_ahead_of_a_journal_begun_anew_says_so(host: Host, redis: RedisServer) -> None:
    one, two = host("one"), host("two")
    put(one, "a")
    two.follow()
    put(one, "only here")
    redis.command("FLUSHALL")
    two.follow()
    with pytest.raises(StateForeign, match="1 admin change"):
        one.follow()
    assert [row[0] for row in things(one)] == ["a", "only here"]


def test_a_redis_that_lost_the_last_moment_takes_it_from_who_has_it(host: Host, redis: RedisServer) -> None:
    one, two = host("one"), host("two")
    put(one, "a")
    two.follow()
    shared = one.shared
    assert shared is not None
    (meta,) = [key for key in redis.command("KEYS", "*:journal").split(b"\r\n") if one_of(one) in key]
    put(one, "b")
    redis.command("HSET", meta.decode(), "head", "1")
    redis.command("XTRIM", meta.decode() + ":entries", "MAXLEN", "1")
    one.follow()
    two.follow()
    assert things(one) == things(two)
    assert [row[0] for row in things(two)] == ["a", "b"]


def one_of(state: StateFile) -> bytes:
    """The name its journal has in Redis."""
    assert state.shared is not None
    journal = state.shared.journal
    assert isinstance(journal, RedisJournal)
    return journal.tag


def test_nothing_is_changed_while_it_is_away(redis: RedisServer, host: Host) -> None:
    one = host("one")
    put(one, "a")
    redis.stop(kill=True)
    try:
        with pytest.raises(StateAway):
            put(one, "b")
        assert [row[0] for row in things(one)] == ["a"]
    finally:
        redis.start()
    put(one, "b")
    assert [row[0] for row in things(one)] == ["a", "b"]


def test_a_host_that_lost_its_turn_changes_nothing(host: Host, redis: RedisServer) -> None:
    """Its pause was so long that another one went on: the order of the journal decides."""
    one, two = host("one"), host("two")
    put(one, "a")

    def slow() -> None:
        with one.change() as connection:
            connection.execute("INSERT INTO things (name) VALUES ('late')")
            redis.command("DEL", (one_of(one) + b":turn").decode())
            put(two, "b")

    with pytest.raises(StateBusy):
        slow()
    one.follow()
    assert [row[0] for row in things(one)] == ["a", "b"]


def test_all_hosts_hear_what_the_first_one_pinned(redis: RedisServer) -> None:
    name = uuid4().hex
    first, second = (RedisJournal(Remote(Secret(redis.url)), name) for _ in range(2))
    assert first.pin("hash-key", "aa") == "aa"
    assert second.pin("hash-key", "bb") == "aa"
