"""What is asked of the ledger without changing money: open holds and where lines stand."""

from collections.abc import Sequence
from typing import Any, Final

from proxy.budget.ledger import Balance, HoldLine, Lapsed
from proxy.budget.redis.keys import Keys, counter_of, oldest_of
from proxy.budget.redis.scripts import BALANCES, LAPSED
from proxy.budget.redis.steps import Scripted, Step, balances_of, pack
from proxy.core.money import Nano

MOST_NAMED: Final = 256
_WORKERS_KEPT_NS: Final = 86_400 * 1_000_000_000


class Ended(Scripted[tuple[int, list[str]]]):
    """Name the holds of workers whose leases have ended, and the instant compared with by the server's clock."""

    __slots__ = ("_instant_ns", "_keys", "_now_ns")

    script = LAPSED

    def __init__(self, keys: Keys, instant_ns: int, now_ns: int) -> None:
        super().__init__()
        self._keys = keys
        self._instant_ns = instant_ns
        self._now_ns = now_ns

    def touched(self) -> list[bytes]:
        """See lapsed.lua."""
        return [self._keys.workers, self._keys.owners]

    def arguments(self) -> list[bytes]:
        """See lapsed.lua."""
        return [b"%d" % each for each in (self._instant_ns, self._now_ns, MOST_NAMED, _WORKERS_KEPT_NS)]

    def read(self, reply: Any) -> tuple[int, list[str]]:
        """The instant, then operations."""
        return int(reply[0]), [each.decode() for each in reply[1:]]


class Owned(Step[list[str]]):
    """Name the open holds of one worker."""

    __slots__ = ("_keys", "_worker")

    def __init__(self, keys: Keys, worker: str) -> None:
        super().__init__()
        self._keys = keys
        self._worker = worker.encode()

    def touched(self) -> list[bytes]:
        """Who owns what."""
        return [self._keys.owners]

    def packed(self, *, in_full: bool = False) -> bytes:
        """A range by name: ids sort by the time they were made."""
        first, end = b"[%s\0" % self._worker, b"(%s\1" % self._worker
        return pack([b"ZRANGEBYLEX", self._keys.owners, first, end, b"LIMIT", b"0", b"%d" % MOST_NAMED])

    def read(self, reply: Any) -> list[str]:
        """Operations."""
        return [each[len(self._worker) + 1 :].decode() for each in reply]


class Look(Step[tuple[int, Lapsed] | None]):
    """Read one hold: the end of its own lease by the server's clock, and what it says; None when it has gone."""

    __slots__ = ("_keys", "_operation")

    def __init__(self, keys: Keys, operation: str) -> None:
        super().__init__()
        self._keys = keys
        self._operation = operation

    def touched(self) -> list[bytes]:
        """The hold."""
        return [self._keys.hold(self._operation)]

    def packed(self, *, in_full: bool = False) -> bytes:
        """Its fields."""
        return pack([b"HMGET", *self.touched(), b"lease", b"worker", b"phase", b"amount", b"charged", b"record"])

    def read(self, reply: Any) -> tuple[int, Lapsed] | None:
        """The hold, if it is still there."""
        lease, worker, phase, amount, charged_at, record = reply
        if worker is None:
            return None
        return int(lease), Lapsed(
            self._operation,
            worker.decode(),
            "dispatched" if phase == b"1" else "held",
            Nano(int(amount)),
            int(charged_at),
            record,
        )


class Balances(Scripted[list[Balance]]):
    """Where lines stand."""

    __slots__ = ("_keys", "_lines")

    script = BALANCES

    def __init__(self, keys: Keys, lines: Sequence[HoldLine]) -> None:
        super().__init__()
        self._keys = keys
        self._lines = lines

    def touched(self) -> list[bytes]:
        """See balances.lua."""
        return [self._keys.counters, self._keys.windows]

    def arguments(self) -> list[bytes]:
        """See balances.lua."""
        return [each for line in self._lines for each in (counter_of(line), oldest_of(line))]

    def read(self, reply: Any) -> list[Balance]:
        """In the order of the lines."""
        return list(balances_of(self._lines, reply.split(), None))
