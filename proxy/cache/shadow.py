"""Which requests were answered before: hashes only, for saying what a cache would have saved."""

from collections.abc import Callable
from typing import Final

ENTRY_BYTES: Final = 256
"""What one hash takes in memory with its moment and its place in two tables, rounded up."""


class ShadowBook:
    """Keys of requests and until when their answers would be fresh; bounded, forgetting the oldest half at a time."""

    def __init__(self, max_bytes: int) -> None:
        self._half = max(1, max_bytes // ENTRY_BYTES // 2)
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}
        self._judged: dict[bytes, bool] = {}

    def is_fresh(self, key: bytes, now_ns: int) -> bool:
        """Whether the request of this key was answered, and its answer would still be served."""
        until_ns = self._young.get(key) or self._old.get(key)
        return until_ns is not None and now_ns < until_ns

    def note(self, key: bytes, until_ns: int) -> None:
        """The request of this key was answered in a way that a cache would have kept, until then."""
        young = self._young
        young[key] = until_ns
        if len(young) > self._half:
            self._old, self._young = young, {}

    def may_be_kept(self, key: bytes, judge: Callable[[], bool]) -> bool:
        """Whether a cache may have the request of this key at all; `judge`, who has to read it, is asked once."""
        judged = self._judged
        verdict = judged.get(key)
        if verdict is None:
            if len(judged) >= self._half:
                judged.clear()
            verdict = judged[key] = judge()
        return verdict

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
