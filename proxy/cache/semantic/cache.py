"""The semantic cache of one worker, off its event loop."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from proxy.cache.semantic.audits import Audits
from proxy.cache.semantic.backends import open_vectors
from proxy.cache.semantic.embedding import Embedder
from proxy.cache.semantic.embedding.minilm import MiniLm
from proxy.cache.semantic.embedding.remote import RemoteModel, alike_in_words, unit
from proxy.cache.semantic.entry import EntrySeal, SemanticEntry, SemanticSight
from proxy.cache.semantic.eviction import BytesEviction
from proxy.cache.semantic.index import SemanticIndex
from proxy.cache.semantic.payloads import SqlitePayloads
from proxy.cache.semantic.settings import SemanticSettings

_MB: Final = 1_048_576
_MOST_WAITING: Final = 64
Made = TypeVar("Made")
log = logging.getLogger("flyball.cache")


class SemanticCache:
    """Embeds, finds and keeps in one thread of its own. Whatever fails there is a miss, and is logged."""

    def __init__(
        self, settings: SemanticSettings, *, file: Path, body_key: bytes, embedder: Embedder | None = None
    ) -> None:
        """Without an embedder of its own it has the local MiniLM.

        Raises:
            BackendMissing, EmbedderAway, sqlite3.Error: what the settings name cannot be had.
        """
        self.settings: Final = settings
        self.remote: Final = None if settings.embedder is None else RemoteModel(settings.embedder)
        self.embedder: Final[Embedder] = embedder or self.remote or MiniLm()
        self.audits: Final = Audits(settings.max_false)
        payloads = SqlitePayloads(file)
        self._index = SemanticIndex(
            EntrySeal(body_key),
            open_vectors(settings.vectors, settings.vector_options, self.embedder.dimension),
            payloads,
        )
        self._index.evict_by(BytesEviction(payloads, settings.max_mb * _MB, settings.ttl_s, self._index.forget))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="semantic")
        self._room = threading.BoundedSemaphore(_MOST_WAITING)

    def look(
        self, partition: bytes, text: str, threshold: float, now_ns: int, numbers: list[float] | None = None
    ) -> "Future[SemanticSight | None]":
        """Look for an entry that asks the same; None of it is a failure, or too much to do. `numbers` is the text's
        vector, where a provider made it."""

        def work() -> SemanticSight | None:
            vector = self.embedder.embed(text) if numbers is None else unit(numbers, self.embedder.dimension)
            if vector is None:
                return None
            return SemanticSight(vector, self._index.find(partition, text, vector, threshold, now_ns))

        return self._begin(work)

    def keep(self, partition: bytes, vector: NDArray[np.float32], entry: SemanticEntry) -> "Future[int | None]":
        """Keep an entry, in its time."""
        return self._begin(lambda: self._index.keep(partition, vector, entry))

    def agreement(self, said: str, other: str) -> "Future[float | None]":
        """How alike two answers are, from 0 to 1: in meaning, or by their words where a provider makes the vectors."""
        if self.remote is not None:
            return self._begin(lambda: alike_in_words(said, other))
        return self._begin(lambda: float(np.clip(self.embedder.embed(said) @ self.embedder.embed(other), 0, 1)))

    def close(self) -> None:
        """Finish what is under way and let go of the stores."""
        self._thread.shutdown(cancel_futures=True)
        self._index.close()

    def _begin(self, work: Callable[[], Made]) -> "Future[Made | None]":
        """Have it done in the thread. What fails is None: a cache that is broken must never break a call."""
        if not self._room.acquire(blocking=False):
            nothing: Future[Made | None] = Future()
            nothing.set_result(None)
            return nothing
        return self._thread.submit(self._done, work)

    def _done(self, work: Callable[[], Made]) -> Made | None:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 (a crash boundary: backends have errors of their own)
            log.warning("the semantic cache failed", extra={"error": repr(error)[:500]})
        finally:
            self._room.release()
        return None
