"""Targets of routes beside each other: which does better, and which was rolled back."""

import asyncio
from datetime import timedelta
from typing import Final

from proxy.admin.call import Answer, Call
from proxy.admin.checking import refused
from proxy.admin.faults import Problem
from proxy.admin.shapes.common import to_ns
from proxy.admin.shapes.variants import Variants, VariantsQuery, show_variant
from proxy.core.clock import utc
from proxy.telemetry import VariantsQuery as Question

DAYS: Final = 1


async def compare_variants(call: Call) -> Answer:
    """What requests to targets with names came to, beside each other."""
    asked = call.query(VariantsQuery)
    org, team = call.binding.narrowed(asked.org, asked.team)
    end = utc(to_ns("end_time", asked.end_time) or call.now_ns())
    start_ns = to_ns("start_time", asked.start_time)
    start = end - timedelta(days=DAYS) if start_ns is None else utc(start_ns)
    if start >= end:
        raise refused([Problem("start_time", "must lie before end_time")])
    found = await call.rooms.reader.variants(Question(start, end, org, asked.route, team))
    switches = await asyncio.to_thread(call.rooms.switch_store.load)
    shown = []
    for each in found:
        off = None if each.is_copy else switches.of_variant(each.route, each.variant)
        shown.append(show_variant(each, "" if off is None else off.id, "" if off is None else off.reason))
    return Answer(Variants(start_time=start, end_time=end, data=tuple(shown)))
