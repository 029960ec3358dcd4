"""The calls that a run was given, remembered for a day by what their ids come to when they are hashed."""

import hashlib
from collections.abc import Sequence
from typing import Final, Protocol

MOST_OF_A_RUN: Final = 512
"""Calls of one run that are remembered; the latest."""
MOST_OF_A_KEY: Final = 8192
"""The same for all calls of a key that name no run: many conversations are in them."""
KEPT_NS: Final = 86_400_000_000_000
_BYTES: Final = 16


class ReleasedUnavailable(Exception):
    """What was released can neither be noted nor asked for now."""


class ReleasedCalls(Protocol):
    """The memory of what was released. Its methods block, from any thread; each raises ReleasedUnavailable."""

    def note(self, run: bytes, calls: Sequence[bytes], now_ns: int, most: int = MOST_OF_A_RUN) -> None:
        """Remember that a run is being given these calls; returns when every worker would find them.

        Of the run's calls the latest `most` are remembered, or a few more.
        """
        ...

    def given(self, run: bytes, calls: Sequence[bytes], now_ns: int) -> frozenset[bytes]:
        """Those of these calls that the run was given."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def run_mark(org: str, key_id: str, run: str) -> bytes:
    """What a run is known by; calls that name no run are one run of their key."""
    return _mark(org, key_id, run)


def call_mark(name: str) -> bytes:
    """What the id of a call is known by."""
    return _mark(name)


def _mark(*parts: str) -> bytes:
    mark = hashlib.blake2b(digest_size=_BYTES)
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        mark.update(b"%d:" % len(encoded) + encoded)
    return mark.digest()
