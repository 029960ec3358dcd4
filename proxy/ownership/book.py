"""What is kept of an object at a provider: whose it is, where it is, and what is still to be paid for it."""

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

LONGEST_ID = 512


class OwnershipUnavailable(Exception):
    """Whose an object is can neither be noted nor asked for now."""


class Kept(Struct, frozen=True, kw_only=True):
    """One object that was made through us.

    `kind` is what it is (`file`, `batch`, `response`), `made_ns` when it was made, in nanoseconds since 1970. `due`
    says what of its work is not paid for yet: the operation that holds the money, and what must be known to bill it, as
    the journey wrote it; empty where nothing is due.
    """

    id: str
    provider: str
    org: str
    team: str = ""
    key_id: str = ""
    kind: str = ""
    made_ns: int = 0
    due: bytes = b""


class Ownership(Protocol):
    """The records. Its methods block, from any thread; each raises OwnershipUnavailable.

    An id means an object together with its provider. Who made it first owns it: nobody can take it over by naming it.
    """

    def note(self, kept: Sequence[Kept]) -> None:
        """Remember objects; returns when every worker would find them. One that is known already stays as it is, but
        for `due`, which is taken over from a record of the same org that has one."""
        ...

    def find(self, org: str, ids: Collection[str], now_ns: int) -> dict[str, Kept]:
        """Those of the ids that are an org's, by id; another org's are as if they had never been."""
        ...

    def count(self, org: str, provider: str, kind: str) -> int:
        """How many objects of a kind an org has at a provider."""
        ...

    def take_due(self, kept: Kept) -> bytes:
        """What is due for an object, given to the first who asks only; empty for everybody else."""
        ...

    def forget(self, org: str, provider: str, id: str) -> None:
        """The object is no more; what is due for it is still found by `dues`."""
        ...

    def dues(self, now_ns: int, most: int, again_ns: int) -> list[Kept]:
        """Objects that have something due and were not looked at since `again_ns` before now, the longest unseen first;
        they count as looked at now, so that of many who ask each gets others."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...
