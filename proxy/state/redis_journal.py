"""The journal of the admin state in Redis, beside the ledger and under its name."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from proxy.state.faults import StateAway, StateBusy
from proxy.state.journal import Journal, JournalMoved, News, Place
from proxy.state.remote import RedisAway, Remote

_TURN_MS: Final = 10_000
_WAIT_S: Final = 3.0
_PAUSE_S: Final = 0.01
_AT_ONCE: Final = 500

_NEWS: Final = """
local meta = redis.call('HMGET', KEYS[1], 'id', 'head', 'base', 'from_id', 'from_position')
if not meta[1] then return {} end
local entries = {}
if meta[1] == ARGV[1] then
  for _, each in ipairs(redis.call('XRANGE', KEYS[2], '(' .. ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])) do
    entries[#entries + 1] = each[2][2]
  end
end
return {meta[1], meta[2], meta[3], meta[4], meta[5], entries}
"""
_BEGIN: Final = """
local meta = redis.call('HMGET', KEYS[1], 'id', 'head')
if meta[1] and (meta[1] ~= ARGV[3] or tonumber(meta[2]) >= tonumber(ARGV[4])) then return 0 end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'head', '0', 'base', '0', 'from_id', ARGV[3], 'from_position', ARGV[4])
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[3], ARGV[2])
return 1
"""
_APPEND: Final = """
local meta = redis.call('HMGET', KEYS[1], 'id', 'head')
if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] then return 0 end
local position = redis.call('HINCRBY', KEYS[1], 'head', 1)
redis.call('XADD', KEYS[2], string.format('%.0f-0', position), 'entry', ARGV[3])
return position
"""
_COMPACT: Final = """
local meta = redis.call('HMGET', KEYS[1], 'id', 'head', 'base')
if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] then
  redis.call('UNLINK', KEYS[3])
  return 0
end
redis.call('HSET', KEYS[1], 'base', ARGV[2])
redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f-0', tonumber(ARGV[2]) + 1))
redis.call('UNLINK', ARGV[3] .. meta[3])
return 1
"""
_GIVE_BACK: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""


class RedisJournal:
    """A stream of entries `1-0`, `2-0`, … whose end is compared before each is added."""

    def __init__(self, remote: Remote, name: str) -> None:
        self._remote = remote
        self.tag: Final = b"{%s}:journal" % name.encode()
        self._meta = self.tag
        self._entries = self.tag + b":entries"
        self._snapshots = self.tag + b":snapshot:"
        self._turn = self.tag + b":turn"

    @contextmanager
    def turn(self) -> Iterator[None]:
        """See Journal.turn."""
        token, until = secrets.token_hex(8), time.monotonic() + _WAIT_S
        while self._ask("SET", self._turn, token, "NX", "PX", _TURN_MS) is None:
            if time.monotonic() >= until:
                raise StateBusy("another host has been changing the shared admin state for seconds")
            time.sleep(_PAUSE_S)
        try:
            yield
        finally:
            with suppress(StateAway):  # it ends by itself, and what was changed has been
                self._run(_GIVE_BACK, [self._turn], token)

    def pin(self, name: str, value: str) -> str:
        """What all hosts must agree on: the value of whoever said it first."""
        key = self._meta + b":pins"
        self._ask("HSETNX", key, name, value)
        found: bytes = self._ask("HGET", key, name)
        return found.decode()

    def news(self, place: Place) -> News | None:
        """See Journal.news."""
        reply = self._run(_NEWS, [self._meta, self._entries], place.journal, place.position, _AT_ONCE)
        if not reply:
            return None
        journal, head, base, from_id, from_position, entries = reply
        came_from = Place(from_id.decode(), int(from_position))
        return News(journal.decode(), int(head), int(base), entries, came_from)

    def begin(self, dump: bytes, came_from: Place) -> Place | None:
        """See Journal.begin."""
        keys, journal = [self._meta, self._entries, self._snapshots + b"0"], secrets.token_hex(8)
        return Place(journal, 0) if self._run(_BEGIN, keys, journal, dump, *came_from) else None

    def append(self, place: Place, entry: bytes) -> int:
        """See Journal.append."""
        position = int(self._run(_APPEND, [self._meta, self._entries], *place, entry))
        if not position:
            raise JournalMoved
        return position

    def snapshot(self, journal: str, base: int) -> bytes | None:
        """See Journal.snapshot."""
        found: bytes | None = self._ask("GET", self._snapshots + b"%d" % base)
        return found

    def compact(self, place: Place, dump: bytes) -> None:
        """See Journal.compact."""
        key = self._snapshots + b"%d" % place.position
        # Large, so not an argument of the script: while a script runs, no call is held.
        self._ask("SET", key, dump)
        self._run(_COMPACT, [self._meta, self._entries, key], *place, self._snapshots)

    def _ask(self, *command: Any) -> Any:
        try:
            return self._remote.ask(*command)
        except RedisAway as away:
            raise StateAway(f"the shared admin state cannot be reached: {away}") from away

    def _run(self, script: str, keys: list[bytes], *arguments: Any) -> Any:
        try:
            return self._remote.run(script, keys, *arguments)
        except RedisAway as away:
            raise StateAway(f"the shared admin state cannot be reached: {away}") from away


_: type[Journal] = RedisJournal
