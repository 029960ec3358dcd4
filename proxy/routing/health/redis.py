"""Reports on targets in the Redis that hosts share: one hash, forgotten a minute after its last report."""

from collections.abc import Sequence
from typing import Final

from proxy.routing.health.report import Told
from proxy.routing.health.store import KEPT_S, HealthStore, HealthUnavailable
from proxy.state import RedisAway, Remote

_EXCHANGE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] ~= '' then
    redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f:', now) .. ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local said = {}
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
    local stop = string.find(all[at + 1], ':', 1, true)
    local age = now - tonumber(string.sub(all[at + 1], 1, stop - 1))
    if age > tonumber(ARGV[3]) then
        redis.call('HDEL', KEYS[1], all[at])
    else
        said[#said + 1] = {all[at], string.format('%.0f', age), string.sub(all[at + 1], stop + 1)}
    end
end
return said
"""
"""Ages by Redis' own clock: those of hosts may differ."""


class RedisHealthStore:
    """See HealthStore."""

    def __init__(self, remote: Remote, name: str) -> None:
        """`name` is the ledger's: all its keys lie in one slot of a cluster."""
        self._remote = remote
        self._key = b"{%s}:health" % name.encode()

    def exchange(self, worker: str, report: bytes) -> Sequence[Told]:
        """See HealthStore."""
        try:
            said = self._remote.run(_EXCHANGE, [self._key], worker.encode(), report, int(KEPT_S * 1000))
        except RedisAway as error:
            raise HealthUnavailable(str(error)) from error
        return [Told(name.decode(), max(0, int(age)) / 1000, told) for name, age, told in said]

    def close(self) -> None:
        """See HealthStore."""
        self._remote.close()


_: type[HealthStore] = RedisHealthStore
