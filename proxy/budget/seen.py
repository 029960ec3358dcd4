"""How many scopes of a kind a key has named: bounded, since a client may make up as many as it likes."""

from typing import Final

_DAY_NS: Final = 86_400 * 10**9
_FULL_KEYS: Final = 4


class ScopesSeen:
    """The scopes that each key has named since midnight UTC, in this process. Not more than `most` of one family.

    What was seen is kept as hashes. When a few keys have filled their share, the one first seen is forgotten, so that
    memory stays bounded at some 40 MB for the default.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._day = 0
        self._count = 0
        self._of: dict[tuple[str, str], set[int]] = {}

    def admits(self, key: str, family: str, scope: str, at_ns: int) -> bool:
        """Whether a key may have a counter for that scope, or must share one with all that came too late."""
        day = at_ns // _DAY_NS
        if day > self._day:
            self._day = day
            self._forget_all()
        named = self._of.get((key, family))
        if named is None:
            named = self._of[key, family] = set()
        number = hash(scope)
        if number in named:
            return True
        if len(named) >= self.most:
            return False
        named.add(number)
        self._count += 1
        if self._count > self.most * _FULL_KEYS:
            self._forget_first()
        return True

    def _forget_first(self) -> None:
        self._count -= len(self._of.pop(next(iter(self._of))))

    def _forget_all(self) -> None:
        self._of.clear()
        self._count = 0
