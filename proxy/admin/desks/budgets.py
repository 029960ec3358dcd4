"""Budgets and how they stand now."""

from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Final

import anyio.to_thread
import msgspec

from proxy.admin.call import Answer, Call
from proxy.admin.checking import refused
from proxy.admin.desks.metered import (
    Desk,
    asked_state,
    delete,
    each_of,
    end_raise_of,
    history_of,
    listed,
    put,
    raise_it,
    raises_of,
    tag_of,
)
from proxy.admin.faults import Problem
from proxy.admin.shapes.budgets import Budget, BudgetBody, show_budget
from proxy.admin.shapes.forecasts import show_forecast
from proxy.admin.shapes.metered import rung_entries
from proxy.budget import (
    BadBudget,
    BudgetSpec,
    BudgetState,
    Limit,
    LineKind,
    Oversold,
    Rung,
    Unit,
    length_read,
    limit_of,
    rungs_of,
)
from proxy.budget import Budget as StoredBudget
from proxy.core.money import Nano, NotMoney, exact_usd

_DESK: Final = Desk(LineKind.BUDGET, "budget", show_budget)


def list_budgets(call: Call) -> Answer:
    """The budgets that the token reaches, by name."""
    parts = cache(lambda: Oversold(call.rooms.budget_store.list(call.binding.org, LineKind.BUDGET), call.now_ns()))

    def show(each: BudgetState) -> Budget:
        return show_budget(each, parts().warnings(each.budget) if _has_parts(each.budget) else ())

    return listed(_DESK._replace(show=show), call)


async def get_budget(call: Call) -> Answer:
    """One budget, how it stands now, and how its window is expected to end.

    One for `*` stands as its fullest scope does, or as the scope that is asked for.
    """
    state = await anyio.to_thread.run_sync(state_asked, call)
    warnings = await anyio.to_thread.run_sync(_warnings, call, state.budget)
    forecast = show_forecast(await call.rooms.forecasts.of(state), state.budget.unit)
    shown = msgspec.structs.replace(show_budget(state, warnings), forecast=forecast)
    return Answer(shown, tag=tag_of(state.budget))


def state_asked(call: Call) -> BudgetState:
    """How the budget that the path names stands; of one for `*` the fullest scope, or the one that is asked for."""
    return asked_state(_DESK, call)


def list_each(call: Call) -> Answer:
    """Every counter of a budget: of one for `*`, those that have counted in this window, the fullest first."""
    return each_of(_DESK, call)


def put_budget(call: Call) -> Answer:
    """Make a budget or replace what is said of it; what it has spent stays while its scope and unit do."""
    answer, made = put(_DESK, call, _spec(call)), call.rooms.budget_store.get(call.path["budget"])
    if made is None or not isinstance(answer.shape, Budget):
        return answer
    return replace(answer, shape=msgspec.structs.replace(answer.shape, warnings=_warnings(call, made)))


def delete_budget(call: Call) -> Answer:
    """Delete a budget and what it has counted."""
    return delete(_DESK, call)


def raise_budget(call: Call) -> Answer:
    """Raise a budget's limit for a while, be it one of flyball.yaml."""
    return raise_it(_DESK, call)


def list_budget_raises(call: Call) -> Answer:
    """The raises of a budget that hold."""
    return raises_of(_DESK, call)


def end_budget_raise(call: Call) -> Answer:
    """End a raise of a budget before its time."""
    return end_raise_of(_DESK, call)


def list_budget_history(call: Call) -> Answer:
    """What people changed of a budget, newest first; of one that was deleted too."""
    return history_of(_DESK, call)


def _warnings(call: Call, budget: StoredBudget) -> tuple[str, ...]:
    if not _has_parts(budget):
        return ()
    return Oversold(call.rooms.budget_store.list(budget.org, LineKind.BUDGET), call.now_ns()).warnings(budget)


def _has_parts(budget: StoredBudget) -> bool:
    return budget.scope.startswith(("org:", "team:"))


def _spec(call: Call) -> BudgetSpec:
    body = call.body(BudgetBody)
    problems: list[Problem] = []
    limit = _limit(body, problems)
    opening = _nano("opening_spent_usd", body.opening_spent_usd, problems)
    ladder = _ladder(body, problems)
    try:
        spec = BudgetSpec(
            name=call.path["budget"],
            scope=body.scope,
            limit=limit.amount,
            unit=limit.unit,
            window=body.window,
            length_s=length_read(body.length),
            timezone=body.timezone,
            hard=body.hard,
            opening_spent=opening,
            models=body.models,
            ladder=ladder,
            clamp=body.clamp,
            enforcement=body.enforcement,
        )
    except BadBudget as error:
        problems.append(Problem(error.field, str(error)))
    if problems:
        raise refused(problems)
    return spec


def _limit(body: BudgetBody, problems: list[Problem]) -> Limit:
    try:
        return limit_of(body.limit_usd, body.limit_tokens, body.limit_requests, body.tokens)
    except BadBudget as error:
        problems.append(Problem(error.field, str(error)))
        return Limit(Unit.USD, Nano(0))


def _ladder(body: BudgetBody, problems: list[Problem]) -> tuple[Rung, ...]:
    try:
        return rungs_of(rung_entries(body.ladder))
    except BadBudget as error:
        problems.append(Problem(error.field, str(error)))
        return ()


def _nano(param: str, dollars: Decimal, problems: list[Problem]) -> Nano:
    try:
        return exact_usd(dollars)
    except NotMoney as error:
        problems.append(Problem(param, str(error)))
        return Nano(0)
