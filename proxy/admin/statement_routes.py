"""The routes of statements and negotiated adjustments."""

from typing import Final

from proxy.admin.desks.adjustments import add_adjustment, list_adjustments, remove_adjustment
from proxy.admin.desks.statements import CSV, close_period, get_statement, list_statements
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.common import Deleted, Listing
from proxy.admin.shapes.statements import (
    AdjustmentBody,
    AdjustmentOut,
    AdjustmentQuery,
    CloseBody,
    PeriodClosed,
    StatementFileQuery,
    StatementOut,
    StatementQuery,
    StatementSums,
)

MADE_ADJUSTMENT: Final = "adj_019a9f3c8e007b4c8000000000000002"
"""Stands in the examples for the id of the adjustment that they make."""
_PERIOD: Final = "2026-10"

STATEMENT_ROUTES: Final = (
    Route(
        method="POST",
        path="/adjustments",
        permission=May.CHANGE_ADJUSTMENTS,
        handler=add_adjustment,
        body=AdjustmentBody,
        answer=AdjustmentOut,
        status=201,
        example=Example(
            body={
                "org": "acme",
                "team": "support",
                "period": "2026-11",
                "kind": "credit",
                "amount_usd": "-12.50",
                "note": "Outage of 14 Nov, ticket 4711",
            }
        ),
    ),
    Route(
        method="GET",
        path="/adjustments",
        permission=May.READ_SPEND,
        handler=list_adjustments,
        query=AdjustmentQuery,
        answer=Listing[AdjustmentOut],
        row=AdjustmentOut,
        example=Example(query="org=acme&period=2026-11"),
    ),
    Route(
        method="DELETE",
        path="/adjustments/{adjustment}",
        permission=May.CHANGE_ADJUSTMENTS,
        handler=remove_adjustment,
        answer=Deleted,
        example=Example(path={"adjustment": MADE_ADJUSTMENT}),
    ),
    Route(
        method="POST",
        path="/periods/{org}/{period}/close",
        permission=May.CLOSE_PERIODS,
        handler=close_period,
        body=CloseBody,
        answer=PeriodClosed,
        repeatable=False,
        example=Example(
            path={"org": "acme", "period": _PERIOD}, body={"timezone": "Europe/Berlin", "allow_unpriced": True}
        ),
    ),
    Route(
        method="GET",
        path="/statements",
        permission=May.READ_SPEND,
        handler=list_statements,
        query=StatementQuery,
        answer=Listing[StatementSums],
        row=StatementSums,
        example=Example(query=f"org=acme&period={_PERIOD}"),
    ),
    Route(
        method="GET",
        path="/statements/{org}/{number}",
        permission=May.READ_SPEND,
        handler=get_statement,
        query=StatementFileQuery,
        answer=StatementOut,
        files=(CSV,),
        example=Example(path={"org": "acme", "number": "1"}),
    ),
)
