"""Which cache serves whom: the settings of one generation, made so that a call finds its own quickly."""

import hmac
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Final, NamedTuple

from proxy.cache.semantic import SemanticMode
from proxy.cache.settings import CacheSettings, Mode
from proxy.core.money import ZERO, Nano, exact_usd

KEY_BYTES: Final = 32
MOST_KNOWN: Final = 4096
_S: Final = 1_000_000_000


class CacheRule(NamedTuple):
    """What holds for an organisation on a route."""

    exact: Mode
    ttl_ns: int
    fee: Nano = ZERO
    """What an answer from memory costs."""


class CacheRules:
    """The modes and the partitions of one configuration; immutable, shared by all calls of its generation.

    A partition is an organisation under one configuration and one revision of policy. A request's key is hashed under
    a key of its partition's own, so what another organisation stored, or was stored under other rules, has no name
    here; and nobody can try out from keys what was asked.
    """

    def __init__(self, settings: CacheSettings, *, secret: bytes, generation: str, revision: str) -> None:
        self._settings = settings
        price = settings.exact.price_per_hit_usd
        self._fee = ZERO if price is None else exact_usd(price)
        self._is_semantic = settings.is_semantic
        self._secret = secret
        self._age = f"{generation}\0{revision}"
        self._rules: dict[tuple[str, str], CacheRule] = {}
        self._partitions: dict[str, blake2b] = {}

    def of(self, org: str, route: str) -> CacheRule:
        """What holds for an organisation on a route."""
        known = self._rules.get((org, route))
        if known is None:
            if len(self._rules) >= MOST_KNOWN:
                self._rules.clear()
            known = self._rules[org, route] = self._find(org, route)
        return known

    def semantic_of(self, org: str, route: str) -> SemanticMode:
        """Whether an organisation's calls on a route have a semantic cache."""
        if not self._is_semantic:
            return "disabled"
        for each in self._settings.overrides:
            if each.semantic is not None and fnmatchcase(org, each.org) and each.route in ("*", route):
                return each.semantic
        return self._settings.semantic.mode

    def key(self, org: str, head: bytes, body: bytes) -> bytes:
        """What an organisation's request is known by; `head` is all that matters of it beside the body."""
        seed = self._partitions.get(org)
        if seed is None:
            seed = self._begin(org)
        hashed = seed.copy()
        hashed.update(b"%d:" % len(head))
        hashed.update(head)
        hashed.update(body)
        return hashed.digest()

    def _find(self, org: str, route: str) -> CacheRule:
        exact, fee = self._settings.exact, self._fee
        for each in self._settings.overrides:
            if fnmatchcase(org, each.org) and each.route in ("*", route):
                mode = exact.mode if each.exact is None else each.exact
                return CacheRule(mode, (exact.ttl_s if each.ttl_s is None else each.ttl_s) * _S, fee)
        return CacheRule(exact.mode, exact.ttl_s * _S, fee)

    def _begin(self, org: str) -> blake2b:
        if len(self._partitions) >= MOST_KNOWN:
            self._partitions.clear()
        own = hmac.digest(self._secret, f"{org}\0{self._age}".encode(), "sha256")
        seed = self._partitions[org] = blake2b(key=own, digest_size=KEY_BYTES)
        return seed
