"""What is remembered, by what, and how much of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.lean import Lean
from proxy.policy.memo import Memo, is_met_again
from proxy.policy.reading import Reads


def reads(*paths: tuple[str, ...], volatile: bool = False) -> Reads:
    return Reads(live=True, volatile=volatile, paths=frozenset(paths))


@pytest.mark.parametrize(
    ("read", "again"),
    [
        (reads(("model",), ("clock", "hour")), True),
        (reads(("estimate_usd",), ("messages",)), True),
        (reads(("clock", "unix")), False),
        (reads(("clock",)), False),
        (reads(("operation",)), False),
        (reads(()), False),
        (reads(("model",), volatile=True), False),
    ],
)
def test_what_may_be_met_again(read: Reads, again: bool) -> None:
    assert is_met_again(read) is again


def test_the_longest_unused_makes_room_and_long_inputs_are_not_kept() -> None:
    memo = Memo[int](2)
    memo.put(b"a", 1)
    memo.put(b"b", 2)
    assert memo.get(b"a") == 1
    memo.put(b"c", 3)
    assert (memo.get(b"a"), memo.get(b"b"), memo.get(b"c")) == (1, None, 3)
    memo.put(b"x" * 5000, 4)
    assert memo.get(b"x" * 5000) is None and memo.get(b"c") == 3


def test_it_is_bounded_in_bytes_too() -> None:
    memo = Memo[int](1_000_000)
    for number in range(6_000):
        memo.put(b"%04000d" % number, number)
    kept = [number for number in range(6_000) if memo.get(b"%04000d" % number) is not None]
    assert kept[-1] == 5_999 and 2_000 < len(kept) <= 8 * 1024 * 1024 // 4_000


NAMES = st.sampled_from(["a", "b", "c"])
FACTS = st.dictionaries(NAMES, st.none() | st.text(max_size=2) | st.dictionaries(NAMES, st.integers(0, 2)))


def at(facts: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(facts, dict) or name not in facts:
            return "missing"
        facts = facts[name]
    return (facts,)


@given(FACTS, FACTS, st.frozensets(st.lists(NAMES, min_size=1, max_size=2).map(tuple), min_size=1))
def test_inputs_written_alike_have_the_same_at_every_path_that_is_read(
    one: dict[str, Any], other: dict[str, Any], paths: frozenset[tuple[str, ...]]
) -> None:
    lean = Lean(paths)
    if lean.written(one) == lean.written(other):
        assert all(at(one, path) == at(other, path) for path in paths)


def test_only_what_is_read_is_written_and_all_of_it_where_everything_is() -> None:
    facts = {"a": {"b": 1, "c": 2}, "b": None, "c": 3}
    assert Lean(frozenset({("a", "b"), ("b", "x"), ("d",)})).written(facts) == b'{"a":{"b":1},"b":null}'
    assert Lean(frozenset({("a", "b"), ("a",)})).written(facts) == b'{"a":{"b":1,"c":2}}'
    assert Lean(frozenset({(), ("a",)})).written({"z": 1}) == b'{"z":1}'
