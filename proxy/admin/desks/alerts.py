"""Alerts: which there were, and whether a receiver can be told."""

from proxy.admin.call import Answer, Call
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.alerts import AlertQuery, AlertTest, AlertTestBody, show_alert
from proxy.admin.shapes.common import to_ns
from proxy.budget import Alerting, Answered, NotPosted, Receiver


def list_alerts(call: Call) -> Answer:
    """The alerts of what the token reaches, the last raised first, and how far receivers have been told."""
    asked = call.query(AlertQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    (before,) = place_of(asked.page, 1)
    found = _alerting(call).outbox.newest(
        limit=asked.limit + 1,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None,
        org=org,
        team=team,
        budget=asked.budget,
        kind=asked.kind,
        state=asked.state,
        since_ns=to_ns("start_time", asked.start_time),
        until_ns=to_ns("end_time", asked.end_time),
    )
    return Answer(listing(found, asked.limit, show_alert, lambda each: (str(each.number),)))


async def test_receiver(call: Call) -> Answer:
    """Send one test alert to a receiver, once, and tell what it answered."""
    alerting = _alerting(call)
    receiver = _receiver(call, alerting, call.body(AlertTestBody).receiver)
    began_ns = call.rooms.clock.monotonic_ns()
    answered, error = Answered(0), ""
    try:
        _, answered = await alerting.test(receiver)
    except NotPosted as problem:
        error = str(problem)
    return Answer(
        AlertTest(
            receiver=receiver.name,
            delivered=200 <= answered.status < 300,
            status=answered.status or None,
            answer=answered.said,
            error=error,
            duration_ms=(call.rooms.clock.monotonic_ns() - began_ns) // 1_000_000,
        )
    )


def _alerting(call: Call) -> Alerting:
    if call.rooms.alerts is None:
        raise Refusal(Fault.PATH_NOT_FOUND, "This server raises no alerts.")
    return call.rooms.alerts


def _receiver(call: Call, alerting: Alerting, name: str) -> Receiver:
    """The receiver of that name; one that is also told of other orgs is not there for a bound token."""
    org, team = call.binding.org, call.binding.team
    for receiver in alerting.receivers:
        if receiver.name == name and team is None and (org is None or receiver.orgs == {org}):
            return receiver
    raise Refusal(Fault.NOT_FOUND, f"There is no receiver {name}.", param="receiver")
