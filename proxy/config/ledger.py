"""`ledger:` in flyball.yaml: where money is counted, and what can be wrong with saying so."""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from proxy.budget import RedisSettings
from proxy.core.secret import Secret

_SCHEMES: Final = ("redis", "rediss", "unix")


@dataclass(frozen=True, kw_only=True)
class LedgerSettings(RedisSettings):
    """Where budgets are kept; all but `on_failure` is about Redis."""

    url: str | Secret | None = field(
        default=None,
        repr=False,
        metadata={
            "doc": "Unset keeps the ledger and the admin state in SQLite, for one host. A Redis 7 or newer "
            "(redis://host:6379, rediss://…, unix:///path) keeps them for all hosts that name it. One with a password "
            "stands in url_env or url_file."
        },
    )
    require_aof: bool = field(
        default=False, metadata={"doc": "Whether a Redis without `appendonly yes` is refused, rather than warned of."}
    )
    start_wait_s: int = field(
        default=60,
        metadata={"doc": "Seconds for which a start waits for a Redis that does not answer, before it ends."},
    )
    on_failure: Literal["closed"] = field(
        default="closed",
        metadata={"doc": "Calls are answered 503 while the ledger cannot be reached; nothing else is available yet."},
    )

    @property
    def redis(self) -> Secret | None:
        """The URL of the Redis that several hosts share; None for the SQLite of one host."""
        return Secret(self.url) if isinstance(self.url, str) else self.url


def ledger_contradictions(settings: LedgerSettings, place: str) -> Iterator[tuple[str, str]]:
    """What is wrong with it, never repeating the URL; `place` is where `ledger.url` stands."""
    if settings.redis is None:
        return
    parts = urlsplit(settings.redis.reveal())
    if parts.scheme not in _SCHEMES:
        yield "ledger.url", "must begin with redis://, rediss:// or unix://"
        return
    in_file = isinstance(settings.url, str) and not place.startswith("environment ")
    if in_file and (parts.password or "password" in parts.query):
        yield "ledger.url", "has a password in it, which must not stand in a file; use url_env or url_file"
    if importlib.util.find_spec("redis") is None:
        yield "ledger.url", "needs the `redis` package: install flyball[redis]"
