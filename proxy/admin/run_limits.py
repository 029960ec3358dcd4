"""How a run stands against the limits that are configured now, by the ledger's own counts."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

from proxy.admin.call import Call
from proxy.admin.run_search import FoundRun
from proxy.admin.shapes.runs import RunLimit, show_run
from proxy.budget import Balance, Unit
from proxy.core.money import Nano, to_usd_text
from proxy.journey.run_book import line_of
from proxy.runs import DERIVED, RunBound, RunBounds

_NS: Final = 1_000_000_000


async def limits_of(call: Call, found: FoundRun) -> tuple[RunLimit, ...]:
    """Every limit that holds for some call of the run."""
    book = await asyncio.to_thread(call.rooms.run_book)
    totals = found.totals
    derived = totals is not None and totals.source == DERIVED
    agents = (totals.agents if totals else ()) or ("",)
    per_agent = [book.limits.bounds(found.principal, agent, derived=derived) for agent in agents]
    counted = list(dict.fromkeys(bound for bounds in per_agent for bound in bounds.counted))
    lines = [line_of(found.principal, found.identity.run, bound, None) for bound in counted]
    balances = await call.rooms.runs.balances(lines)
    counts = [_counted(bound, balance) for bound, balance in zip(counted, balances, strict=True)]
    return (*counts, *_times(call, found, per_agent))


def _counted(bound: RunBound, balance: Balance) -> RunLimit:
    amounts: dict[str, int] = {
        "limit": bound.most,
        "used": balance.spent,
        "held": balance.held,
        "remaining": max(0, bound.most - balance.spent - balance.held),
    }
    told: dict[str, Any] = dict(amounts)
    if balance.line.unit is Unit.USD:
        told = {f"{name}_usd": to_usd_text(Nano(amount)) for name, amount in amounts.items()}
        told |= {f"{name}_nano": amount for name, amount in amounts.items()}
    return RunLimit(what=bound.what, said_of=bound.said_of, agent=bound.agent, **told)


def _times(call: Call, found: FoundRun, per_agent: Sequence[RunBounds]) -> Iterator[RunLimit]:
    seconds = [(each.seconds, each.seconds_of) for each in per_agent if each.seconds is not None]
    if seconds:
        began_ns = found.live.started_ns if found.live else 0
        passed = max(0, call.now_ns() - began_ns) // _NS if began_ns else 0
        yield _plain("seconds", *min(seconds), passed)
    depths = [(each.depth, each.depth_of) for each in per_agent if each.depth is not None]
    if depths:
        yield _plain("depth", *min(depths), show_run(found).depth)


def _plain(what: Literal["seconds", "depth"], limit: int, said_of: str, used: int) -> RunLimit:
    return RunLimit(what=what, said_of=said_of, limit=limit, used=used, remaining=max(0, limit - used))
