"""Rate limits and how they stand now."""

from typing import Final

from proxy.admin.call import Answer, Call
from proxy.admin.checking import refused
from proxy.admin.desks.metered import (
    Desk,
    answer,
    asked_state,
    delete,
    each_of,
    end_raise_of,
    history_of,
    listed,
    put,
    raise_it,
    raises_of,
)
from proxy.admin.faults import Problem
from proxy.admin.shapes.limits import LimitBody, show_limit
from proxy.admin.shapes.metered import rung_entries
from proxy.budget import BadBudget, BudgetSpec, LineKind, RateLimitEntry, rate_of

_DESK: Final = Desk(LineKind.RATE, "limit", show_limit)


def list_limits(call: Call) -> Answer:
    """The rate limits that the token reaches, by name."""
    return listed(_DESK, call)


def get_limit(call: Call) -> Answer:
    """One rate limit and how it stands now.

    One for `*` stands as its fullest scope does, or as the scope that is asked for.
    """
    return answer(_DESK, asked_state(_DESK, call))


def list_each_limit(call: Call) -> Answer:
    """Every counter of a rate limit: of one for `*`, those that have counted in this window, the fullest first."""
    return each_of(_DESK, call)


def put_limit(call: Call) -> Answer:
    """Make a rate limit or replace what is said of it; names are unique among limits and budgets."""
    return put(_DESK, call, _spec(call))


def delete_limit(call: Call) -> Answer:
    """Delete a rate limit."""
    return delete(_DESK, call)


def raise_limit(call: Call) -> Answer:
    """Raise a rate limit for a while, be it one of flyball.yaml."""
    return raise_it(_DESK, call)


def list_limit_raises(call: Call) -> Answer:
    """The raises of a rate limit that hold."""
    return raises_of(_DESK, call)


def end_limit_raise(call: Call) -> Answer:
    """End a raise of a rate limit before its time."""
    return end_raise_of(_DESK, call)


def list_limit_history(call: Call) -> Answer:
    """What people changed of a rate limit, newest first; of one that was deleted too."""
    return history_of(_DESK, call)


def _spec(call: Call) -> BudgetSpec:
    body = call.body(LimitBody)
    try:
        return rate_of(
            RateLimitEntry(
                name=call.path["limit"],
                scope=body.scope,
                limit_requests=body.limit_requests,
                limit_tokens=body.limit_tokens,
                limit_concurrent=body.limit_concurrent,
                tokens=body.tokens,
                window=body.window,
                length=body.length,
                timezone=body.timezone,
                models=body.models,
                ladder=rung_entries(body.ladder),
                enforcement=body.enforcement,
            )
        )
    except BadBudget as error:
        raise refused([Problem(error.field, str(error))]) from None
