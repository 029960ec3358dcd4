"""Redis for what may wait: admin changes and questions, from threads. Calls' steps have a link of their own."""

import threading
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import MovedError, NoScriptError, RedisError
from redis.retry import Retry

from proxy.core.secret import Secret

_TIMEOUT_S: Final = 2.0
_HOPS: Final = 4


class RedisAway(Exception):
    """Redis did not answer, or refused; whether the command was carried out is not known."""


class Remote:
    """A Redis that answers within 2 s or not at all; made cheap, connected when it is asked, safe for threads.

    All keys asked for lie in one slot, so it follows a cluster's MOVED for all of them at once.
    """

    def __init__(self, url: Secret) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._client: redis.Redis | None = None
        self._texts: dict[bytes, bytes] = {}

    @property
    def shown(self) -> str:
        """Where it is, without what is secret."""
        return shown_url(self._url.reveal())

    def ask(self, *command: Any) -> Any:
        """One command; replies are bytes, numbers or lists of them.

        Raises:
            RedisAway: no answer, or an error.
        """
        (reply,) = self.ask_all([command])
        return reply

    def ask_all(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Several commands in one write, not as one transaction; replies in their order."""
        try:
            for _ in range(_HOPS):
                try:
                    with self._connected().pipeline(transaction=False) as pipe:
                        for command in commands:
                            pipe.execute_command(*command)  # type: ignore[no-untyped-call]
                        return list(pipe.execute())
                except MovedError as moved:
                    self._follow(moved)
        except (RedisError, OSError) as error:
            self.close()
            raise RedisAway(f"{self.shown}: {error}") from error
        raise RedisAway(f"{self.shown}: moved from node to node")

    def run(self, script: str, keys: Sequence[bytes], *arguments: Any) -> Any:
        """A script, atomic."""
        for _ in range(_HOPS):
            try:
                return self._connected().eval(script, len(keys), *keys, *arguments)
            except MovedError as moved:
                self._follow(moved)
            except NoScriptError:
                continue
            except (RedisError, OSError) as error:
                self.close()
                raise RedisAway(f"{self.shown}: {error}") from error
        raise RedisAway(f"{self.shown}: moved from node to node")

    def close(self) -> None:
        """Let go of the connections; the next question makes new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> redis.Redis:
        with self._lock:
            if self._client is None:
                # Once more at once: a connection of before a restart shows only when it is used.
                self._client = redis.Redis.from_url(
                    self._url.reveal(),
                    socket_timeout=_TIMEOUT_S,
                    socket_connect_timeout=_TIMEOUT_S,
                    protocol=2,
                    retry=Retry(NoBackoff(), 1),
                )
            return self._client

    def _follow(self, moved: MovedError) -> None:
        with self._lock:
            old = self._client
            options = {} if old is None else dict(old.connection_pool.connection_kwargs)
            options.pop("path", None)
            kind = redis.Connection if old is None else old.connection_pool.connection_class
            if kind is redis.UnixDomainSocketConnection:
                kind = redis.Connection
            pool = redis.ConnectionPool(connection_class=kind, **{**options, "host": moved.host, "port": moved.port})
            self._client = redis.Redis(connection_pool=pool)


def shown_url(url: str) -> str:
    """A URL without user, password and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
