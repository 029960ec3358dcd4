"""The routes of kill switches."""

from typing import Final

from proxy.admin.desks.switches import get_switch, lift_switch, list_switches, set_switch
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.common import Listing
from proxy.admin.shapes.switches import KillSwitch, SwitchBody, SwitchQuery

MADE_SWITCH: Final = "kil_019a9f3c8e007b4c8000000000000002"
"""Stands in the examples for the id of the kill switch that they set."""
_SWITCH: Final = {"switch": MADE_SWITCH}

SWITCH_ROUTES: Final = (
    Route(
        method="POST",
        path="/kill-switches",
        permission=May.SET_SWITCHES,
        handler=set_switch,
        body=SwitchBody,
        answer=KillSwitch,
        status=201,
        example=Example(
            body={
                "target": "agent:acme/triage",
                "reason": "It loops, and every turn costs.",
                "expires_at": "2099-01-01T00:00:00Z",
            }
        ),
    ),
    Route(
        method="GET",
        path="/kill-switches",
        permission=May.READ_SWITCHES,
        handler=list_switches,
        query=SwitchQuery,
        answer=Listing[KillSwitch],
        row=KillSwitch,
        example=Example(query="state=on&limit=20"),
    ),
    Route(
        method="GET",
        path="/kill-switches/{switch}",
        permission=May.READ_SWITCHES,
        handler=get_switch,
        answer=KillSwitch,
        example=Example(path=_SWITCH),
    ),
    Route(
        method="POST",
        path="/kill-switches/{switch}/lift",
        permission=May.LIFT_SWITCHES,
        handler=lift_switch,
        answer=KillSwitch,
        repeatable=False,
        example=Example(path=_SWITCH),
    ),
)
