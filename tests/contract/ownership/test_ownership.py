"""Whose the objects at providers are, over both places it is kept in."""

from pathlib import Path

import pytest

from proxy.core.secret import Secret
from proxy.ownership import (
    Kept,
    Ownership,
    OwnershipSettings,
    OwnershipUnavailable,
    RedisOwnership,
    SqliteOwnership,
)
from proxy.state import Remote, StateFile
from tests.contract.place import place as place
from tests.contract.place import redis as redis

NOW = 1_795_176_000_000_000_000
DAY_NS = 86_400_000_000_000
SETTINGS = OwnershipSettings(kept_days=30, most_per_org=300)


def opened(place: str) -> Ownership:
    """As each worker opens it."""
    if place.startswith("redis"):
        url, _, name = place.partition("#")
        return RedisOwnership(Remote(Secret(url)), name, SETTINGS)
    return SqliteOwnership(StateFile(Path(place)), SETTINGS)


def kept(id: str, org: str = "acme", **more: object) -> Kept:
    told: dict[str, object] = {"provider": "openai", "team": "t", "key_id": "key_1", "kind": "file", "made_ns": NOW}
    return Kept(id=id, org=org, **{**told, **more})  # type: ignore[arg-type]


def test_what_one_worker_notes_the_others_find(place: str) -> None:
    one, other = opened(place), opened(place)
    one.note([kept("file-1"), kept("file with spaces/é", kind="batch")])
    found = other.find("acme", ["file-1", "file-2", "file with spaces/é"], NOW + 1)
    assert found == {"file-1": kept("file-1"), "file with spaces/é": kept("file with spaces/é", kind="batch")}
    one.close()
    other.close()
    assert opened(place).find("acme", ["file-1"], NOW) == {"file-1": kept("file-1")}


def test_another_orgs_object_is_as_if_it_had_never_been(place: str) -> None:
    book = opened(place)
    book.note([kept("file-1"), kept("file-2", "beta")])
    assert book.find("beta", ["file-1", "file-2", "file-3"], NOW).keys() == {"file-2"}
    assert (book.count("beta", "openai", "file"), book.count("beta", "openai", "batch")) == (1, 0)
    book.close()


def test_nobody_takes_over_what_is_anothers_by_naming_it(place: str) -> None:
    book = opened(place)
    book.note([kept("file-1")])
    book.note([kept("file-1", "beta", due=b"x")])
    assert book.find("beta", ["file-1"], NOW) == {}
    assert book.find("acme", ["file-1"], NOW)["file-1"].due == b""
    book.forget("beta", "openai", "file-1")
    assert book.find("acme", ["file-1"], NOW).keys() == {"file-1"}
    book.note([kept("file-1", "beta", provider="other")])  # the same name elsewhere is another object
    assert book.find("beta", ["file-1"], NOW)["file-1"].provider == "other"
    book.close()


def test_what_was_deleted_is_nobodys(place: str) -> None:
    book = opened(place)
    book.note([kept("file-1"), kept("file-2")])
    book.forget("acme", "openai", "file-1")
    assert book.find("acme", ["file-1", "file-2"], NOW).keys() == {"file-2"}
    assert book.count("acme", "openai", "file") == 1
    book.close()


def test_records_grow_old(place: str) -> None:
    book = opened(place)
    book.note([kept("file-1"), kept("file-2", made_ns=NOW + DAY_NS)])
    assert book.find("acme", ["file-1", "file-2"], NOW + 30 * DAY_NS - 10**9).keys() == {"file-1", "file-2"}
    assert book.find("acme", ["file-1", "file-2"], NOW + 30 * DAY_NS + 10**9).keys() == {"file-2"}
    book.close()


def test_an_org_that_makes_many_loses_its_own_oldest_only(place: str) -> None:
    book = opened(place)
    book.note([kept("theirs", "beta")])
    for number in range(10):
        book.note([kept(f"file-{number}-{each}", made_ns=NOW + number * 10**6) for each in range(60)])
    found = book.find("acme", [f"file-{number}-1" for number in range(10)], NOW)
    assert "file-9-1" in found
    assert "file-0-1" not in found
    assert book.count("acme", "openai", "file") <= 300 + 256
    assert book.find("beta", ["theirs"], NOW).keys() == {"theirs"}
    book.close()


def test_what_is_due_is_given_out_once(place: str) -> None:
    one, other = opened(place), opened(place)
    one.note([kept("batch-1", kind="batch", due=b"op_1")])
    (found,) = one.find("acme", ["batch-1"], NOW).values()
    assert found.due == b"op_1"
    assert sorted([one.take_due(found), other.take_due(found)]) == [b"", b"op_1"]
    assert one.find("acme", ["batch-1"], NOW)["batch-1"].due == b""
    one.note([kept("batch-1", kind="batch", due=b"op_2")])
    assert one.take_due(found) == b"op_2"
    one.close()
    other.close()


def test_what_is_due_outlives_its_object(place: str) -> None:
    book = opened(place)
    book.note([kept("resp_1", kind="response", due=b"op_1"), kept("resp_2", kind="response")])
    book.forget("acme", "openai", "resp_1")
    assert book.find("acme", ["resp_1"], NOW) == {}
    (due,) = book.dues(NOW, 10, 0)
    assert (due.id, due.due) == ("resp_1", b"op_1")
    assert book.take_due(due) == b"op_1"
    assert book.dues(NOW, 10, 0) == []
    book.close()


def test_each_who_asks_for_what_is_due_gets_others(place: str) -> None:
    one, other = opened(place), opened(place)
    one.note([kept(f"batch-{number}", kind="batch", due=b"x") for number in range(6)])
    first, second = one.dues(NOW, 4, 10**9), other.dues(NOW, 4, 10**9)
    assert len(first) == 4
    assert {each.id for each in first} | {each.id for each in second} == {f"batch-{number}" for number in range(6)}
    assert one.dues(NOW + 10**8, 4, 10**9) == []
    assert len(one.dues(NOW + 2 * 10**9, 10, 10**9)) == 6
    one.close()
    other.close()


def test_a_place_that_is_away_says_so(tmp_path: Path) -> None:
    away = RedisOwnership(Remote(Secret("redis://127.0.0.1:1/0")), "x", SETTINGS)
    with pytest.raises(OwnershipUnavailable):
        away.find("acme", ["file-1"], NOW)
    with pytest.raises(OwnershipUnavailable):
        away.note([kept("file-1")])
