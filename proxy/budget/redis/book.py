"""The counters of the Redis ledger, read and set by the admin side, over a connection that may wait."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from proxy.budget.counter_book import Counted, CounterBook, Fullest, Stretch
from proxy.budget.ledger import LedgerUnavailable
from proxy.budget.rebuild import RebuildableBook, Totals
from proxy.budget.redis.keys import Keys
from proxy.budget.redis.scripts import Script
from proxy.core.money import ZERO, Nano
from proxy.state import RedisAway, Remote

_AT_ONCE: Final = 500
_REBUILT: Final = b"rebuilt"
"""No counter's: those have a NUL in their names."""
_NS: Final = 1_000_000_000

_RESTORE: Final = Script("restore")
_OPEN: Final = """
-- KEYS: counters, windows, ends. ARGV: counter, amount, end in seconds ('' if never).
local was = redis.call('HGET', KEYS[1], ARGV[1] .. '\\0p') or '0'
if was ~= ARGV[2] then
  if was ~= '0' then redis.call('HINCRBY', KEYS[1], ARGV[1] .. '\\0s', '-' .. was) end
  redis.call('HINCRBY', KEYS[1], ARGV[1] .. '\\0s', ARGV[2])
  redis.call('HSET', KEYS[1], ARGV[1] .. '\\0p', ARGV[2])
end
redis.call('HSETNX', KEYS[1], ARGV[1] .. '\\0h', '0')
redis.call('ZADD', KEYS[2], 0, ARGV[1])
if ARGV[3] ~= '' then redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1]) end
return 1
"""
_ERASE: Final = """
-- KEYS: counters, windows, ends. ARGV: first and last name, most. Answers how many were there.
local found = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
for _, name in ipairs(found) do
  redis.call('HDEL', KEYS[1], name .. '\\0s', name .. '\\0h', name .. '\\0o', name .. '\\0p')
  redis.call('ZREM', KEYS[2], name)
  redis.call('ZREM', KEYS[3], name)
end
return #found
"""


class RedisCounterBook:
    """Counters under the ledger's name. A row of one is read as a whole, rows one after another."""

    def __init__(self, remote: Remote, name: str) -> None:
        self._remote = remote
        self._keys = Keys(name)
        self._all = [self._keys.counters, self._keys.windows, self._keys.ends]

    def open(self, counter: str, window: str, amount: Nano, *, kept_until_ns: int | None) -> None:
        """See CounterBook.open."""
        name = b"%s\0%s" % (counter.encode(), window.encode())
        kept_until_s: Any = b"" if kept_until_ns is None else kept_until_ns // _NS
        self._run(_OPEN, name, int(amount), kept_until_s)

    def erase(self, budget: str) -> None:
        """See CounterBook.erase. Many counters go a thousand at a time, so that calls are held between."""
        name = budget.encode()
        # "0" is the sign after "/": the counters of all scopes that a pattern stands for.
        for first, end in ((b"[%s\0" % name, b"(%s\1" % name), (b"[%s/" % name, b"(%s0" % name)):
            while self._run(_ERASE, first, end, _AT_ONCE) == _AT_ONCE:
                pass

    def counted(self, asked: Sequence[Stretch]) -> tuple[Counted, ...]:
        """See CounterBook.counted."""
        windows = self._ask(
            [
                (
                    b"ZRANGEBYLEX",
                    self._keys.windows,
                    b"[%s\0%s" % (each.counter.encode(), each.oldest.encode()),
                    b"[%s\0%s" % (each.counter.encode(), each.newest.encode()),
                )
                for each in asked
            ]
        )
        figures = iter(self._figures([name for names in windows for name in names]))
        return tuple(_sum([next(figures) for _ in names]) for names in windows)

    def fullest(self, asked: Stretch, most: int) -> Fullest:
        """See CounterBook.fullest. Reads every counter of the pattern."""
        oldest, newest = asked.oldest.encode(), asked.newest.encode()
        names = [name for name in self._names(asked.counter.encode()) if oldest <= name.partition(b"\0")[2] <= newest]
        each: defaultdict[str, list[Counted]] = defaultdict(list)
        for name, figures in zip(names, self._figures(names), strict=True):
            each[name.partition(b"\0")[0].decode()].append(figures)
        summed = [(counter, _sum(figures)) for counter, figures in each.items()]
        summed.sort(key=lambda found: (-found[1].spent - found[1].held, found[0]))
        return Fullest(len(summed), tuple(summed[:most]))

    def is_rebuilt(self) -> bool:
        """See RebuildableBook.is_rebuilt."""
        (found,) = self._ask([(b"HEXISTS", self._keys.counters, _REBUILT)])
        return bool(found)

    def restore(self, totals: Totals, *, exactly: bool = False) -> None:
        """See RebuildableBook.restore. Some hundred at a time, so that others are served between."""
        every = list(totals.items())
        for at in range(0, len(every), _AT_ONCE):
            arguments: list[Any] = [int(exactly)]
            for (counter, window), total in every[at : at + _AT_ONCE]:
                kept_until_s: Any = b"" if total.kept_until_ns is None else total.kept_until_ns // _NS
                arguments += (b"%s\0%s" % (counter.encode(), window.encode()), int(total.spent), int(total.opening))
                arguments.append(kept_until_s)
            self._run(_RESTORE.text.decode(), *arguments)

    def mark_rebuilt(self) -> None:
        """See RebuildableBook.mark_rebuilt. The mark lies in the hash of the counters, and goes with it."""
        self._ask([(b"HSET", self._keys.counters, _REBUILT, b"1")])

    def _names(self, budget: bytes) -> Iterator[bytes]:
        """The counters of all scopes of a pattern, in parts."""
        first, end = b"[%s/" % budget, b"(%s0" % budget
        while True:
            (part,) = self._ask([(b"ZRANGEBYLEX", self._keys.windows, first, end, b"LIMIT", 0, _AT_ONCE)])
            yield from part
            if len(part) < _AT_ONCE:
                return
            first = b"(" + part[-1]

    def _figures(self, names: Sequence[bytes]) -> list[Counted]:
        found: list[Counted] = []
        for at in range(0, len(names), _AT_ONCE):
            fields = [name + mark for name in names[at : at + _AT_ONCE] for mark in (b"\0s", b"\0h", b"\0o")]
            (values,) = self._ask([(b"HMGET", self._keys.counters, *fields)])
            numbers = [Nano(int(value or 0)) for value in values]
            found += [Counted(*numbers[first : first + 3]) for first in range(0, len(numbers), 3)]
        return found

    def _ask(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        if not commands:
            return []
        try:
            return self._remote.ask_all(commands)
        except RedisAway as away:
            raise LedgerUnavailable(str(away)) from away

    def _run(self, script: str, *arguments: Any) -> Any:
        try:
            return self._remote.run(script, self._all, *arguments)
        except RedisAway as away:
            raise LedgerUnavailable(str(away)) from away


def _sum(figures: Sequence[Counted]) -> Counted:
    if not figures:
        return Counted(ZERO, ZERO, ZERO)
    return Counted(*[Nano(sum(column)) for column in zip(*figures, strict=True)])


_: type[CounterBook] = RedisCounterBook
__: type[RebuildableBook] = RedisCounterBook
