"""What makes vectors."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class EmbedderAway(Exception):
    """There is no vector: what makes them is missing, broken or has refused."""


class Embedder(Protocol):
    """Makes vectors of texts. `name` tells models apart whose vectors cannot be compared."""

    @property
    def name(self) -> str:
        """The model and its version."""
        ...

    @property
    def dimension(self) -> int:
        """How long its vectors are."""
        ...

    def embed(self, text: str) -> NDArray[np.float32]:
        """The vector of a text, of length one. Blocks; raises EmbedderAway."""
        ...
