"""A backlog is bound into lists that a restart sends again unchanged."""

from pathlib import Path

import pytest

from proxy.telemetry.parcels import Parcel, Parcels
from proxy.telemetry.rows import Table
from proxy.telemetry.segments import SegmentName


def never(_: str) -> bool:
    return False


def seal(spool: Path, number: int, table: Table = Table.OPERATIONS, size: int = 10) -> SegmentName:
    name = SegmentName(first_ns=10**18 + number, worker="w1", number=number, table=table)
    (spool / "sealed").mkdir(exist_ok=True)
    (spool / "sealed" / str(name)).write_bytes(f"{number:0{size - 1}d}\n".encode())
    return name


def left(spool: Path) -> list[str]:
    return sorted(path.name for folder in ("sealed", "lists") for path in (spool / folder).glob("*"))


def test_one_segment_of_a_table_goes_singly_and_the_oldest_first(tmp_path: Path) -> None:
    names = [seal(tmp_path, 3), seal(tmp_path, 0, Table.ATTEMPTS), seal(tmp_path, 2, Table.DECISIONS)]
    parcels = Parcels(tmp_path)
    due = parcels.due(never)
    assert [parcel.segments for parcel in due] == [(name,) for name in sorted(names, key=str)]
    assert len({parcel.token for parcel in due}) == 3
    assert (parcels.backlog.segments, parcels.backlog.oldest_ns) == (3, 10**18)


def test_what_two_workers_sealed_goes_together(tmp_path: Path) -> None:
    names = (seal(tmp_path, 1), seal(tmp_path, 2))
    (due,) = Parcels(tmp_path).due(never)
    assert (due.segments, due.listed) == (names, True)


def test_a_backlog_goes_in_lists_by_table(tmp_path: Path) -> None:
    operations = [seal(tmp_path, number) for number in range(20)]
    attempts = [seal(tmp_path, number, Table.ATTEMPTS) for number in range(1)]
    due = Parcels(tmp_path).due(never)
    listed = [parcel for parcel in due if parcel.listed]
    assert [parcel.segments for parcel in listed] == [tuple(operations)]
    assert [parcel.segments for parcel in due if not parcel.listed] == [(name,) for name in attempts]


def test_the_content_is_all_rows_in_order(tmp_path: Path) -> None:
    for number in range(9):
        seal(tmp_path, number)
    parcels = Parcels(tmp_path)
    (parcel,) = parcels.due(never)
    assert parcels.content(parcel) == b"".join(f"{number:09d}\n".encode() for number in range(9))


def test_lists_are_bounded(tmp_path: Path) -> None:
    for number in range(600):
        seal(tmp_path, number)
    assert sorted(len(parcel.segments) for parcel in Parcels(tmp_path).due(never)) == [88, 256, 256]
    for path in (tmp_path / "lists").iterdir():
        path.unlink()
    for number in range(600, 610):
        seal(tmp_path, number, Table.ATTEMPTS, size=9_000_000)
    attempts = [each for each in Parcels(tmp_path).due(never) if each.table is Table.ATTEMPTS]
    assert [len(parcel.segments) for parcel in attempts] == [2, 2, 2, 2, 2]


def test_a_restart_sends_the_same_list_under_the_same_token(tmp_path: Path) -> None:
    for number in range(9):
        seal(tmp_path, number)
    first = Parcels(tmp_path).due(never)
    seal(tmp_path, 99)
    again = Parcels(tmp_path)
    due = again.due(never)
    assert due[0] == first[0]
    assert [len(parcel.segments) for parcel in due] == [9, 1]
    assert again.due(never) == due, "looking twice binds nothing new"


def test_what_is_done_leaves_nothing(tmp_path: Path) -> None:
    for number in range(12):
        seal(tmp_path, number, Table.OPERATIONS if number < 10 else Table.ATTEMPTS)
    parcels = Parcels(tmp_path)
    for parcel in parcels.due(never):
        parcels.done(parcel)
    assert left(tmp_path) == []
    assert parcels.due(never) == []


@pytest.mark.parametrize("deleted", [0, 1, 9])
def test_a_death_while_tidying_up_sends_nothing_again(tmp_path: Path, deleted: int) -> None:
    names = [seal(tmp_path, number) for number in range(9)]
    (parcel,) = Parcels(tmp_path).due(never)
    (tmp_path / "lists" / f"{parcel.key}.list").rename(tmp_path / "lists" / f"{parcel.key}.done")
    for name in names[:deleted]:
        (tmp_path / "sealed" / str(name)).unlink()
    assert Parcels(tmp_path).due(never) == []
    assert left(tmp_path) == []


def test_a_segment_removed_by_hand_does_not_change_the_token(tmp_path: Path) -> None:
    names = [seal(tmp_path, number) for number in range(9)]
    parcels = Parcels(tmp_path)
    (parcel,) = parcels.due(never)
    (tmp_path / "sealed" / str(names[0])).unlink()
    assert parcels.content(parcel).count(b"\n") == 8
    parcels.done(parcel)
    assert left(tmp_path) == []


def test_a_refused_list_is_broken_up_for_good(tmp_path: Path) -> None:
    for number in range(9):
        seal(tmp_path, number)
    parcels = Parcels(tmp_path)
    (parcel,) = parcels.due(never)
    parcels.break_up(parcel)
    due = parcels.due(never)
    assert [each.listed for each in due] == [False] * 9
    parcels.put_aside(due[0], tmp_path / "rejected")
    assert [path.name for path in (tmp_path / "rejected").iterdir()] == [due[0].key]


def test_a_long_refused_list_is_halved(tmp_path: Path) -> None:
    names = [seal(tmp_path, number) for number in range(40)]
    parcels = Parcels(tmp_path)
    (parcel,) = parcels.due(never)
    parcels.break_up(parcel)
    halves = parcels.due(never)
    assert [each.segments for each in halves] == [tuple(names[:20]), tuple(names[20:])]
    assert Parcels(tmp_path).due(never) == halves, "under the same tokens in a next life"
    assert {each.token for each in halves}.isdisjoint({parcel.token})


def test_what_waits_is_not_due(tmp_path: Path) -> None:
    waiting = seal(tmp_path, 1)
    seal(tmp_path, 2)
    assert [parcel.key for parcel in Parcels(tmp_path).due(lambda key: key == str(waiting))] != [str(waiting)]


def test_an_unreadable_list_is_dropped_and_its_segments_sent(tmp_path: Path) -> None:
    name = seal(tmp_path, 1)
    (tmp_path / "lists").mkdir()
    for state in ("list", "done"):
        (tmp_path / "lists" / f"x.{state}").write_bytes(b"")
    assert Parcels(tmp_path).due(never) == [Parcel(key=str(name), table=name.table, segments=(name,))]
    assert left(tmp_path) == [str(name)]
