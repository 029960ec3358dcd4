"""What one run may use: the limits that hold for a call's run, found by whose call it is."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from proxy.core.money import NotMoney, exact_usd
from proxy.core.tenant import Principal, agent_scope
from proxy.runs.settings import RunLimitEntry, RunSettings

Count: TypeAlias = Literal["calls", "tool_calls", "tokens", "usd"]
COUNTS: Final[tuple[Count, ...]] = get_args(Count)
_N: Final = r"[^/\s*]+"
_SCOPE: Final = re.compile(rf"\*|org:{_N}|team:{_N}/(?:{_N}|\*)|key:{_N}/{_N}/(?:{_N}|\*)|agent:{_N}/(?:[^\s*]+|\*)")
_MOST: Final = 10**18
"""What a ledger takes as one amount."""


class BadRunLimit(ValueError):
    """A limit that cannot be meant so; `field` is the key it hangs on."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RunBound(NamedTuple):
    """One count of a run with its limit: nano-dollars for `usd`, else whole ones.

    `said_of` is the scope whose limit it is. `agent` is set where only that agent's calls in the run are counted.
    """

    what: Count
    most: int
    said_of: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class RunBounds:
    """All that holds for one run: its counts, and how long and how deep it may go (None: no bound), by whose limit."""

    counted: tuple[RunBound, ...] = ()
    seconds: int | None = None
    depth: int | None = None
    seconds_of: str = ""
    depth_of: str = ""

    def __bool__(self) -> bool:
        return bool(self.counted) or self.seconds is not None or self.depth is not None


NO_BOUNDS: Final = RunBounds()


class _Limit(NamedTuple):
    scope: str
    counts: Mapping[Count, int]
    seconds: int | None
    depth: int | None
    derived: bool


class RunLimits:
    """The limits of `runs.limits`, by scope; never changed, replaced as a whole."""

    def __init__(self, limits: Iterable[_Limit] = ()) -> None:
        self._by_scope: dict[str, list[_Limit]] = {}
        for limit in limits:
            self._by_scope.setdefault(limit.scope, []).append(limit)

    @classmethod
    def of(cls, settings: RunSettings) -> "RunLimits":
        """The limits that the settings state.

        Raises:
            BadRunLimit: one cannot be meant so.
        """
        return cls(read_limit(entry) for entry in settings.limits)

    def __bool__(self) -> bool:
        return bool(self._by_scope)

    def bounds(self, principal: Principal, agent: str, *, derived: bool = False) -> RunBounds:
        """What holds for a run of this principal, for the calls that this agent makes in it.

        The smallest number of the org's, the team's and the key's counts; the agent's own are counted beside it. A
        scope's own number stands in the place of its pattern's.
        """
        org, team, key = principal.scopes
        wide = [
            *self._standing(org, "*", derived),
            *self._standing(team, _pattern(team), derived),
            *self._standing(key, _pattern(key), derived),
        ]
        name = agent_scope(principal.org, agent)
        narrow = [*self._standing(name, f"agent:{principal.org}/*", derived)] if agent else []
        if not wide and not narrow:
            return NO_BOUNDS
        seconds, seconds_of = _least("seconds", wide + narrow)
        depth, depth_of = _least("depth", wide + narrow)
        counted = (*_smallest(wide, ""), *_smallest(narrow, agent))
        return RunBounds(counted, seconds, depth, seconds_of, depth_of)

    def _standing(self, scope: str, pattern: str, derived: bool) -> Iterator[tuple[str, str, int]]:
        """The numbers that a scope has, its own before its pattern's."""
        said: set[str] = set()
        for name in (scope, pattern):
            limits = [each for each in self._by_scope.get(name, ()) if each.derived or not derived]
            found = [(name, *each) for limit in limits for each in _said(limit)]
            yield from (each for each in found if each[1] not in said)
            said.update(count for _, count, _ in found)


def read_limit(entry: RunLimitEntry) -> _Limit:
    """An entry of the file, checked.

    Raises:
        BadRunLimit: its scope is none, or a number of it means nothing.
    """
    if not _SCOPE.fullmatch(entry.scope):
        raise BadRunLimit(
            "scope", f"{entry.scope!r} is not like *, org:acme, team:acme/support, key:acme/support/bot or agent:acme/a"
        )
    counts: dict[Count, int] = {}
    for count in COUNTS:
        most = getattr(entry, count)
        if most is not None:
            counts[count] = _nano(entry) if count == "usd" else _at_least(count, most, int(count != "tool_calls"))
    for name in ("seconds", "depth"):
        if (value := getattr(entry, name)) is not None:
            _at_least(name, value, 1)
    if not counts and entry.seconds is None and entry.depth is None:
        raise BadRunLimit("scope", "limits nothing; state calls, tool_calls, tokens, usd, seconds or depth")
    return _Limit(entry.scope, counts, entry.seconds, entry.depth, entry.derived)


def _nano(entry: RunLimitEntry) -> int:
    try:
        nano = exact_usd(entry.usd or 0)
    except NotMoney as error:
        raise BadRunLimit("usd", str(error)) from None
    return _at_least("usd", nano, 1)


def _at_least(name: str, value: int, least: int) -> int:
    if not least <= value <= _MOST:
        raise BadRunLimit(name, f"must be {'more than nothing' if name == 'usd' else f'at least {least}'}")
    return value


def _pattern(scope: str) -> str:
    return scope[: scope.rfind("/") + 1] + "*"


def _said(limit: _Limit) -> Iterator[tuple[str, int]]:
    yield from limit.counts.items()
    if limit.seconds is not None:
        yield "seconds", limit.seconds
    if limit.depth is not None:
        yield "depth", limit.depth


def _least(what: str, found: Iterable[tuple[str, str, int]]) -> tuple[int | None, str]:
    return min(((most, scope) for scope, name, most in found if name == what), default=(None, ""))


def _smallest(found: Iterable[tuple[str, str, int]], agent: str) -> Iterator[RunBound]:
    least: dict[str, tuple[int, str]] = {}
    for scope, name, most in found:
        if name not in least or most < least[name][0]:
            least[name] = (most, scope)
    for count in COUNTS:
        if count in least:
            yield RunBound(count, *least[count], agent)
