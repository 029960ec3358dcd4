"""A segment that was perhaps sent alone is never bound into a list: under another token its rows would stand twice."""

from pathlib import Path

from proxy.telemetry.parcels import Parcels
from proxy.telemetry.rows import Table
from proxy.telemetry.segments import SegmentName


def never(_: str) -> bool:
    return False


def seal(spool: Path, number: int) -> SegmentName:
    name = SegmentName(first_ns=10**18 + number, worker="w1", number=number, table=Table.OPERATIONS)
    (spool / "sealed").mkdir(exist_ok=True)
    (spool / "sealed" / str(name)).write_bytes(b"{}\n")
    return name


def tokens(parcels: Parcels) -> dict[SegmentName, str]:
    return {name: parcel.token for parcel in parcels.due(never) for name in parcel.segments}


def test_what_was_sent_alone_goes_alone_again_after_a_death(tmp_path: Path) -> None:
    """The collector was killed between the insert and the deletion; while it was away a backlog grew."""
    sent = [seal(tmp_path, 0)]
    before = tokens(Parcels(tmp_path))
    for number in range(1, 20):
        seal(tmp_path, number)
    again = Parcels(tmp_path)
    after = tokens(again)
    assert {name: after[name] for name in sent} == before
    assert len(set(after.values())) == 2, "the others go in one list"


def test_what_nobody_heard_of_goes_alone_again_in_the_same_life(tmp_path: Path) -> None:
    parcels = Parcels(tmp_path)
    sent = [seal(tmp_path, 0)]
    before = tokens(parcels)
    for number in range(1, 20):
        seal(tmp_path, number)
    after = tokens(parcels)
    assert {name: after[name] for name in sent} == before


def test_the_segments_of_a_refused_list_stay_alone(tmp_path: Path) -> None:
    for number in range(9):
        seal(tmp_path, number)
    parcels = Parcels(tmp_path)
    (listed,) = parcels.due(never)
    parcels.break_up(listed)
    assert len(set(tokens(Parcels(tmp_path)).values())) == 9


def test_what_is_through_is_forgotten(tmp_path: Path) -> None:
    parcels = Parcels(tmp_path)
    for round_ in range(5):
        for number in range(3):
            seal(tmp_path, round_ * 10 + number)
        for parcel in parcels.due(never):
            parcels.done(parcel)
    assert len(parcels._alone) == 0
    assert Parcels(tmp_path)._alone == set()


def test_a_note_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    seal(tmp_path, 1)
    (tmp_path / "singly.json").write_text("[half")
    assert len(Parcels(tmp_path).due(never)) == 1
