"""Released calls in the Redis that hosts share: one sorted set per run, forgotten a day after its last call."""

from collections.abc import Sequence
from typing import Any, Final

from proxy.policy.released.book import KEPT_NS, MOST_OF_A_RUN, ReleasedCalls, ReleasedUnavailable
from proxy.state import RedisAway, Remote

_MS: Final = 1_000_000


class RedisReleasedCalls:
    """See ReleasedCalls."""

    def __init__(self, remote: Remote, name: str) -> None:
        """`name` is the ledger's: all its keys lie in one slot of a cluster."""
        self._remote = remote
        self._prefix = b"{%s}:released:" % name.encode()

    def note(self, run: bytes, calls: Sequence[bytes], now_ns: int, most: int = MOST_OF_A_RUN) -> None:
        """See ReleasedCalls."""
        key, at = self._key(run), now_ns // _MS
        members = [each for call in calls for each in (at, call)]
        self._ask(
            [
                ("ZADD", key, *members),
                ("ZREMRANGEBYRANK", key, 0, -most - 1),
                ("PEXPIRE", key, KEPT_NS // _MS),
            ]
        )

    def given(self, run: bytes, calls: Sequence[bytes], now_ns: int) -> frozenset[bytes]:
        """See ReleasedCalls."""
        key, since = self._key(run), (now_ns - KEPT_NS) // _MS
        told = self._ask([("ZSCORE", key, call) for call in calls])
        return frozenset(call for call, at in zip(calls, told, strict=True) if at is not None and float(at) > since)

    def close(self) -> None:
        """See ReleasedCalls."""
        self._remote.close()

    def _key(self, run: bytes) -> bytes:
        return self._prefix + run.hex().encode()

    def _ask(self, commands: Sequence[Sequence[object]]) -> list[Any]:
        try:
            return self._remote.ask_all(commands)
        except RedisAway as error:
            raise ReleasedUnavailable(str(error)) from error


_: type[ReleasedCalls] = RedisReleasedCalls
