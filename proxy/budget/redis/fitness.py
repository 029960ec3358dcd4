"""Whether a Redis is fit to keep a ledger: looked at once, before anything is served from it."""

from dataclasses import dataclass
from typing import Final

from proxy.budget.ledger import LedgerUnavailable
from proxy.state import RedisAway, Remote

_OLDEST: Final = 7
_KEEPS: Final = "noeviction"


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """What was found: `unfit` says why it must not be used, `warnings` what can be lost with it."""

    version: str
    unfit: tuple[str, ...]
    warnings: tuple[str, ...]


def examined(remote: Remote, *, require_aof: bool) -> Examined:
    """Look at a Redis; waits for 2 s at most.

    Raises:
        LedgerUnavailable: it does not answer, or not to us.
    """
    try:
        parts = remote.ask_all([("INFO", part) for part in ("server", "memory", "persistence", "replication")])
    except RedisAway as away:
        raise LedgerUnavailable(str(away)) from away
    facts = {name: str(value) for part in parts for name, value in part.items()}
    version = facts.get("redis_version", "")
    unfit: list[str] = []
    warnings: list[str] = []
    if not version.partition(".")[0].isdigit() or int(version.partition(".")[0]) < _OLDEST:
        unfit.append(f"it is version {version or 'unknown'}; the ledger needs Redis {_OLDEST} or newer")
    policy = facts.get("maxmemory_policy", _KEEPS)
    if policy != _KEEPS:
        unfit.append(
            f"its maxmemory-policy is {policy}, under which it may forget money; set maxmemory-policy to {_KEEPS}"
        )
    if facts.get("role") == "slave":
        unfit.append("it is a read-only replica; name its master in ledger.url")
    if facts.get("aof_enabled", "1") != "1":
        lost = (
            "its appendonly is off: when it restarts, what budgets have spent since its last snapshot is forgotten, "
            "with open holds and changed keys; set appendonly to yes"
        )
        (unfit if require_aof else warnings).append(lost)
    return Examined(version=version, unfit=tuple(unfit), warnings=tuple(warnings))
