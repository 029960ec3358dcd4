"""Ids sort by the time they were made, and are UUIDv7 behind their prefix."""

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from proxy.core.ids import _Maker, born_ms, new_id


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


def test_ids_of_threads_do_not_meet() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = [each for some in threads.map(lambda _: [new_id("op") for _ in range(5_000)], range(4)) for each in some]
    assert len(set(made)) == 20_000


def test_ids_sort_as_they_were_made_also_when_a_millisecond_is_full_or_the_clock_goes_back() -> None:
    maker = _Maker()
    maker._ms = time.time_ns() // 1_000_000 + 10_000
    made = [maker.digits() for _ in range(10_000)]
    assert all(first < second for first, second in pairwise(made))


def test_another_process_makes_others() -> None:
    assert _Maker().digits()[-16:] != _Maker().digits()[-16:]
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, new_id("op").encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100)[-16:].decode() != new_id("op")[-16:]


def test_an_id_tells_when_it_was_made() -> None:
    born = born_ms(new_id("op"))
    assert born is not None
    assert abs(born - time.time_ns() // 1_000_000) < 1000
    assert [born_ms(text) for text in ("op_", "op_zz" + "0" * 30, "anything")] == [None, None, None]
