"""Questions that were answered, to be found by what they mean; built on gptcache's interfaces."""

from base64 import b64decode, b64encode
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
from gptcache.manager.eviction.base import EvictionBase
from gptcache.manager.scalar_data.base import CacheData, CacheStorage
from gptcache.manager.vector_data.base import VectorBase, VectorData
from gptcache.similarity_evaluation import SimilarityEvaluation
from numpy.typing import NDArray

from proxy.cache.semantic.entry import CannotOpen, EntrySeal, SemanticAlike, SemanticEntry
from proxy.cache.semantic.evaluation import GateEvaluation
from proxy.cache.semantic.payloads import SqlitePayloads
from proxy.cache.semantic.tails import tailed
from proxy.cache.semantic.vectors import EmbeddedVectors

NEAREST: Final = 8
"""How many of the nearest are looked at: the nearest may be a near miss where the next is a paraphrase."""
_CATCH_UP: Final = 10_000


class SemanticIndex:
    """Entries in a vector store and a scalar store. Blocks; for one thread at a time; raises what the stores raise.

    Whatever the vector store hands out is looked at again: an entry opens for its own partition only, its vector is
    compared anew, and its text has to pass the second gate.
    """

    def __init__(
        self,
        seal: EntrySeal,
        vectors: VectorBase,
        payloads: CacheStorage,
        evaluation: SimilarityEvaluation | None = None,
    ) -> None:
        self._seal = seal
        self._vectors = vectors
        self._payloads = payloads
        self._evaluation = evaluation or GateEvaluation()
        self._eviction: EvictionBase | None = None
        self._seen = 0

    def evict_by(self, eviction: EvictionBase) -> None:
        """What decides which entries go; it is to call `forget`."""
        self._eviction = eviction

    def find(
        self, partition: bytes, text: str, vector: NDArray[np.float32], threshold: float, now_ns: int
    ) -> SemanticAlike | None:
        """The fresh entry of this partition that is most alike, at least as alike as the threshold."""
        self._catch_up()
        best: SemanticAlike | None = None
        gone: list[int] = []
        asked = {"question": text, "embedding": vector}
        for _, id in self._vectors.search(tailed(vector, partition), NEAREST) or ():
            kept = self._payloads.get_data_by_id(id)
            entry = None if kept is None else self._opened(partition, kept)
            if kept is None or (entry is not None and now_ns >= entry.until_ns):
                gone.append(id)
                continue
            if entry is None or kept.embedding_data is None or len(kept.embedding_data) != len(vector):
                continue
            own = _unit(kept.embedding_data)
            if float(np.dot(vector, own)) < threshold:
                continue
            similarity = self._evaluation.evaluation(asked, {"question": entry.text, "embedding": own})
            # 0 is the gate's no, which no threshold can make a yes.
            if similarity > 0 and similarity >= threshold and (best is None or similarity > best.similarity):
                best = SemanticAlike(id, entry, min(1.0, similarity))
        if gone:
            self.forget(gone)
        if best is not None and self._eviction is not None:
            self._eviction.get(best.id)
        return best

    def keep(self, partition: bytes, vector: NDArray[np.float32], entry: SemanticEntry) -> int:
        """Keep an entry; its id."""
        sealed = b64encode(self._seal.seal(partition, entry)).decode()
        data = CacheData(sealed, [""], vector, _session(partition))
        (id,) = self._payloads.batch_insert([data])
        if not self._catches_up:
            self._vectors.mul_add([VectorData(id, tailed(vector, partition))])
        if self._eviction is not None:
            self._eviction.put([id])
        return int(id)

    def forget(self, ids: Sequence[int]) -> None:
        """Keep these no longer."""
        self._payloads.mark_deleted(ids)
        self._payloads.clear_deleted_data()
        self._vectors.delete(list(ids))

    def forget_partitions(self, partitions: Collection[bytes]) -> int:
        """Keep nothing of these partitions; how many entries went."""
        sessions = {_session(partition) for partition in partitions}
        ids = [id for id in self._payloads.get_ids(deleted=False) if self._is_of(id, sessions)]
        self.forget(ids)
        return len(ids)

    def __len__(self) -> int:
        return int(self._payloads.count())

    def close(self) -> None:
        """Let go of both stores."""
        self._vectors.close()
        self._payloads.close()

    @property
    def _catches_up(self) -> bool:
        """Whether the vectors are this worker's own, made of what all workers of the host have put into the file."""
        return isinstance(self._vectors, EmbeddedVectors) and isinstance(self._payloads, SqlitePayloads)

    def _catch_up(self) -> None:
        if not isinstance(self._payloads, SqlitePayloads) or not self._catches_up:
            return
        while new := self._payloads.since(self._seen, _CATCH_UP):
            self._vectors.mul_add(
                [VectorData(id, tailed(_unit(vector), bytes.fromhex(session))) for id, session, vector in new]
            )
            self._seen = new[-1][0]
            if len(new) < _CATCH_UP:
                return

    def _opened(self, partition: bytes, kept: Any) -> SemanticEntry | None:
        try:
            return self._seal.open(partition, b64decode(kept.question))
        except (CannotOpen, ValueError):
            return None

    def _is_of(self, id: int, sessions: Collection[str]) -> bool:
        kept = self._payloads.get_data_by_id(id)
        return kept is not None and kept.session_id in sessions


def _session(partition: bytes) -> str:
    return partition.hex()


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Kept as halves, a vector's length is no longer one."""
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
