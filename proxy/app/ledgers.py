"""Which ledger calls are held by, and what of the state is shared with other hosts."""

import hashlib
import sqlite3
from typing import Final

from proxy.budget import (
    CounterBook,
    Lead,
    Ledger,
    RebuildableBook,
    RedisSettings,
    SqliteCounterBook,
    SqliteLedger,
)
from proxy.config import Config
from proxy.core.clock import Clock
from proxy.core.ids import new_id
from proxy.core.secret import Secret
from proxy.ownership import Ownership, SqliteOwnership
from proxy.policy import ReleasedCalls, SqliteReleasedCalls
from proxy.routing import HealthStore, SqliteHealthStore
from proxy.state import Shared, StateFile

LOCAL: Final = frozenset(
    {"counters", "holds", "leases", "runs", "settled", "released_calls", "owned_objects", "target_health"}
)
"""Tables of the state file that are the SQLite ledger's, or stand in Redis where that is: nobody looks at them then."""
_MADE_HERE: Final = (
    "SELECT 1 FROM keys WHERE managed_by = 'api' LIMIT 1",
    "SELECT 1 FROM budgets WHERE managed_by = 'api' AND retired = 0 LIMIT 1",
    "SELECT 1 FROM admin_tokens LIMIT 1",
    "SELECT 1 FROM kill_switches WHERE lifted_ns IS NULL LIMIT 1",
    "SELECT 1 FROM policy_sets LIMIT 1",
    "SELECT 1 FROM closed_periods LIMIT 1",
    "SELECT 1 FROM billing_adjustments LIMIT 1",
)


def open_ledger(config: Config, state: StateFile, clock: Clock) -> Ledger:
    """The ledger that is configured; one in Redis connects with its first step."""
    settings = config.settings
    memory_s = settings.runs.remembered_days * 86_400
    if settings.ledger.redis is None:
        return SqliteLedger(state, clock=clock, settings=settings.holds, run_memory_s=memory_s)
    from proxy.budget import RedisLedger  # noqa: PLC0415 - `redis` is an optional dependency, and slow to import

    return RedisLedger(
        settings.ledger.redis.reveal(),
        clock=clock,
        settings=settings.holds,
        redis=_redis(settings.ledger),
        run_memory_s=memory_s,
    )


def counter_book(config: Config, state: StateFile) -> CounterBook:
    """The counters of that ledger, as people read and set them."""
    url = config.settings.ledger.redis
    if url is None:
        return SqliteCounterBook(state)
    from proxy.budget import RedisCounterBook  # noqa: PLC0415 - as above
    from proxy.state import Remote  # noqa: PLC0415 - as above

    return RedisCounterBook(Remote(url), config.settings.ledger.name)


def rebuildable_book(config: Config, state: StateFile) -> RebuildableBook:
    """The same counters, for who makes them anew."""
    url = config.settings.ledger.redis
    if url is None:
        return SqliteCounterBook(state)
    from proxy.budget import RedisCounterBook  # noqa: PLC0415 - as above
    from proxy.state import Remote  # noqa: PLC0415 - as above

    return RedisCounterBook(Remote(url), config.settings.ledger.name)


def shared_state(config: Config) -> Shared | None:
    """What this host's state file shares with others: all that people set, where the ledger is shared."""
    url = config.settings.ledger.redis
    if url is None:
        return None
    from proxy.state import RedisJournal, Remote  # noqa: PLC0415 - as above

    journal = RedisJournal(Remote(url), config.settings.ledger.name)
    return Shared(journal=journal, local=LOCAL, has_own=_has_own)


def released_calls(config: Config, state: StateFile) -> ReleasedCalls:
    """Where tool calls that were released are remembered: for this host, or for all that share its ledger."""
    settings = config.settings.ledger
    if settings.redis is None:
        return SqliteReleasedCalls(state)
    from proxy.policy import RedisReleasedCalls  # noqa: PLC0415 - as above
    from proxy.state import Remote  # noqa: PLC0415 - as above

    return RedisReleasedCalls(Remote(settings.redis), settings.name)


def ownership(config: Config, state: StateFile) -> Ownership:
    """Where it is kept whose an object at a provider is: for this host, or for all that share its ledger."""
    settings = config.settings.ledger
    if settings.redis is None:
        return SqliteOwnership(state, config.settings.ownership)
    from proxy.ownership import RedisOwnership  # noqa: PLC0415 - as above
    from proxy.state import Remote  # noqa: PLC0415 - as above

    return RedisOwnership(Remote(settings.redis), settings.name, config.settings.ownership)


def health_store(config: Config, state: StateFile, clock: Clock) -> HealthStore:
    """Where workers tell each other how well targets answer: those of this host, or of all that share its ledger."""
    settings = config.settings.ledger
    if settings.redis is None:
        return SqliteHealthStore(state, clock)
    from proxy.routing import RedisHealthStore  # noqa: PLC0415 - as above
    from proxy.state import Remote  # noqa: PLC0415 - as above

    return RedisHealthStore(Remote(settings.redis), settings.name)


def alert_lead(config: Config) -> Lead | None:
    """Which of the hosts that share a ledger raises and sends alerts; None where there is one host."""
    settings = config.settings.ledger
    if settings.redis is None:
        return None
    from proxy.budget import RedisLead  # noqa: PLC0415 - as above
    from proxy.state import Remote  # noqa: PLC0415 - as above

    return RedisLead(Remote(settings.redis), settings.name, "alerts", new_id("wrk"))


def same_key(url: Secret, name: str, what: str, key: bytes) -> bool:
    """Whether this host has the same key of a kind (`hash-key`, `body-key`) as those that share its ledger; the first
    one to come decides."""
    from proxy.state import RedisJournal, Remote  # noqa: PLC0415 - as above

    fingerprint = hashlib.sha256(f"flyball {what} ".encode() + key).hexdigest()[:16]
    remote = Remote(url)
    try:
        return RedisJournal(remote, name).pin(what, fingerprint) == fingerprint
    finally:
        remote.close()


def _has_own(connection: sqlite3.Connection) -> bool:
    return any(connection.execute(question).fetchone() is not None for question in _MADE_HERE)


def _redis(settings: RedisSettings) -> RedisSettings:
    return RedisSettings(
        name=settings.name,
        deadline_ms=settings.deadline_ms,
        patience_ms=settings.patience_ms,
        failures=settings.failures,
        pause_ms=settings.pause_ms,
    )
