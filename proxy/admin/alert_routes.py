"""The routes of alerts, of what enforcement would do, and of targets beside each other."""

from typing import Final

from proxy.admin.desks.alerts import list_alerts, test_receiver
from proxy.admin.desks.observe import report_observed
from proxy.admin.desks.variants import compare_variants
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.alerts import Alert, AlertQuery, AlertTest, AlertTestBody
from proxy.admin.shapes.common import Listing
from proxy.admin.shapes.observe import ObserveQuery, ObserveReport
from proxy.admin.shapes.variants import Variants, VariantsQuery

ALERT_ROUTES: Final = (
    Route(
        method="GET",
        path="/alerts",
        permission=May.READ_BUDGETS,
        handler=list_alerts,
        query=AlertQuery,
        answer=Listing[Alert],
        row=Alert,
        example=Example(query="org=acme&state=sent&limit=20"),
    ),
    Route(
        method="POST",
        path="/alerts/test",
        permission=May.CHANGE_BUDGETS,
        handler=test_receiver,
        body=AlertTestBody,
        answer=AlertTest,
        repeatable=False,
        example=Example(body={"receiver": "ops"}),
    ),
    Route(
        method="GET",
        path="/observe",
        permission=May.READ_SPEND,
        handler=report_observed,
        query=ObserveQuery,
        answer=ObserveReport,
        example=Example(query="org=acme&start_time=2026-11-13T00:00:00Z&end_time=2026-11-20T00:00:00Z"),
    ),
    Route(
        method="GET",
        path="/variants",
        permission=May.READ_SPEND,
        handler=compare_variants,
        query=VariantsQuery,
        answer=Variants,
        example=Example(query="route=assistant&start_time=2026-11-19T00:00:00Z&end_time=2026-11-20T00:00:00Z"),
    ),
)
