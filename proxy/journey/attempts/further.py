"""further: the request that follows on one that failed, or stands beside one that is slow; with its money held."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from msgspec import structs

from proxy.core.outcome import Outcome
from proxy.core.refusal import Refused
from proxy.journey.attempts.purse import Purse
from proxy.journey.attempts.tried import Tried, begin, own_estimate
from proxy.journey.decide import decide
from proxy.journey.rooms import Rooms
from proxy.journey.running import refuse_killed
from proxy.journey.state import Estimate, Journey
from proxy.journey.switched import look_again
from proxy.journey.translated import choose
from proxy.policy import Point
from proxy.routing import AttemptSettings, Course, Fault, Step

_ROUTE: Final = Point.ROUTE
_NS: Final = 1_000_000_000
_TRIES_ITSELF: Final = b"x-stainless-retry-count"
"""SDKs count their own retries in it."""


class Further:
    """What of one call's course can be gone: only what nothing says no to, fits the client's request and is covered."""

    def __init__(self, journey: Journey, rooms: Rooms) -> None:
        self.not_asked: list[str] = []
        """Whom the call could have gone on to, and why it was not."""
        self._journey = journey
        self._rooms = rooms
        resolution, ranking, candidate = journey.resolution, journey.ranking, journey.candidate
        if resolution is None or candidate is None:
            raise RuntimeError("a call is sent before a target was selected")
        self.settings = _settings_for(journey, resolution.plan.attempts)
        order = (candidate,) if ranking is None else ranking.candidates
        self.course = Course(order, self.settings, rooms.allowances, random.random)
        self.first = Tried(Step(candidate), journey.translation)
        self._purse = Purse(journey, rooms)
        self._began_ns = rooms.clock.monotonic_ns()
        self._revision = journey.snapshot.policy.revision

    def begin(self, tried: Tried) -> None:
        """It is made now."""
        self.course.begin(tried.step)
        begin(tried, self._journey, self._rooms)

    async def after(self, failed: Tried, fault: Fault, running: Sequence[Tried] = ()) -> Tried | None:
        """The request in the place of one that failed, or that nobody waits for any more; None where there is none.

        Raises:
            Refused: as `look` does.
        """
        if fault.trigger is None or self._journey.exchange.gone():
            return None
        return await self._possible(lambda at_s: self.course.after(failed.step.candidate, fault, at_s), running)

    async def beside(self, slow: Tried) -> Tried | None:
        """The request that is made beside a slow one; None where there is none.

        Raises:
            Refused: as `look` does.
        """
        if self._journey.exchange.gone():
            return None
        return await self._possible(lambda at_s: self.course.beside(slow.step.candidate, at_s), (slow,))

    async def look(self) -> None:
        """Whatever has been said no to since the call was let through: kill switches, killed runs, a changed policy.

        Raises:
            Refused: POLICY_DENIED, RUN_STOPPED, DEPENDENCY_UNAVAILABLE.
        """
        journey, rooms = self._journey, self._rooms
        try:
            look_again(journey, rooms)
            if rooms.killed:
                refuse_killed(journey, rooms)
            policy = rooms.snapshot().policy
            if policy.revision != self._revision:
                self._revision = policy.revision
                journey.snapshot = replace(journey.snapshot, policy=policy)
                await decide(journey, rooms, _ROUTE)
        except Refused:
            journey.outcome = Outcome.REFUSED
            raise

    async def _possible(self, ask: Callable[[float], Step | None], running: Sequence[Tried]) -> Tried | None:
        """The first step of those there are that can be made."""
        worst = tuple([await own_estimate(each, self._journey, self._rooms) for each in running])
        while (step := ask((self._rooms.clock.monotonic_ns() - self._began_ns) / _NS)) is not None:
            following = await self._made(step, worst)
            if isinstance(following, Tried):
                return following
            self.course.drop(step)
            self.not_asked.append(f"{step.candidate.provider} ({following})")
        return None

    async def _made(self, step: Step, running: tuple[Estimate, ...]) -> Tried | str:
        """The request that a step means, its money held; or why it cannot be made."""
        journey, candidate = self._journey, step.candidate
        await self.look()
        if journey.resolution is None or candidate not in journey.resolution.candidates:
            return "left out meanwhile"
        if not step.is_retry and (look := self._rooms.health.look(candidate)).wait_s:
            return look.why
        if not step.is_retry and journey.snapshot.providers[candidate.provider].passes_credentials:
            return "the client's credential is another provider's"
        try:
            await choose(journey, (candidate,))
            following = Tried(step, journey.translation)
            wanted = await own_estimate(following, journey, self._rooms)
        except Refused as no:
            return no.why.code if no.param is None else f"{no.why.code}: {no.param}"
        if await self._is_too_dear(wanted, running):
            return "too dear"
        short = await self._purse.covers(wanted, running)
        return short or following

    async def _is_too_dear(self, wanted: Estimate, running: tuple[Estimate, ...]) -> bool:
        ratio = self.settings.fallback.max_cost_ratio
        if ratio is None:
            return False
        first = await own_estimate(self.first, self._journey, self._rooms)
        return self._purse.spent(running) + wanted.amount > ratio * first.amount


def _settings_for(journey: Journey, settings: AttemptSettings) -> AttemptSettings:
    """What the route says. A client that tries again itself is not tried again for: two layers would multiply."""
    if journey.call.headers.get(_TRIES_ITSELF, b"0") == b"0":
        return settings
    return structs.replace(settings, retry=replace(settings.retry, times=0))
