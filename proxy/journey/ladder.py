"""The steps of a ladder that change a call: another model, a delay, answers from memory only (DESIGN §6)."""

import asyncio
import contextlib
import logging
from fnmatch import fnmatchcase

from proxy.budget import HoldLine, Reached, Rung, reached
from proxy.core.outcome import Outcome
from proxy.core.refusal import Refusal, Refused
from proxy.journey.call_facts import call_facts
from proxy.journey.estimate import above
from proxy.journey.observe import named
from proxy.journey.refusals import cached_only, facts_of, noun
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.upstream import UpstreamFailed

log = logging.getLogger("flyball.journey")


async def climb(journey: Journey, at: Reached, rooms: Rooms) -> bool:
    """Deal with the lowest rung that the call has reached and not climbed yet; whether it got another model by it.

    Otherwise it is to be held again, past that rung.

    Raises:
        Refused: BUDGET_EXCEEDED where only a cached answer would do, RATE_LIMITED when too many calls are delayed.
        UpstreamFailed: the client left while it was delayed.
    """
    line = at.line
    climbed = journey.measured.climbed.setdefault(line.budget, set())
    rungs = [rung for rung in reached(line, at.spent, at.held, at.wanted) if rung not in climbed]
    is_cached = journey.looked is not None and journey.looked.answer is not None
    for rung in rungs:
        climbed.add(rung)
        if is_cached and rung.do in ("downgrade", "cache_only"):
            continue
        if rung.do == "downgrade" and _downgraded(journey, line, rung):
            return True
        if rung.do == "cache_only":
            _note(journey, line, rung)
            raise cached_only(journey, at, rooms.settings)
        if rung.do == "throttle":
            await _throttle(journey, at, rung, rooms)
            break
    if not rungs:
        climbed.update(line.ladder)
    journey.lines = above(journey.lines, journey.measured.climbed)
    return False


def _downgraded(journey: Journey, line: HoldLine, rung: Rung) -> bool:
    """Whether the call has another model now: once in its life, by the first pattern that its model matches."""
    asked = journey.model
    wanted = next((model for pattern, model in rung.to if fnmatchcase(asked, pattern)), asked)
    if journey.measured.is_downgraded or wanted == asked:
        return False
    try:
        journey.snapshot.router.resolve(wanted, facts=lambda: call_facts(journey))
    except Refused:
        log.warning("a ladder names a model that no route serves", extra={"budget": line.name, "model": wanted})
        return False
    journey.measured.is_downgraded = True
    journey.model = wanted
    _note(journey, line, rung)
    journey.say(f"downgraded from {asked[:200]} to {wanted}: {_named(line)}")
    return True


async def _throttle(journey: Journey, at: Reached, rung: Rung, rooms: Rooms) -> None:
    """Let the call wait, unless too many wait already; one whose client leaves meanwhile goes no further."""
    if rooms.throttled >= rooms.settings.max_throttled:
        raise _too_many(journey, at, rung)
    left = asyncio.Event()
    journey.exchange.watch(left.set)
    rooms.throttled += 1
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rung.delay_ms / 1000):
                await left.wait()
    finally:
        rooms.throttled -= 1
        journey.mark("throttle", rooms.clock.monotonic_ns())
    if left.is_set():
        journey.outcome = Outcome.CANCELLED
        journey.error = "client_left"
        raise UpstreamFailed("aborted", "the client left while its call was delayed", sent=False)
    _note(journey, at.line, rung)
    journey.say(f"delayed by {rung.delay_ms} ms: {_named(at.line)}")


def _too_many(journey: Journey, at: Reached, rung: Rung) -> Refused:
    return Refused(
        Refusal.RATE_LIMITED,
        f"The {_named(at.line)} delays every call by {rung.delay_ms} ms now, and as many wait as may.",
        facts={**facts_of(journey, at), "step": "throttle"},
        retry_after_s=-(-rung.delay_ms // 1000),
        by=named(at.line),
    )


def _named(line: HoldLine) -> str:
    return f"{noun(line)} {line.name}"


def _note(journey: Journey, line: HoldLine, rung: Rung) -> None:
    journey.measured.ladder.append(f"{rung.do}:{line.name}")
