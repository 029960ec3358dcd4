"""Vectors that a provider makes: they come with what is looked for, and are never made here."""

from collections import Counter
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from proxy.cache.semantic.embedding.embedder import Embedder, EmbedderAway
from proxy.cache.semantic.settings import EmbedderSettings


class RemoteModel:
    """See Embedder."""

    def __init__(self, settings: EmbedderSettings) -> None:
        self.settings = settings

    @property
    def name(self) -> str:
        """See Embedder."""
        return f"{self.settings.provider}/{self.settings.model}/{self.settings.dimension}"

    @property
    def dimension(self) -> int:
        """See Embedder."""
        return self.settings.dimension

    def embed(self, text: str) -> NDArray[np.float32]:
        """See Embedder: nobody here can."""
        raise EmbedderAway(f"{self.name} is asked by errands only")


def unit(numbers: list[float], dimension: int) -> NDArray[np.float32] | None:
    """A provider's vector at length one; None where it is not as long as it should be, or nothing."""
    vector = np.asarray(numbers, dtype=np.float32)
    length = float(np.linalg.norm(vector)) if vector.shape == (dimension,) else 0.0
    return np.asarray(vector / length, dtype=np.float32) if length > 0 and np.isfinite(length) else None


def alike_in_words(said: str, other: str) -> float:
    """How alike two answers are by the words in them, from 0 to 1: the cosine of their counts."""
    one, two = Counter(said.lower().split()), Counter(other.lower().split())
    length = sqrt(sum(count * count for count in one.values()) * sum(count * count for count in two.values()))
    return sum(count * two[word] for word, count in one.items()) / length if length else 0.0


_: type[Embedder] = RemoteModel
