"""Ids sort by the time they were made, and are UUIDv7 behind their prefix."""

import time
import uuid

from proxy.core.ids import born_ms, new_id


def test_ids_are_uuid7_and_sort_by_time() -> None:
    early = new_id("op")
    time.sleep(0.002)
    late = new_id("op")
    assert early < late
    parsed = uuid.UUID(early.removeprefix("op_"))
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert abs((parsed.int >> 80) - time.time_ns() // 1_000_000) < 1000


def test_ids_do_not_repeat() -> None:
    assert len({new_id("att") for _ in range(10_000)}) == 10_000


def test_an_id_tells_when_it_was_made() -> None:
    born = born_ms(new_id("op"))
    assert born is not None
    assert abs(born - time.time_ns() // 1_000_000) < 1000
    assert [born_ms(text) for text in ("op_", "op_zz" + "0" * 30, "anything")] == [None, None, None]
