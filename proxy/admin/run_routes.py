"""The routes of runs, as the one table takes them."""

from typing import Final

from proxy.admin.desks.runs import get_run, kill_run, list_runs
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.common import Listing
from proxy.admin.shapes.runs import KillBody, Run, RunExplained, RunKilled, RunOfQuery, RunQuery

EXAMPLE_RUN: Final = "nightly-report-42"
_RUN: Final = {"run": EXAMPLE_RUN}
_WHOSE: Final = "org=acme&team=support&key=bot"

RUN_ROUTES: Final = (
    Route(
        method="GET",
        path="/runs",
        permission=May.READ_RUNS,
        handler=list_runs,
        query=RunQuery,
        answer=Listing[Run],
        row=Run,
        example=Example(query="org=acme&agent=triage&state=open&limit=10"),
    ),
    Route(
        method="GET",
        path="/runs/{run}",
        permission=May.READ_RUNS,
        handler=get_run,
        query=RunOfQuery,
        answer=RunExplained,
        example=Example(path=_RUN, query=_WHOSE),
    ),
    Route(
        method="POST",
        path="/runs/{run}/kill",
        permission=May.STOP_RUNS,
        handler=kill_run,
        query=RunOfQuery,
        body=KillBody,
        answer=RunKilled,
        repeatable=False,
        example=Example(path=_RUN, query=_WHOSE, body={"reason": "loops over the same file"}),
    ),
)
