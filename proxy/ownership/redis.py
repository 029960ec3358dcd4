"""Ownership records in the Redis that hosts share: one hash per id, a field per provider that knows it.

Beside it a sorted set per org, provider and kind, by age, and one of all that have something due, by when it was last
looked at. All keys lie in the ledger's slot of a cluster.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from proxy.ownership.book import Kept, Ownership, OwnershipUnavailable
from proxy.ownership.settings import OwnershipSettings
from proxy.state import RedisAway, Remote

_MS: Final = 1_000_000
_DAY_MS: Final = 86_400_000
_AT_ONCE: Final = 256
_DUE: Final = b"\0due"
"""What the field of something due is called, behind its provider's name."""

_NOTE: Final = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held then
  if cjson.decode(held).org ~= ARGV[3] then return 0 end
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[4] - ARGV[6])
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[8])
  redis.call('PEXPIRE', KEYS[2], ARGV[6])
  local over = redis.call('ZCARD', KEYS[2]) - ARGV[7]
  if over > 0 then
    for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do
      redis.call('HDEL', ARGV[9] .. id, ARGV[1])
      redis.call('ZREM', KEYS[2], id)
    end
  end
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1] .. '\\0due', ARGV[5])
  redis.call('ZADD', KEYS[3], 0, ARGV[1] .. '\\0' .. ARGV[8])
end
return 1
"""
_TAKE: Final = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held or cjson.decode(held).org ~= ARGV[2] then return '' end
local due = redis.call('HGET', KEYS[1], ARGV[1] .. '\\0due')
redis.call('HDEL', KEYS[1], ARGV[1] .. '\\0due')
redis.call('ZREM', KEYS[2], ARGV[3])
if cjson.decode(held).gone then redis.call('HDEL', KEYS[1], ARGV[1]) end
return due or ''
"""
_FORGET: Final = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if not held then return 0 end
local kept = cjson.decode(held)
if kept.org ~= ARGV[2] then return 0 end
redis.call('ZREM', ARGV[4] .. kept.kind, ARGV[3])
if redis.call('HEXISTS', KEYS[1], ARGV[1] .. '\\0due') == 1 then
  kept.gone = true
  redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(kept))
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
"""
_DUES: Final = """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, member in ipairs(found) do redis.call('ZADD', KEYS[1], 'XX', ARGV[3], member) end
return found
"""


class _Value(msgspec.Struct, omit_defaults=True):
    """What stands in a hash; `made_ms` is a text, for scripts know numbers of 53 bits only."""

    org: str
    team: str
    key_id: str
    kind: str
    made_ms: str
    gone: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Value).decode


class RedisOwnership:
    """See Ownership."""

    def __init__(self, remote: Remote, name: str, settings: OwnershipSettings) -> None:
        """`name` is the ledger's: all its keys lie in one slot of a cluster."""
        self._remote = remote
        self._settings = settings
        self._ids = b"{%s}:owned:" % name.encode()
        self._sets = b"{%s}:owned-of:" % name.encode()
        self._dues = b"{%s}:owned-due" % name.encode()

    def note(self, kept: Sequence[Kept]) -> None:
        """See Ownership."""
        kept_ms = self._settings.kept_days * _DAY_MS
        for each in kept:
            made_ms = each.made_ns // _MS
            value = _Value(each.org, each.team, each.key_id, each.kind, str(made_ms))
            keys = [self._key(each.id), self._set(each.org, each.provider, each.kind), self._dues]
            most = self._settings.most_per_org
            self._run(
                _NOTE,
                keys,
                each.provider,
                _encode(value),
                each.org,
                made_ms,
                each.due,
                kept_ms,
                most,
                each.id,
                self._ids,
            )

    def find(self, org: str, ids: Collection[str], now_ns: int) -> dict[str, Kept]:
        """See Ownership."""
        found: dict[str, Kept] = {}
        wanted = list(dict.fromkeys(ids))
        since_ms = now_ns // _MS - self._settings.kept_days * _DAY_MS
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            for id, pairs in zip(part, self._ask([("HGETALL", self._key(each)) for each in part]), strict=True):
                for each in _of_hash(id, pairs):
                    if each.org == org and each.made_ns // _MS > since_ms:
                        found[id] = each
        return found

    def count(self, org: str, provider: str, kind: str) -> int:
        """See Ownership."""
        (held,) = self._ask([("ZCARD", self._set(org, provider, kind))])
        return int(held)

    def take_due(self, kept: Kept) -> bytes:
        """See Ownership."""
        keys = [self._key(kept.id), self._dues]
        return bytes(self._run(_TAKE, keys, kept.provider, kept.org, _member(kept.provider, kept.id)))

    def forget(self, org: str, provider: str, id: str) -> None:
        """See Ownership."""
        self._run(_FORGET, [self._key(id)], provider, org, id, self._set(org, provider, ""))

    def dues(self, now_ns: int, most: int, again_ns: int) -> list[Kept]:
        """See Ownership."""
        members = self._run(_DUES, [self._dues], (now_ns - again_ns) // _MS, most, now_ns // _MS)
        pairs = [tuple(member.decode().split("\0", 1)) for member in members]
        told = self._ask([("HGETALL", self._key(id)) for _, id in pairs]) if pairs else []
        found: list[Kept] = []
        gone: list[tuple[str, bytes, bytes]] = []
        for (provider, id), fields in zip(pairs, told, strict=True):
            held = [each for each in _of_hash(id, fields, whole=True) if each.provider == provider and each.due]
            found += held
            if not held:  # it grew too old
                gone.append(("ZREM", self._dues, _member(provider, id)))
        if gone:
            self._ask(gone)
        return found

    def close(self) -> None:
        """See Ownership."""
        self._remote.close()

    def _key(self, id: str) -> bytes:
        return self._ids + id.encode("utf-8", "surrogatepass")

    def _set(self, org: str, provider: str, kind: str) -> bytes:
        return self._sets + f"{org}\0{provider}\0{kind}".encode()

    def _run(self, script: str, keys: Sequence[bytes], *arguments: object) -> Any:
        try:
            return self._remote.run(script, keys, *arguments)
        except RedisAway as error:
            raise OwnershipUnavailable(str(error)) from error

    def _ask(self, commands: Sequence[Sequence[object]]) -> list[Any]:
        try:
            return self._remote.ask_all(commands)
        except RedisAway as error:
            raise OwnershipUnavailable(str(error)) from error


def _member(provider: str, id: str) -> bytes:
    return f"{provider}\0{id}".encode("utf-8", "surrogatepass")


def _of_hash(id: str, pairs: dict[bytes, bytes] | list[bytes], *, whole: bool = False) -> list[Kept]:
    """The records in a hash; `whole`: also of what is gone and has something due."""
    fields = pairs if isinstance(pairs, dict) else dict(zip(pairs[::2], pairs[1::2], strict=True))
    found = []
    for name, raw in fields.items():
        if name.endswith(_DUE):
            continue
        value = _decode(raw)
        if value.gone and not whole:
            continue
        found.append(
            Kept(
                id=id,
                provider=name.decode(),
                org=value.org,
                team=value.team,
                key_id=value.key_id,
                kind=value.kind,
                made_ns=int(value.made_ms) * _MS,
                due=bytes(fields.get(name + _DUE, b"")),
            )
        )
    return found


_: type[Ownership] = RedisOwnership
