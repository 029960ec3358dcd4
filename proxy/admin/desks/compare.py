"""Spend of two times beside each other."""

from datetime import UTC, datetime

from proxy.admin.call import Answer, Call
from proxy.admin.checking import refused
from proxy.admin.desks.spend_asked import bad_tags, filters_within, in_store
from proxy.admin.faults import Problem
from proxy.admin.shapes.compare import CompareBody, SpendComparison, SpendMover, SpendMovers, SpendTerm
from proxy.core.money import Nano, to_usd_text
from proxy.telemetry import CompareQuery, Comparison, Mover, Side


async def compare_spend(call: Call) -> Answer:
    """Why spend is another than it was: the difference as six terms that add up to it exactly, and who moved it.

    The terms are defined in docs/spend.md.
    """
    asked = call.query(CompareBody)
    _check(asked)
    by = None if asked.by is None else in_store([asked.by])[0]
    found = await call.rooms.reader.compare(
        CompareQuery(
            org=call.binding.org,
            now=_span(asked.start_time, asked.end_time),
            before=_span(asked.vs_start_time, asked.vs_end_time),
            filters=filters_within(call, asked),
            by=by,
            movers=asked.movers,
        )
    )
    return Answer(_shown(asked, found))


def _check(asked: CompareBody) -> None:
    problems = bad_tags(asked.tag)
    for start, end in (("start_time", "end_time"), ("vs_start_time", "vs_end_time")):
        if getattr(asked, end) <= getattr(asked, start):
            problems.append(Problem(end, f"must lie after {start}"))
    if problems:
        raise refused(problems)


def _span(start_s: int, end_s: int) -> tuple[datetime, datetime]:
    return datetime.fromtimestamp(start_s, UTC), datetime.fromtimestamp(end_s, UTC)


def _shown(asked: CompareBody, found: Comparison) -> SpendComparison:
    delta = Nano(found.now.cost - found.before.cost)
    return SpendComparison(
        start_time=asked.start_time,
        end_time=asked.end_time,
        vs_start_time=asked.vs_start_time,
        vs_end_time=asked.vs_end_time,
        cost_usd=to_usd_text(found.now.cost),
        cost_nano=found.now.cost,
        vs_cost_usd=to_usd_text(found.before.cost),
        vs_cost_nano=found.before.cost,
        delta_usd=to_usd_text(delta),
        delta_nano=delta,
        paid_calls=_paid(found.now),
        vs_paid_calls=_paid(found.before),
        cached_calls=found.now.cached,
        vs_cached_calls=found.before.cached,
        terms=tuple(
            SpendTerm(name=term.value, delta_usd=to_usd_text(amount), delta_nano=amount)
            for term, amount in found.terms.items()
        ),
        movers=tuple(
            SpendMovers(by="end_user" if by == "user" else by, data=tuple(_mover(each) for each in movers))
            for by, movers in found.movers.items()
        ),
    )


def _paid(side: Side) -> int:
    return sum(used.calls for used in side.models.values())


def _mover(mover: Mover) -> SpendMover:
    delta = Nano(mover.now - mover.before)
    return SpendMover(
        group={"end_user" if name == "user" else name: value for name, value in mover.group.items()},
        delta_usd=to_usd_text(delta),
        delta_nano=delta,
        cost_usd=to_usd_text(mover.now),
        vs_cost_usd=to_usd_text(mover.before),
        calls=mover.calls,
        vs_calls=mover.calls_before,
        first_call_at=None if mover.first_at is None else f"{mover.first_at:%Y-%m-%dT%H:%M:%S}Z",
        first_operation=mover.first_operation or None,
    )
