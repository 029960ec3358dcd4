"""Which alerts the standing of a budget calls for: one for every rung that it stands on, and one for an overrun."""

from collections.abc import Iterator
from typing import Final

from proxy.budget.alerts.alert import Alert, Claim, alert_id
from proxy.budget.budget import Budget
from proxy.budget.ledger import LineKind, Rung, Unit
from proxy.budget.standing import BudgetState
from proxy.budget.windows import WindowKind

_NS: Final = 1_000_000_000
_KEPT_NS: Final = 2 * 86_400 * _NS
_SLOTS_QUIET_NS: Final = 3600 * _NS
_AT_LIMIT: Final = 1_000_000


def is_watched(budget: Budget) -> bool:
    """Whether anything about it can call for an alert: it has a ladder, or money or tokens can run over it."""
    return bool(budget.ladder) or budget.kind is LineKind.BUDGET


def rungs_watched(budget: Budget) -> tuple[Rung, ...]:
    """Its ladder, and what happens at a budget's limit without a rung there: refusals, or with a soft one spend."""
    blocks = any(rung.do == "block" for rung in budget.ladder)
    if budget.kind is not LineKind.BUDGET or blocks or any(rung[:2] == (_AT_LIMIT, "alert") for rung in budget.ladder):
        return budget.ladder
    return (*budget.ladder, Rung(_AT_LIMIT, "block" if budget.hard else "alert"))


def least_watched(budget: Budget, limit: int) -> int | None:
    """The lowest amount at which one of its rungs stands; None without rungs."""
    return min((rung.threshold(limit) for rung in rungs_watched(budget)), default=None)


def crossings(state: BudgetState, now_ns: int, *, refuses: bool = False) -> Iterator[tuple[Alert, Claim]]:
    """The alerts that a standing calls for, each with the claim that makes it the only one.

    `refuses`: calls were refused by it, though their holds would have come to more than what stands.
    """
    for rung in rungs_watched(state.budget):
        if _stands_on(state, rung) or (refuses and rung.do == "block"):
            claim = _claim(state, f"{rung.do}@{rung.at_millionths}/{state.budget.limit}", 0, now_ns)
            yield _alert(state, rung.do, rung.at_millionths, claim, now_ns), claim
    if state.overrun > 0 and state.budget.kind is LineKind.BUDGET:
        claim = _claim(state, "overrun", state.overrun, now_ns)
        yield _alert(state, "overrun", 0, claim, now_ns), claim


def _stands_on(state: BudgetState, rung: Rung) -> bool:
    """An alert is about what is spent for good; rungs that change calls count what is held, as those calls do.

    Places are never spent, only held.
    """
    used = state.spent + state.held
    amount = state.spent if rung.do == "alert" and state.budget.unit is not Unit.SLOTS else used
    return amount > 0 and amount >= rung.threshold(state.limit)


def _claim(state: BudgetState, what: str, amount: int, now_ns: int) -> Claim:
    """Once in every window; where windows do not stand apart, once in so long a time."""
    budget = state.budget
    counter = f"{budget.id}/{state.scope}"
    if budget.unit is Unit.SLOTS:
        return Claim(key=f"{counter}/places/{what}", amount=amount, until_ns=now_ns + _SLOTS_QUIET_NS)
    if budget.window is WindowKind.ROLLING:
        return Claim(key=f"{counter}/rolling/{what}", amount=amount, until_ns=now_ns + budget.length_s * _NS)
    ends_ns = state.resets_at_ns
    until_ns = None if ends_ns is None else ends_ns + _KEPT_NS
    return Claim(key=f"{counter}/{state.window}/{what}", amount=amount, until_ns=until_ns)


def _alert(state: BudgetState, kind: Rung | str, millionths: int, claim: Claim, now_ns: int) -> Alert:
    budget = state.budget
    return Alert(
        id=alert_id(claim),
        at_ns=now_ns,
        kind=kind,  # type: ignore[arg-type]  # a rung's `do`, or `overrun`
        subject=budget.kind,
        budget=budget.name,
        org=budget.org,
        scope=state.scope,
        window=state.window,
        resets_at_ns=state.resets_at_ns,
        unit=budget.unit,
        fraction_millionths=millionths,
        limit=state.limit,
        spent=state.spent,
        held=state.held,
        overrun=state.overrun,
        hard=budget.hard,
    )
