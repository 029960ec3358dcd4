"""What the rules of one point say to an input, by as few of them as must be evaluated anew."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from proxy.policy.decision import Decision, read_decision
from proxy.policy.lean import Lean
from proxy.policy.memo import Memo, is_met_again
from proxy.policy.point import Point
from proxy.policy.reading import Reads
from proxy.policy.regorus_rules import RegorusRules
from proxy.policy.slicing import UNITED

Package: TypeAlias = Mapping[str, Any]
_TOLD: Final = ("allow", *UNITED)


class Said:
    """What some rules said, without what says nothing; and the decision it makes by itself, once that was asked for."""

    __slots__ = ("decision", "package")

    def __init__(self, package: Package) -> None:
        self.package: Final = package
        self.decision: Decision | None = None


class Part:
    """Some of a point's rules: what they read, and what they said lately."""

    def __init__(self, rules: RegorusRules, reads: Reads, query: str, memo_entries: int) -> None:
        self._rules = rules
        self._lean = Lean(reads.paths)
        self._query = query
        self._most = memo_entries if is_met_again(reads) else 0
        self._mine = threading.local()

    def ask(self, facts: Mapping[str, Any]) -> Said:
        """What they say to this input.

        Raises:
            PolicyUnavailable: the engine failed.
        """
        asked = self._lean.written(facts)
        if not self._most:
            return self._evaluated(asked)
        memo = self._memo()
        known = memo.get(asked)
        if known is None:
            known = self._evaluated(asked)
            memo.put(asked, known)
        return known

    def _evaluated(self, asked: bytes) -> Said:
        package = self._rules.evaluate(self._query, asked) or {}
        return Said({name: package[name] for name in _TOLD if package.get(name, []) != []})

    def _memo(self) -> Memo[Said]:
        memo: Memo[Said] | None = getattr(self._mine, "memo", None)
        if memo is None:
            memo = self._mine.memo = Memo(self._most)
        return memo


class PointRules:
    """All rules of a point, in parts; what they say together is what the whole package says."""

    def __init__(self, point: Point, parts: Sequence[Part], revision: str) -> None:
        self._point = point
        self.parts: Final = tuple(parts)
        self._revision = revision

    def decide(self, facts: Mapping[str, Any]) -> Decision:
        """The decision on one input.

        Raises:
            PolicyUnavailable: the engine failed, or the package has a wrong shape.
        """
        said = self.parts[0].ask(facts)
        more = [told.package for each in self.parts[1:] if (told := each.ask(facts)).package]
        if more:
            return read_decision(self._point, _united([said.package, *more]), self._revision)
        if said.decision is None:
            said.decision = read_decision(self._point, said.package, self._revision)
        return said.decision


def _united(packages: Sequence[Package]) -> Package:
    """Everything that any of them says; what several say they say alike, but for the sets that they add to."""
    united: dict[str, Any] = {}
    for package in packages:
        for name, value in package.items():
            there = united.get(name)
            if isinstance(there, list) and isinstance(value, list):
                united[name] = [*there, *(each for each in value if each not in there)]
            else:
                united[name] = value
    return united
