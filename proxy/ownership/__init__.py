"""Ownership: whose the objects are that providers keep, such as files, batches and stored responses (DESIGN §4)."""

from typing import TYPE_CHECKING

from proxy.ownership.book import Kept, Ownership, OwnershipUnavailable
from proxy.ownership.settings import OwnershipSettings
from proxy.ownership.sqlite import SqliteOwnership

if TYPE_CHECKING:
    from proxy.ownership.redis import RedisOwnership as RedisOwnership
else:

    def __getattr__(name: str) -> object:
        """`RedisOwnership`, when first asked for: `redis` is an optional dependency."""
        if name != "RedisOwnership":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from proxy.ownership.redis import RedisOwnership  # noqa: PLC0415 - see above

        return RedisOwnership


__all__ = ["Kept", "Ownership", "OwnershipSettings", "OwnershipUnavailable", "RedisOwnership", "SqliteOwnership"]
