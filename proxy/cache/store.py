"""Where sealed answers are kept."""

from typing import Protocol


class StoreAway(Exception):
    """The store did not answer in time, or refused; whoever asked goes on without it."""


class AnswerStore(Protocol):
    """Sealed answers by the keys of their requests. Each method may raise StoreAway."""

    async def find(self, key: bytes, now_ns: int) -> bytes | None:
        """What is kept under a key and is still fresh."""
        ...

    async def put(self, key: bytes, sealed: bytes, now_ns: int, until_ns: int) -> bool:
        """Keep it until then, in the place of what was there; whether it was kept: one too large is not."""
        ...

    async def drop(self, key: bytes) -> None:
        """Keep nothing under a key."""
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...
