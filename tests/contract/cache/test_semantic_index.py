"""One suite over every vector store behind the semantic index: ours, ours as a graph, and one of gptcache's own.

Redis is a vector store with its search module only (RediSearch), which Debian's redis-server does not have.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from proxy.cache.semantic.backends import open_vectors
from proxy.cache.semantic.entry import CannotOpen, EntrySeal, SemanticEntry
from proxy.cache.semantic.eviction import BytesEviction
from proxy.cache.semantic.index import SemanticIndex
from proxy.cache.semantic.payloads import SqlitePayloads
from proxy.cache.semantic.tails import tailed
from proxy.cache.semantic.vectors import EmbeddedVectors

Vector = NDArray[np.float32]
DIMENSION = 64
KEY = b"k" * 32
NOW = 1_000_000_000_000
TEXT = "What is the capital of France?"
PARTITION, OTHER = b"p" * 32, b"q" * 32
BACKENDS: dict[str, Callable[[Path], Any]] = {
    "embedded": lambda _: open_vectors("embedded", {}, DIMENSION),
    "graph": lambda _: EmbeddedVectors(DIMENSION, most_in_a_matrix=1),
    "faiss": lambda folder: open_vectors("faiss", {"index_path": str(folder / "faiss.index")}, DIMENSION),
}


def direction(seed: int) -> Vector:
    vector = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def entry(text: str = TEXT, *, org: str = "acme", until_ns: int = NOW * 2, operation: str = "op_1") -> SemanticEntry:
    return SemanticEntry(
        org=org, route="m", text=text, operation=operation, made_ns=NOW, until_ns=until_ns, said="Paris."
    )


@pytest.fixture(params=sorted(BACKENDS))
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SemanticIndex]:
    payloads = SqlitePayloads(tmp_path / "semantic.sqlite")
    made = SemanticIndex(EntrySeal(KEY), BACKENDS[request.param](tmp_path), payloads)
    yield made
    made.close()


def test_what_asks_the_same_is_found(index: SemanticIndex) -> None:
    id = index.keep(PARTITION, direction(1), entry())
    found = index.find(PARTITION, "what is the capital of France", direction(1), 0.85, NOW)
    assert found is not None
    assert (found.id, found.entry.said) == (id, "Paris.")
    assert found.similarity == pytest.approx(1, abs=1e-3)


def test_nothing_is_found_in_an_empty_index(index: SemanticIndex) -> None:
    assert index.find(PARTITION, TEXT, direction(1), 0.85, NOW) is None


def test_what_is_less_alike_than_the_threshold_is_none(index: SemanticIndex) -> None:
    index.keep(PARTITION, direction(1), entry())
    half = direction(1) + direction(2)
    half /= np.linalg.norm(half)
    assert index.find(PARTITION, TEXT, half, 0.95, NOW) is None
    assert index.find(PARTITION, TEXT, half, 0.5, NOW) is not None


def test_the_second_gate_stands_whatever_the_vectors_say(index: SemanticIndex) -> None:
    index.keep(PARTITION, direction(1), entry("What is the capital of Austria?"))
    assert index.find(PARTITION, TEXT, direction(1), 0.0, NOW) is None


def test_behind_a_near_miss_the_paraphrase_is_found(index: SemanticIndex) -> None:
    index.keep(PARTITION, direction(1), entry("What is the capital of Austria?"))
    index.keep(PARTITION, direction(1) * 0.9 + direction(2) * 0.1, entry(operation="op_2"))
    found = index.find(PARTITION, TEXT, direction(1), 0.8, NOW)
    assert found is not None and found.entry.operation == "op_2"


def test_another_partition_is_never_seen_and_never_in_the_way(index: SemanticIndex) -> None:
    for _ in range(40):
        index.keep(OTHER, direction(1), entry(org="other"))
    assert index.find(PARTITION, TEXT, direction(1), 0.0, NOW) is None
    index.keep(PARTITION, direction(1) * 0.8 + direction(3) * 0.2, entry())
    found = index.find(PARTITION, TEXT, direction(1), 0.5, NOW)
    assert found is not None and found.entry.org == "acme"


def test_what_grew_stale_is_none_and_goes(index: SemanticIndex) -> None:
    index.keep(PARTITION, direction(1), entry(until_ns=NOW + 1))
    assert index.find(PARTITION, TEXT, direction(1), 0.85, NOW) is not None
    assert index.find(PARTITION, TEXT, direction(1), 0.85, NOW + 1) is None
    assert len(index) == 0


def test_what_was_forgotten_is_none(index: SemanticIndex) -> None:
    index.keep(OTHER, direction(1), entry())
    id = index.keep(PARTITION, direction(1), entry())
    index.forget([id])
    assert index.find(PARTITION, TEXT, direction(1), 0.85, NOW) is None
    assert index.find(OTHER, TEXT, direction(1), 0.85, NOW) is not None


def test_a_partition_is_forgotten_whole(index: SemanticIndex) -> None:
    for partition in (PARTITION, PARTITION, OTHER):
        index.keep(partition, direction(1), entry())
    assert index.forget_partitions([PARTITION]) == 2
    assert index.find(PARTITION, TEXT, direction(1), 0.85, NOW) is None
    assert index.find(OTHER, TEXT, direction(1), 0.85, NOW) is not None


def test_bytes_are_bounded_and_what_was_used_last_stays(index: SemanticIndex) -> None:
    payloads = index._payloads
    assert isinstance(payloads, SqlitePayloads)
    evicting = BytesEviction(payloads, 40_000, 3600, index.forget)
    index.evict_by(evicting)
    for number in range(200):
        index.keep(PARTITION, direction(number), entry(operation=f"op_{number}"))
    evicting.tidy()
    (held,) = payloads._base.execute("SELECT sum(size) FROM entries").fetchone()
    assert held <= 40_000
    assert 0 < len(index) < 200
    assert index.find(PARTITION, TEXT, direction(199), 0.9, NOW) is not None
    assert index.find(PARTITION, TEXT, direction(0), 0.9, NOW) is None


def test_what_is_too_old_goes_unasked(index: SemanticIndex) -> None:
    payloads = index._payloads
    assert isinstance(payloads, SqlitePayloads)
    old = index.keep(PARTITION, direction(1), entry())
    payloads._base.execute("UPDATE entries SET made_s = made_s - 100 WHERE id = ?", (old,))
    young = index.keep(PARTITION, direction(2), entry())
    BytesEviction(payloads, 10**9, 60, index.forget).tidy()
    assert payloads.get_ids(deleted=False) == [young]


class Leaking:
    """A vector store without any filter: it hands out everything it has, whoever asks."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def mul_add(self, datas: Any) -> None:
        self.ids += [data.id for data in datas]

    def search(self, data: Any, top_k: int = 1) -> list[tuple[float, int]]:
        return [(0.0, id) for id in self.ids]

    def delete(self, ids: Any) -> bool:
        return True

    def close(self) -> None:
        """Nothing is open."""


