"""What budgets there are, and which of them a call falls under now."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from proxy.budget.budget import Budget
from proxy.budget.ledger import HoldLine
from proxy.budget.meters import Meter, MeterOfEach
from proxy.budget.scopes import CLAIMED, OTHER, family_of, kind_of
from proxy.budget.seen import ScopesSeen
from proxy.budget.settings import BudgetSettings

AnyMeter = TypeVar("AnyMeter", Meter, MeterOfEach)


class BudgetCatalog:
    """All budgets and limits at one generation; never changed, replaced as a whole.

    `claimed` are, by org, the kinds of scope beyond org, team and key that its budgets name: a call's other scopes
    need not be made up at all. `observing` are orgs whose enforcement is `observe`, `observe_all` makes it so for all.
    """

    def __init__(
        self,
        budgets: Iterable[Budget] = (),
        seen: ScopesSeen | None = None,
        *,
        observing: Container[str] = (),
        observe_all: bool = False,
        before: "BudgetCatalog | None" = None,
    ) -> None:
        """`before`: one whose lines go on for budgets that are the same objects there."""
        self.budgets: Final = tuple(budgets)
        self._observing = observing
        self._observe_all = observe_all
        self._seen = seen or ScopesSeen(BudgetSettings().distinct_scopes_per_key)
        self._by_scope: dict[str, tuple[Meter, ...]] = {}
        self._by_family: dict[str, tuple[MeterOfEach, ...]] = {}
        for budget in self.budgets:
            observed = budget.enforcement == "observe" or self.observes(budget.org)
            if budget.is_pattern:
                family = family_of(budget.scope)
                each = before and _of(budget, observed, before._by_family.get(family, ()))
                many = self._by_family.get(family, ())
                self._by_family[family] = (*many, each or MeterOfEach(budget, observing=observed))
            else:
                meter = before and _of(budget, observed, before._by_scope.get(budget.scope, ()))
                meters = self._by_scope.get(budget.scope, ())
                self._by_scope[budget.scope] = (*meters, meter or Meter(budget, observing=observed))
        self.claimed: Final = _claimed(self.budgets)

    def observes(self, org: str) -> bool:
        """Whether nothing is refused there, of budgets or otherwise: its own enforcement, or everyone's, is observe."""
        return self._observe_all or org in self._observing

    def lines_for(
        self, scopes: Sequence[str], at_ns: int, *, model: str | None = None, key: str = ""
    ) -> tuple[HoldLine, ...]:
        """What a call under those scopes must fit under if it is charged at that time; in the order of the scopes.

        `model` is what the call asks for (None: every model's budgets), `key` whose call it is. Lines that count
        tokens still want to be `fitted` to the call's estimate.
        """
        lines = []
        for scope in scopes:
            for meter in self._by_scope.get(scope, ()):
                if not meter.models or meter.counts(model):
                    lines.append(meter.line_at(at_ns))
        if self._by_family:
            for scope in scopes:
                for each in self._by_family.get(family_of(scope), ()):
                    if each.meter.counts(model) and not self._has_own(scope, each.budget, model):
                        lines.append(each.line_at(self._counted_as(scope, key, at_ns), at_ns))
        return tuple(lines)

    def _has_own(self, scope: str, default: Budget, model: str | None) -> bool:
        """Whether a budget of the scope's own counts the same of this call: it stands in the default's place.

        A rate limit does so for a rate limit.
        """
        return any(
            meter.budget.unit is default.unit and meter.budget.kind is default.kind and meter.counts(model)
            for meter in self._by_scope.get(scope, ())
        )

    def _counted_as(self, scope: str, key: str, at_ns: int) -> str:
        family = family_of(scope)
        if kind_of(scope) not in CLAIMED or self._seen.admits(key, family, scope, at_ns):
            return scope
        return family + OTHER


def _of(budget: Budget, observed: bool, meters: Iterable[AnyMeter]) -> AnyMeter | None:
    """The one among meters that is of this very budget."""
    return next((each for each in meters if each.budget is budget and each.observing is observed), None)


def _claimed(budgets: Iterable[Budget]) -> Mapping[str, frozenset[str]]:
    kinds: dict[str, set[str]] = {}
    for budget in budgets:
        if kind_of(budget.scope) in CLAIMED:
            kinds.setdefault(budget.org, set()).add(kind_of(budget.scope))
    return {org: frozenset(found) for org, found in kinds.items()}
