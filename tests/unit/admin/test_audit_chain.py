"""The audit chain in the state file: whatever is done to it afterwards, the first wrong link is named."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.audit import StateAuditLog
from proxy.admin.chain import Break, ChainReading, Entry, Head, entry_of, hash_of, row_of
from proxy.admin.rooms import Change
from proxy.admin.tables import Tables
from proxy.core.chain import GENESIS
from proxy.state import StateFile


def change(number: int, **more: object) -> Change:
    values: dict[str, object] = {
        "at_ns": 1_764_500_000_123_456_789 + number,
        "actor": "anna@x.org",
        "role": "owner",
        "action": "budget.put",
        "subject": f"budget:b{number}",
        "org": "acme",
        "team": None,
        "before": None,
        "after": b'{"limit_usd":"5"}',
    }
    return Change(**{**values, **more})  # type: ignore[arg-type]  # as the fields are typed


@pytest.fixture
def trail(tmp_path: Path) -> StateAuditLog:
    """A chain of five entries."""
    made = StateAuditLog(Tables(StateFile(tmp_path / "ledger.sqlite")))
    for number in range(1, 6):
        made.append(change(number))
    return made


def first_break(trail: StateAuditLog) -> Break | None:
    return ChainReading().first_break(trail.entries(0))


def tamper(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_an_untouched_chain_is_whole(trail: StateAuditLog) -> None:
    reading = ChainReading()
    entries = trail.entries(0)
    assert reading.first_break(entries) is None
    assert reading.head == Head(5, entries[-1].hash) and reading.entries == 5
    assert entries[0].previous == GENESIS
    assert [each.previous for each in entries[1:]] == [each.hash for each in entries[:-1]]


SWAP = "UPDATE audit SET subject = CASE number WHEN 2 THEN 'budget:b3' ELSE 'budget:b2' END WHERE number IN (2, 3)"
RENUMBER = (
    "UPDATE audit SET number = 99 WHERE number = 2",
    "UPDATE audit SET number = 2 WHERE number = 3",
    "UPDATE audit SET number = 3 WHERE number = 99",
)


@pytest.mark.parametrize(
    ("statements", "number", "why"),
    [
        (("UPDATE audit SET actor = 'nobody' WHERE number = 3",), 3, "its content was changed"),
        (("UPDATE audit SET after = NULL WHERE number = 5",), 5, "its content was changed"),
        (("UPDATE audit SET at_ns = at_ns + 1 WHERE number = 1",), 1, "its content was changed"),
        (("UPDATE audit SET org = 'other' WHERE number = 4",), 4, "its content was changed"),
        (("DELETE FROM audit WHERE number = 2",), 2, "it is missing"),
        (("DELETE FROM audit WHERE number = 1",), 1, "it is missing"),
        ((SWAP,), 2, "its content was changed"),
        (RENUMBER, 2, "does not follow entry 1"),
        (("UPDATE audit SET hash = 'x' WHERE number = 2",), 2, "its content was changed"),
        (("DELETE FROM audit WHERE number = 2", "UPDATE audit SET number = number - 1 WHERE number > 2"), 2, "follow"),
    ],
)
def test_the_first_wrong_link_is_named(
    trail: StateAuditLog, tmp_path: Path, statements: tuple[str, ...], number: int, why: str
) -> None:
    tamper(tmp_path, *statements)
    broken = first_break(trail)
    assert broken is not None and (broken.number, why in broken.why) == (number, True), broken


def test_a_changed_entry_with_a_new_hash_breaks_the_next_link(trail: StateAuditLog, tmp_path: Path) -> None:
    entry = trail.entries(0)[2]
    forged = change(3, actor="nobody")
    own = hash_of(3, forged, entry.previous)
    tamper(tmp_path, f"UPDATE audit SET actor = 'nobody', hash = '{own}' WHERE number = 3")
    broken = first_break(trail)
    assert broken is not None and broken.number == 4


def test_entries_of_before_there_was_a_chain_are_chained_as_they_are(trail: StateAuditLog, tmp_path: Path) -> None:
    was = trail.entries(0)
    tamper(tmp_path, "UPDATE audit SET previous = NULL, hash = NULL")
    reading = ChainReading()
    assert reading.first_break(trail.entries(0)) is None and reading.head.hash == was[-1].hash
    trail.append(change(6))
    assert trail.entries(0)[:5] == was and first_break(trail) is None
    tamper(tmp_path, "UPDATE audit SET hash = NULL WHERE number = 5")
    assert first_break(trail) is not None
    trail.chain_up()
    assert first_break(trail) is None
    # Whoever takes a hash away to change what stands there is found out by the next one.
    tamper(tmp_path, "UPDATE audit SET hash = NULL, actor = 'nobody' WHERE number = 4")
    trail.chain_up()
    broken = first_break(trail)
    assert broken is not None and broken.number == 5


def test_two_connections_make_one_chain(tmp_path: Path) -> None:
    logs = [StateAuditLog(Tables(StateFile(tmp_path / "ledger.sqlite"))) for _ in range(2)]
    for number in range(10):
        logs[number % 2].append(change(number))
    assert first_break(logs[0]) is None and len(logs[1].entries(0)) == 10


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(actor=TEXT, subject=TEXT, org=st.none() | TEXT, after=st.none() | TEXT, at=st.integers(0, 2**62))
def test_a_shipped_entry_reads_back_as_it_was(
    actor: str, subject: str, org: str | None, after: str | None, at: int
) -> None:
    made = change(1, at_ns=at, actor=actor, subject=subject, org=org, after=None if after is None else after.encode())
    entry = Entry(1, made, GENESIS, hash_of(1, made, GENESIS))
    back = entry_of(row_of(entry))
    assert back.hash == hash_of(1, back.change, GENESIS) and back.change.at_ns == at


def field_changed(made: Change, name: str, value: object) -> Change:
    return Change(**{**{field: getattr(made, field) for field in made.__slots__}, name: value})


@pytest.mark.parametrize("name", Change.__slots__)
def test_every_field_is_covered(name: str) -> None:
    made = change(1, before=b"{}", team="support")
    value: object = {"at_ns": 1, "before": b'{"a":1}', "after": b"{}"}.get(name, "other")
    assert hash_of(1, made, GENESIS) != hash_of(1, field_changed(made, name, value), GENESIS)


def test_the_hash_is_what_the_documentation_says() -> None:
    """So that others can compute it: SHA-256 over a JSON list in a fixed order."""
    import hashlib

    text = (
        f'["{GENESIS}",7,1764500000123456790,"anna@x.org","owner","budget.put","budget:b1","acme","","",'
        '"{\\"limit_usd\\":\\"5\\"}"]'
    )
    assert hash_of(7, change(1), GENESIS) == hashlib.sha256(text.encode()).hexdigest()
