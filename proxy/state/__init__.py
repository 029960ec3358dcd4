"""The one SQLite file of a host: budgets, ledger, keys and admin tokens live in it, each room in tables of its own.

Where several hosts share it (docs/adr/007), its changes go through a journal that all of them follow.
"""

from typing import TYPE_CHECKING

from proxy.state.faults import StateAway, StateBusy
from proxy.state.faults import StateForeign as StateForeign
from proxy.state.file import Checkpoint, StateFile, is_busy
from proxy.state.following import Shared as Shared
from proxy.state.migrations import StateTooNew, migrate

if TYPE_CHECKING:
    from proxy.state.redis_journal import RedisJournal as RedisJournal
    from proxy.state.remote import RedisAway as RedisAway
    from proxy.state.remote import Remote as Remote
else:

    def __getattr__(name: str) -> object:
        """`RedisJournal`, `Remote` and `RedisAway`, when first asked for: `redis` is an optional dependency."""
        if name not in ("RedisJournal", "Remote", "RedisAway"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from proxy.state import redis_journal, remote  # noqa: PLC0415 - see above

        return getattr(redis_journal if name == "RedisJournal" else remote, name)


__all__ = ["Checkpoint", "StateAway", "StateBusy", "StateFile", "StateTooNew", "is_busy", "migrate"]
