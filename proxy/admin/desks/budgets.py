"""Budgets and how they stand now."""

import threading
from dataclasses import fields
from decimal import Decimal
from hashlib import sha256
from typing import Final

import anyio.to_thread
import msgspec

from proxy.admin.binding import Binding, owner_of
from proxy.admin.call import Answer, Call
from proxy.admin.checking import refused
from proxy.admin.faults import Fault, Problem, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.budgets import BudgetBody, BudgetOfQuery, BudgetQuery, EachQuery, show_budget
from proxy.admin.shapes.common import Deleted, Listing
from proxy.admin.shapes.forecasts import show_forecast
from proxy.budget import BadBudget, BudgetSpec, BudgetState, Limit, Unit, family_of, length_read, limit_of
from proxy.budget import Budget as StoredBudget
from proxy.core.money import Nano, NotMoney, exact_usd

_CHANGING: Final = threading.Lock()
"""Held from looking to writing: the store knows no versions, and one process serves the admin port."""


def list_budgets(call: Call) -> Answer:
    """The budgets that the token reaches, by name."""
    asked = call.query(BudgetQuery)
    within = Binding(*call.binding.narrowed(asked.org, asked.team))
    (after,) = place_of(asked.page, 1)
    seen = [
        each
        for each in call.rooms.budget_store.list(within.org)
        if each.name > after and within.rules(*owner_of(each.scope))
    ]
    page = call.rooms.budget_store.states(seen[: asked.limit + 1])
    return Answer(listing(page, asked.limit, show_budget, lambda each: (each.budget.name,)))


async def get_budget(call: Call) -> Answer:
    """One budget, how it stands now, and how its window is expected to end.

    One for `*` stands as its fullest scope does, or as the scope that is asked for.
    """
    state = await anyio.to_thread.run_sync(state_asked, call)
    shown, found = show_budget(state), await call.rooms.forecasts.of(state)
    forecast = show_forecast(found, state.budget.unit)
    return Answer(msgspec.structs.replace(shown, forecast=forecast), tag=_tag(state.budget))


def state_asked(call: Call) -> BudgetState:
    """How the budget that the path names stands; of one for `*` the fullest scope, or the one that is asked for."""
    budget, scope = _seen(call), call.query(BudgetOfQuery).scope
    if scope is None or scope == budget.scope:
        return _state(call, budget)
    if not budget.is_pattern or family_of(scope) != family_of(budget.scope):
        raise Refusal(Fault.NOT_FOUND, f"The budget {budget.name} is not for {scope}.", param="scope")
    return call.rooms.budget_store.state_for(budget, scope)


def list_each(call: Call) -> Answer:
    """Every counter of a budget: of one for `*`, those that have counted in this window, the fullest first."""
    budget, limit = _seen(call), call.query(EachQuery).limit
    store = call.rooms.budget_store
    states = store.states_of_each(budget, limit + 1) if budget.is_pattern else store.states([budget])
    shown = tuple(show_budget(state) for state in states[:limit])
    return Answer(Listing(data=shown, has_more=len(states) > limit, next_page=None))


def put_budget(call: Call) -> Answer:
    """Make a budget or replace what is said of it; what it has spent stays while its scope and unit do."""
    name, spec = call.path["budget"], _spec(call)
    call.binding.require_rule(*owner_of(spec.scope))
    with _CHANGING:
        old = call.rooms.budget_store.get(name)
        if old is not None and not call.binding.rules(*owner_of(old.scope)):
            raise Refusal(Fault.ALREADY_EXISTS, f"The name {name} is taken; choose another one.", param="name")
        _check_condition(call, old)
        before = None if old is None else show_budget(_state(call, old))
        after = _state(call, call.rooms.budget_store.put(spec))
    org, team = owner_of(spec.scope)
    call.audit("budget.put", f"budget:{name}", org=org, team=team, before=before, after=show_budget(after))
    return _answer(after, created=old is None)


def delete_budget(call: Call) -> Answer:
    """Delete a budget and what it has counted."""
    name = call.path["budget"]
    with _CHANGING:
        old = _seen(call)
        _check_condition(call, old)
        before = show_budget(_state(call, old))
        call.rooms.budget_store.delete(name)
    org, team = owner_of(old.scope)
    call.audit("budget.delete", f"budget:{name}", org=org, team=team, before=before)
    return Answer(Deleted(id=name, object="budget"))


def _seen(call: Call) -> StoredBudget:
    """The budget that the path names; one outside the token's binding is not there."""
    name = call.path["budget"]
    found = call.rooms.budget_store.get(name)
    if found is None or not call.binding.rules(*owner_of(found.scope)):
        raise Refusal(Fault.NOT_FOUND, f"There is no budget {name}.")
    return found


def _state(call: Call, budget: StoredBudget) -> BudgetState:
    (state,) = call.rooms.budget_store.states([budget])
    return state


def _check_condition(call: Call, old: StoredBudget | None) -> None:
    if not call.condition.met_by(None if old is None else _tag(old)):
        raise Refusal(Fault.PRECONDITION_FAILED, "The budget is not as the request expects it; read it again.")


def _answer(state: BudgetState, *, created: bool = False) -> Answer:
    return Answer(show_budget(state), status=201 if created else 200, tag=_tag(state.budget))


def _tag(budget: StoredBudget) -> str:
    """A text that changes when what is said of the budget does; not when it spends."""
    stated = [getattr(budget, each.name) for each in fields(budget)]
    return sha256(msgspec.json.encode(stated)).hexdigest()[:16]


def _spec(call: Call) -> BudgetSpec:
    body = call.body(BudgetBody)
    problems: list[Problem] = []
    limit = _limit(body, problems)
    opening = _nano("opening_spent_usd", body.opening_spent_usd, problems)
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


def _nano(param: str, dollars: Decimal, problems: list[Problem]) -> Nano:
    try:
        return exact_usd(dollars)
    except NotMoney as error:
        problems.append(Problem(param, str(error)))
        return Nano(0)
