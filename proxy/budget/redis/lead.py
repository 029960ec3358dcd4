"""Which of the hosts that share a ledger does what only one of them may: a lease in Redis."""

from typing import Final

from proxy.state import Remote

_LEASE_MS: Final = 10_000
_TAKE: Final = """
-- KEYS: the lease. ARGV: who asks, milliseconds.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""


class RedisLead:
    """A lease of ten seconds that its holder keeps by asking, and anyone may have once it has lapsed."""

    def __init__(self, remote: Remote, name: str, what: str, host: str) -> None:
        """`name` is the ledger's, `what` the thing that one host does, `host` an id of this process."""
        self._remote = remote
        self._key = b"{%s}:lead:%s" % (name.encode(), what.encode())
        self._host = host.encode()

    def is_ours(self) -> bool:
        """Whether it is this one's, for the next seconds.

        Raises:
            RedisAway: nobody can tell.
        """
        return bool(self._remote.run(_TAKE, [self._key], self._host, _LEASE_MS) == 1)
