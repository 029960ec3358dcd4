"""Negotiated adjustments: lines that people agreed on, for a month that is open."""

from proxy.admin.call import Answer, Call
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.common import Deleted, moment
from proxy.admin.shapes.statements import AdjustmentBody, AdjustmentOut, AdjustmentQuery
from proxy.billing import Adjustment, Period
from proxy.core.money import NotMoney, exact_usd, to_usd_text


def add_adjustment(call: Call) -> Answer:
    """Add a signed line to what an org, or a team of it, is charged for a month that is open."""
    body = call.body(AdjustmentBody)
    call.binding.require_rule(body.org, body.team)
    try:
        amount = exact_usd(body.amount_usd)
    except NotMoney as error:
        raise Refusal(Fault.INVALID_REQUEST, f"amount_usd: {error}.", param="amount_usd") from None
    call.rooms.key_store.org(body.org)
    if body.team is not None:
        call.rooms.key_store.team(body.org, body.team)
    made = call.rooms.adjustments.add(
        org=body.org,
        period=Period.of(body.period),
        kind=body.kind,
        amount=amount,
        by=call.identity.name,
        team=body.team or "",
        cost_center=body.cost_center,
        note=body.note,
    )
    shown = _shown(made)
    call.audit("adjustment.add", f"adjustments/{made.id}", org=made.org, team=made.team or None, after=shown)
    return Answer(shown, status=201)


def list_adjustments(call: Call) -> Answer:
    """The lines that the token reaches, in the order they were made."""
    asked = call.query(AdjustmentQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    (after,) = place_of(asked.page, 1)
    found = call.rooms.adjustments.list(org=org, team=team, period=asked.period)
    rest = [each for each in found if each.id > after]
    return Answer(listing(rest[: asked.limit + 1], asked.limit, _shown, lambda each: (each.id,)))


def remove_adjustment(call: Call) -> Answer:
    """Take a line back, as long as its month is open."""
    old = call.rooms.adjustments.get(call.path["adjustment"])
    if not call.binding.rules(old.org, old.team or None):
        raise Refusal(Fault.NOT_FOUND, f"There is no adjustment {old.id}.")
    call.rooms.adjustments.remove(old.id)
    call.audit("adjustment.remove", f"adjustments/{old.id}", org=old.org, team=old.team or None, before=_shown(old))
    return Answer(Deleted(id=old.id, object="adjustment"))


def _shown(line: Adjustment) -> AdjustmentOut:
    return AdjustmentOut(
        id=line.id,
        org=line.org,
        team=line.team,
        cost_center=line.cost_center,
        period=line.period,
        kind=line.kind,
        amount_usd=to_usd_text(line.amount),
        amount_nano=line.amount,
        note=line.note,
        by=line.made_by,
        at=moment(line.made_ns),
    )