def test_ten_thousand_tenants_that_ask_the_same_see_nothing_of_each_other_in_a_store_that_filters_nothing(
    tmp_path: Path,
) -> None:
    leaking = Leaking()
    index = SemanticIndex(EntrySeal(KEY), leaking, SqlitePayloads(tmp_path / "semantic.sqlite"))
    partitions = [number.to_bytes(32, "big") for number in range(101)]
    for partition in partitions:
        index.keep(partition, direction(1), entry(org=partition.hex()))
    leaks = pairs = 0
    for partition in partitions:
        found = index.find(partition, TEXT, direction(1), 0.0, NOW)
        pairs += len(partitions) - 1
        assert found is not None
        leaks += found.entry.org != partition.hex()
    assert pairs >= 10_000
    assert leaks == 0
    index.close()


def test_an_entry_opens_for_its_own_partition_and_under_its_own_key_only() -> None:
    sealed = EntrySeal(KEY).seal(PARTITION, entry())
    assert EntrySeal(KEY).open(PARTITION, sealed) == entry()
    for seal, partition, what in (
        (EntrySeal(KEY), OTHER, sealed),
        (EntrySeal(b"x" * 32), PARTITION, sealed),
        (EntrySeal(KEY), PARTITION, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (EntrySeal(KEY), PARTITION, b""),
    ):
        with pytest.raises(CannotOpen):
            seal.open(partition, what)


def test_texts_of_two_partitions_lie_further_apart_than_any_two_of_one() -> None:
    rng = np.random.default_rng(7)
    tails = [tailed(direction(1), rng.bytes(32)) for _ in range(500)]
    apart = [float(np.linalg.norm(one - other)) for at, one in enumerate(tails) for other in tails[at + 1 :]]
    assert min(apart) > 2.0


def test_workers_of_a_host_find_each_others_entries(tmp_path: Path) -> None:
    one, other = (
        SemanticIndex(EntrySeal(KEY), EmbeddedVectors(DIMENSION), SqlitePayloads(tmp_path / "semantic.sqlite"))
        for _ in range(2)
    )
    id = one.keep(PARTITION, direction(1), entry())
    assert other.find(PARTITION, TEXT, direction(1), 0.85, NOW) is not None
    one.forget([id])
    assert other.find(PARTITION, TEXT, direction(1), 0.85, NOW) is None
    one.close()
    other.close()
