"""The routes of budgets and of rate limits, as the one table takes them; what deletes one stands at its end."""

from typing import Final

from proxy.admin.desks.budgets import (
    end_budget_raise,
    get_budget,
    list_budget_history,
    list_budget_raises,
    list_budgets,
    list_each,
    put_budget,
    raise_budget,
)
from proxy.admin.desks.courses import get_course
from proxy.admin.desks.limits import (
    end_limit_raise,
    get_limit,
    list_each_limit,
    list_limit_history,
    list_limit_raises,
    list_limits,
    put_limit,
    raise_limit,
)
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.budgets import Budget, BudgetBody
from proxy.admin.shapes.common import Deleted, Listing, PageQuery
from proxy.admin.shapes.forecasts import Course
from proxy.admin.shapes.limits import LimitBody, RateLimit
from proxy.admin.shapes.metered import EachQuery, MeteredQuery, RaiseBody, RaiseShown, ScopeQuery
from proxy.admin.shapes.people import AuditRecord

MADE_RAISE: Final = "rai_019a9f3c8e007b4c8000000000000002"
"""Stands in the examples for the id of the raise last made."""
THE_BUDGET: Final = {"budget": "acme-month"}
THE_LIMIT: Final = {"limit": "support-rpm"}

BUDGET_ROUTES: Final = (
    Route(
        method="PUT",
        path="/budgets/{budget}",
        permission=May.CHANGE_BUDGETS,
        handler=put_budget,
        body=BudgetBody,
        answer=Budget,
        status=201,
        conditional=True,
        example=Example(
            path=THE_BUDGET,
            body={
                "scope": "org:acme",
                "window": "month",
                "timezone": "Europe/Berlin",
                "limit_usd": "500",
                "hard": True,
                "opening_spent_usd": "12.5",
                "ladder": [
                    {"at": 0.8, "do": "alert"},
                    {"at": 0.9, "do": "downgrade", "to": {"gpt-*": "fast"}},
                    {"at": 0.95, "do": "throttle", "delay_ms": 2000},
                ],
            },
        ),
    ),
    Route(
        method="GET",
        path="/budgets",
        permission=May.READ_BUDGETS,
        handler=list_budgets,
        query=MeteredQuery,
        answer=Listing[Budget],
        row=Budget,
        example=Example(query="org=acme"),
    ),
    Route(
        method="GET",
        path="/budgets/{budget}",
        permission=May.READ_BUDGETS,
        handler=get_budget,
        query=ScopeQuery,
        answer=Budget,
        example=Example(path=THE_BUDGET),
    ),
    Route(
        method="GET",
        path="/budgets/{budget}/course",
        permission=May.READ_BUDGETS,
        handler=get_course,
        query=ScopeQuery,
        answer=Course,
        example=Example(path=THE_BUDGET),
    ),
    Route(
        method="GET",
        path="/budgets/{budget}/each",
        permission=May.READ_BUDGETS,
        handler=list_each,
        query=EachQuery,
        answer=Listing[Budget],
        row=Budget,
        example=Example(path=THE_BUDGET),
    ),
    Route(
        method="POST",
        path="/budgets/{budget}/raises",
        permission=May.CHANGE_BUDGETS,
        handler=raise_budget,
        body=RaiseBody,
        answer=RaiseShown,
        status=201,
        example=Example(
            path=THE_BUDGET,
            body={"by_usd": "250", "until": "2098-01-01T00:00:00Z", "reason": "launch week, agreed with finance"},
        ),
    ),
    Route(
        method="GET",
        path="/budgets/{budget}/raises",
        permission=May.READ_BUDGETS,
        handler=list_budget_raises,
        answer=Listing[RaiseShown],
        row=RaiseShown,
        example=Example(path=THE_BUDGET),
    ),
    Route(
        method="DELETE",
        path="/budgets/{budget}/raises/{raise_id}",
        permission=May.CHANGE_BUDGETS,
        handler=end_budget_raise,
        answer=Deleted,
        example=Example(path={**THE_BUDGET, "raise_id": MADE_RAISE}),
    ),
    Route(
        method="GET",
        path="/budgets/{budget}/history",
        permission=May.READ_BUDGETS,
        handler=list_budget_history,
        query=PageQuery,
        answer=Listing[AuditRecord],
        row=AuditRecord,
        example=Example(path=THE_BUDGET, query="limit=1"),
    ),
    Route(
        method="PUT",
        path="/limits/{limit}",
        permission=May.CHANGE_BUDGETS,
        handler=put_limit,
        body=LimitBody,
        answer=RateLimit,
        status=201,
        conditional=True,
        example=Example(
            path=THE_LIMIT, body={"scope": "key:acme/support/bot", "limit_requests": 60, "window": "minute"}
        ),
    ),
    Route(
        method="GET",
        path="/limits",
        permission=May.READ_BUDGETS,
        handler=list_limits,
        query=MeteredQuery,
        answer=Listing[RateLimit],
        row=RateLimit,
        example=Example(query="org=acme"),
    ),
    Route(
        method="GET",
        path="/limits/{limit}",
        permission=May.READ_BUDGETS,
        handler=get_limit,
        query=ScopeQuery,
        answer=RateLimit,
        example=Example(path=THE_LIMIT, query="scope=key:acme/support/bot"),
    ),
    Route(
        method="GET",
        path="/limits/{limit}/each",
        permission=May.READ_BUDGETS,
        handler=list_each_limit,
        query=EachQuery,
        answer=Listing[RateLimit],
        row=RateLimit,
        example=Example(path=THE_LIMIT),
    ),
    Route(
        method="POST",
        path="/limits/{limit}/raises",
        permission=May.CHANGE_BUDGETS,
        handler=raise_limit,
        body=RaiseBody,
        answer=RaiseShown,
        status=201,
        example=Example(
            path=THE_LIMIT,
            body={"by_requests": 30, "until": "2098-01-01T00:00:00Z", "reason": "launch week, agreed with finance"},
        ),
    ),
    Route(
        method="GET",
        path="/limits/{limit}/raises",
        permission=May.READ_BUDGETS,
        handler=list_limit_raises,
        answer=Listing[RaiseShown],
        row=RaiseShown,
        example=Example(path=THE_LIMIT),
    ),
    Route(
        method="DELETE",
        path="/limits/{limit}/raises/{raise_id}",
        permission=May.CHANGE_BUDGETS,
        handler=end_limit_raise,
        answer=Deleted,
        example=Example(path={**THE_LIMIT, "raise_id": MADE_RAISE}),
    ),
    Route(
        method="GET",
        path="/limits/{limit}/history",
        permission=May.READ_BUDGETS,
        handler=list_limit_history,
        query=PageQuery,
        answer=Listing[AuditRecord],
        row=AuditRecord,
        example=Example(path=THE_LIMIT, query="limit=1"),
    ),
)
