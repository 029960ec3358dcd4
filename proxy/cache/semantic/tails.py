"""Partitions within one vector store: where a vector lies far from every vector of another partition.

Stores have no filter in common, so the partition is a part of the vector itself: behind what the text means stands
`REACH` times a direction of the partition's own. Two texts of one partition are at most 2 apart; two of different
partitions are further apart than that, whatever they say, but for a chance far below one in a million. So the nearest
are those of the same partition, and no partition can crowd another one out. What is found is looked at again all the
same: an entry opens for its own partition only.
"""

from hashlib import shake_256
from typing import Final

import numpy as np
from numpy.typing import NDArray

TAIL: Final = 32
"""How many numbers of a vector tell its partition."""
REACH: Final = 4.0


def tailed(vector: NDArray[np.float32], partition: bytes) -> NDArray[np.float32]:
    """The vector with its partition behind it."""
    bits = np.unpackbits(np.frombuffer(shake_256(partition).digest(TAIL // 8), dtype=np.uint8))
    tail = (bits.astype(np.float32) * 2 - 1) * np.float32(REACH / TAIL**0.5)
    return np.concatenate([vector, tail])
