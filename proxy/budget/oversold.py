"""Budgets that promise more than there is: parts that add up to more than the whole they are of."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from proxy.budget.budget import Budget
from proxy.budget.ledger import LineKind, Unit
from proxy.budget.scopes import family_of, kind_of
from proxy.budget.told import spoken

_PARTS: Final = {"org": "team", "team": "key"}
_Comparable: TypeAlias = tuple[str, str, int, str, tuple[str, ...]]


class Oversold:
    """The hard dollar budgets of all teams and keys, to hold those of their orgs and teams against.

    Only budgets of one window, timezone and list of models are compared. Of several for one scope the smallest counts;
    one for `*` counts once, since nobody knows how many will come.
    """

    def __init__(self, budgets: Iterable[Budget], now_ns: int) -> None:
        self._now_ns = now_ns
        parts: defaultdict[_Comparable, dict[str, int]] = defaultdict(dict)
        for each in budgets:
            if kind_of(each.scope) in ("team", "key") and _promises(each):
                scopes = parts[_comparable(family_of(each.scope), each)]
                limit = each.limit_at(now_ns)
                scopes[each.scope] = min(limit, scopes.get(each.scope, limit))
        self._parts: Mapping[_Comparable, Mapping[str, int]] = parts

    def warnings(self, budget: Budget) -> tuple[str, ...]:
        """What is to be said of a budget of an org or a team; nothing if its parts fit into it."""
        kind = kind_of(budget.scope)
        part = _PARTS.get(kind)
        if part is None or budget.is_pattern or not _promises(budget):
            return ()
        family = f"{part}:{budget.scope.partition(':')[2]}/"
        limits = self._parts.get(_comparable(family, budget), {})
        total, limit = sum(limits.values()), budget.limit_at(self._now_ns)
        if total <= limit:
            return ()
        of_one = f"The hard budget of one {part} for the same window is"
        of_many = f"The hard budgets of {len(limits)} {part}s for the same window add up to"
        return (
            f"{of_many if len(limits) > 1 else of_one} {spoken(Unit.USD, total)}, more than the "
            f"{spoken(Unit.USD, limit)} of this one: they cannot be used up.",
        )


def _promises(budget: Budget) -> bool:
    return budget.kind is LineKind.BUDGET and budget.unit is Unit.USD and budget.hard


def _comparable(family: str, budget: Budget) -> _Comparable:
    return family, budget.window.value, budget.length_s, budget.timezone, budget.models
