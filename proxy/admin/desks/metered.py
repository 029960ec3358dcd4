"""What is done at the desks of budgets and of rate limits alike."""

from collections.abc import Callable
from dataclasses import fields
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from proxy.admin.binding import Binding, owner_of
from proxy.admin.call import Answer, Call
from proxy.admin.desks.people import show_change
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.common import Deleted, Listing, PageQuery, to_ns
from proxy.admin.shapes.metered import EachQuery, Metered, MeteredQuery, RaiseBody, ScopeQuery, show_raise
from proxy.budget import BadBudget, BudgetSpec, BudgetState, LineKind, Which, family_of, raised_by
from proxy.budget import Budget as StoredBudget

_STATED: Final = tuple(each.name for each in fields(StoredBudget) if each.name != "raises")


class Desk(NamedTuple):
    """One of the two: its kind, what it is called in paths and subjects, how it is shown."""

    kind: LineKind
    word: str
    show: Callable[[BudgetState], Metered]

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return "rate limit" if self.kind is LineKind.RATE else "budget"

    def subject(self, name: str) -> str:
        """How the audit trail names one."""
        return f"{self.word}:{name}"


def listed(desk: Desk, call: Call) -> Answer:
    """Those that the token reaches, by name."""
    asked = call.query(MeteredQuery)
    within = Binding(*call.binding.narrowed(asked.org, asked.team))
    (after,) = place_of(asked.page, 1)
    store = call.rooms.budget_store
    which = Which(desk.kind, within.org, after)
    page = store.states(store.page(which, lambda each: within.rules(*owner_of(each.scope)), asked.limit + 1))
    return Answer(listing(page, asked.limit, desk.show, lambda each: (each.budget.name,)))


def each_of(desk: Desk, call: Call) -> Answer:
    """Every counter of one."""
    budget, limit = seen(desk, call), call.query(EachQuery).limit
    store = call.rooms.budget_store
    states = store.states_of_each(budget, limit + 1) if budget.is_pattern else store.states([budget])
    rows = tuple(desk.show(state) for state in states[:limit])
    return Answer(Listing(data=rows, has_more=len(states) > limit, next_page=None))


def asked_state(desk: Desk, call: Call) -> BudgetState:
    """How the one that the path names stands; of one for `*` the fullest scope, or the one that is asked for."""
    budget, scope = seen(desk, call), call.query(ScopeQuery).scope
    if scope is None or scope == budget.scope:
        return state_of(call, budget)
    if not budget.is_pattern or family_of(scope) != family_of(budget.scope):
        raise Refusal(Fault.NOT_FOUND, f"The {desk.title} {budget.name} is not for {scope}.", param="scope")
    return call.rooms.budget_store.state_for(budget, scope)


def put(desk: Desk, call: Call, spec: BudgetSpec) -> Answer:
    """Make one or replace what is said of it."""
    call.binding.require_rule(*owner_of(spec.scope))
    before: list[Metered] = []

    def allowed(old: StoredBudget | None) -> None:
        if old is not None and (old.kind is not desk.kind or not call.binding.rules(*owner_of(old.scope))):
            raise Refusal(Fault.ALREADY_EXISTS, f"The name {spec.name} is taken; choose another one.", param="name")
        _check_condition(desk, call, old)
        if old is not None:
            before.append(desk.show(state_of(call, old)))

    after = state_of(call, call.rooms.budget_store.put(spec, allowed=allowed))
    org, team = owner_of(spec.scope)
    was, now = before[0] if before else None, desk.show(after)
    call.audit(f"{desk.word}.put", desk.subject(spec.name), org=org, team=team, before=was, after=now)
    return answer(desk, after, created=not before)


def delete(desk: Desk, call: Call) -> Answer:
    """Delete one and what it has counted."""
    name = seen(desk, call).name
    before: list[BudgetState] = []

    def allowed(old: StoredBudget | None) -> None:
        _check_condition(desk, call, old)
        before.append(state_of(call, _reached(desk, call, old)))

    if not call.rooms.budget_store.delete(name, allowed=allowed):
        raise _missing(desk, name)
    org, team = owner_of(before[0].budget.scope)
    call.audit(f"{desk.word}.delete", desk.subject(name), org=org, team=team, before=desk.show(before[0]))
    return Answer(Deleted(id=name, object=desk.word))


