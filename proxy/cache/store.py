"""Where sealed answers are kept."""

from typing import Protocol


class StoreAway(Exception):
    """The store did not answer in time, or refused; whoever asked goes on without it."""


class AnswerStore(Protocol):
    """Sealed answers by the keys of their requests. Each method may raise StoreAway.

    Where workers share a store one of them claims a request, and asks a provider; the others wait for what it keeps.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other workers keep theirs in it too."""
        ...

    async def find(self, key: bytes, now_ns: int) -> bytes | None:
        """What is kept under a key and is still fresh."""
        ...

    async def put(self, key: bytes, sealed: bytes, now_ns: int, until_ns: int) -> bool:
        """Keep it until then, in the place of what was there; whether it was kept: one too large is not."""
        ...

    async def drop(self, key: bytes) -> None:
        """Keep nothing under a key."""
        ...

    async def claim(self, key: bytes, token: bytes, for_s: float) -> bool:
        """Be the one who asks for this request, for so long; false where another is."""
        ...

    async def is_claimed(self, key: bytes) -> bool:
        """Whether anybody asks for this request."""
        ...

    async def renew(self, key: bytes, token: bytes, for_s: float) -> None:
        """Hold a claim for so long from now, where it still is this token's."""
        ...

    async def resign(self, key: bytes, token: bytes) -> None:
        """Give a claim back, where it still is this token's."""
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...
