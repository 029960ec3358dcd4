"""The vectors of one worker, by partition: a matrix each, and a graph where that would take too long."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from gptcache.manager.vector_data.base import VectorBase, VectorData
from numpy.typing import NDArray

from proxy.cache.semantic.tails import TAIL

MOST_IN_A_MATRIX: Final = 20_000
"""Up to here the product with a matrix takes a quarter of a millisecond; beyond, usearch's graph is faster."""
_FIRST: Final = 8


class _Matrix:
    """Vectors as rows; the place of one that goes is taken by the last."""

    def __init__(self, dimension: int) -> None:
        self._rows = np.empty((_FIRST, dimension), dtype=np.float32)
        self._ids = np.empty(_FIRST, dtype=np.int64)
        self._places: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, id: int, vector: NDArray[np.float32]) -> None:
        place = self._places.get(id, len(self._places))
        if place == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
            self._ids = np.concatenate([self._ids, np.empty_like(self._ids)])
        self._rows[place], self._ids[place] = vector, id
        self._places[id] = place

    def remove(self, id: int) -> None:
        place = self._places.pop(id, None)
        last = len(self._places)
        if place is None or place == last:
            return
        self._rows[place], self._ids[place] = self._rows[last], self._ids[last]
        self._places[int(self._ids[place])] = place

    def nearest(self, vector: NDArray[np.float32], most: int) -> list[tuple[float, int]]:
        held = len(self._places)
        likeness = self._rows[:held] @ vector
        best = np.argsort(likeness)[::-1][:most] if held <= most else np.argpartition(likeness, -most)[-most:]
        return sorted(((float(1 - likeness[at]), int(self._ids[at])) for at in best), key=lambda found: found[0])

    def vectors(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        held = len(self._places)
        return self._ids[:held], self._rows[:held]


class _Graph:
    """usearch's graph of neighbours."""

    def __init__(self, dimension: int, matrix: _Matrix) -> None:
        from usearch.index import Index  # noqa: PLC0415 - an optional dependency, needed by large partitions only

        self._index = Index(ndim=dimension, metric="ip", dtype="f16")
        self._index.add(*matrix.vectors())

    def __len__(self) -> int:
        return len(self._index)

    def add(self, id: int, vector: NDArray[np.float32]) -> None:
        self.remove(id)
        self._index.add(id, vector)

    def remove(self, id: int) -> None:
        if id in self._index:
            self._index.remove(id)

    def nearest(self, vector: NDArray[np.float32], most: int) -> list[tuple[float, int]]:
        found = self._index.search(vector, most)
        return [(float(distance), int(id)) for id, distance in zip(found.keys, found.distances, strict=True)]


class EmbeddedVectors(VectorBase):
    """See gptcache's VectorBase. A search sees the vectors of its own partition only; distances are 1 - cosine."""

    def __init__(self, dimension: int, most_in_a_matrix: int = MOST_IN_A_MATRIX) -> None:
        self._dimension = dimension
        self._most_in_a_matrix = most_in_a_matrix
        self._partitions: dict[bytes, _Matrix | _Graph] = {}
        self._where: dict[int, bytes] = {}

    def mul_add(self, datas: Sequence[VectorData]) -> None:
        """See VectorBase: their vectors end with what tells their partition."""
        for data in datas:
            vector, tail = self._split(data.data)
            self.delete([data.id])
            held = self._partitions.get(tail)
            if held is None:
                held = self._partitions[tail] = _Matrix(self._dimension)
            elif isinstance(held, _Matrix) and len(held) >= self._most_in_a_matrix:
                held = self._partitions[tail] = _Graph(self._dimension, held)
            held.add(data.id, vector)
            self._where[data.id] = tail

    def search(self, data: NDArray[np.float32], top_k: int = 1) -> list[tuple[float, int]]:
        """See VectorBase."""
        vector, tail = self._split(data)
        held = self._partitions.get(tail)
        return [] if held is None else held.nearest(vector, top_k)

    def delete(self, ids: Sequence[int]) -> bool:
        """See VectorBase."""
        for id in ids:
            tail = self._where.pop(id, None)
            if tail is None:
                continue
            held = self._partitions[tail]
            held.remove(id)
            if not len(held):
                del self._partitions[tail]
        return True

    def rebuild(self, ids: Any = None) -> bool:
        """See VectorBase: nothing is to be done."""
        return True

    def __len__(self) -> int:
        return len(self._where)

    def _split(self, data: NDArray[np.float32]) -> tuple[NDArray[np.float32], bytes]:
        return data[:-TAIL], data[-TAIL:].tobytes()