def raise_it(desk: Desk, call: Call) -> Answer:
    """Raise its limit for a while."""
    budget, body = seen(desk, call), call.body(RaiseBody)
    until_ns = to_ns("until", body.until)
    assert until_ns is not None
    try:
        amount = raised_by(
            budget.unit,
            usd=body.by_usd,
            tokens=body.by_tokens,
            requests=body.by_requests,
            concurrent=body.by_concurrent,
        )
        made = call.rooms.budget_store.raise_limit(
            budget.name,
            amount,
            until_ns=until_ns,
            reason=body.reason,
            made_by=call.identity.name,
            allowed=lambda now: _check_same(desk, budget, now),
        )
    except BadBudget as error:
        raise Refusal(Fault.INVALID_REQUEST, f"{error.field}: {error}.", param=error.field) from None
    if made is None:
        raise _missing(desk, budget.name)
    after = show_raise(budget, made)
    org, team = owner_of(budget.scope)
    call.audit(f"{desk.word}.raise", desk.subject(budget.name), org=org, team=team, after=after)
    return Answer(after, status=201)


def raises_of(desk: Desk, call: Call) -> Answer:
    """The raises of one that hold."""
    budget = seen(desk, call)
    rows = tuple(show_raise(budget, each) for each in budget.raises)
    return Answer(Listing(data=rows, has_more=False, next_page=None))


def end_raise_of(desk: Desk, call: Call) -> Answer:
    """End a raise before its time."""
    budget, number = seen(desk, call), call.path["raise_id"]
    ended = call.rooms.budget_store.end_raise(budget.name, number)
    if ended is None:
        raise Refusal(Fault.NOT_FOUND, f"There is no raise {number} of {desk.title} {budget.name}.")
    org, team = owner_of(budget.scope)
    before = show_raise(budget, ended)
    call.audit(f"{desk.word}.end_raise", desk.subject(budget.name), org=org, team=team, before=before)
    return Answer(Deleted(id=number, object="raise"))


def history_of(desk: Desk, call: Call) -> Answer:
    """What people changed of one, newest first; of one that was deleted too."""
    asked, name = call.query(PageQuery), call.path[desk.word]
    (before,) = place_of(asked.page, 1)
    found = call.audit_log.newest(
        before=int(before) if before.isascii() and before.isdigit() else None,
        org=call.binding.org,
        team=call.binding.team,
        filters={"subject": desk.subject(name)},
        limit=asked.limit + 1,
    )
    if not found:
        seen(desk, call)
    return Answer(listing(found, asked.limit, lambda each: show_change(*each), lambda each: (str(each[0]),)))


def seen(desk: Desk, call: Call) -> StoredBudget:
    """The one that the path names; one outside the token's binding is not there."""
    return _reached(desk, call, call.rooms.budget_store.get(call.path[desk.word]))


def state_of(call: Call, budget: StoredBudget) -> BudgetState:
    """How one stands."""
    (state,) = call.rooms.budget_store.states([budget])
    return state


def answer(desk: Desk, state: BudgetState, *, created: bool = False) -> Answer:
    """One as an answer."""
    return Answer(desk.show(state), status=201 if created else 200, tag=tag_of(state.budget))


def tag_of(budget: StoredBudget) -> str:
    """A text that changes when what is said of it does; not when it counts, nor with its raises."""
    stated = [getattr(budget, name) for name in _STATED]
    return sha256(msgspec.json.encode(stated)).hexdigest()[:16]


def _check_condition(desk: Desk, call: Call, old: StoredBudget | None) -> None:
    if not call.condition.met_by(None if old is None else tag_of(old)):
        message = f"The {desk.title} is not as the request expects it; read it again."
        raise Refusal(Fault.PRECONDITION_FAILED, message)


def _reached(desk: Desk, call: Call, found: StoredBudget | None) -> StoredBudget:
    if found is None or found.kind is not desk.kind or not call.binding.rules(*owner_of(found.scope)):
        raise _missing(desk, call.path[desk.word])
    return found


def _check_same(desk: Desk, looked_at: StoredBudget, now: StoredBudget | None) -> None:
    """It was deleted, or is another budget by that name, since it was looked at."""
    if now is None or now.id != looked_at.id:
        raise _missing(desk, looked_at.name)


def _missing(desk: Desk, name: str) -> Refusal:
    return Refusal(Fault.NOT_FOUND, f"There is no {desk.title} {name}.")
