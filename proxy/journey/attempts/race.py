"""race: a stream that is slow to begin is waited for only so long, or not alone."""

import asyncio
from typing import Final

from proxy.journey.attempts.further import Further
from proxy.journey.attempts.tried import Tried, abandon, bill_left, carry_out, drop
from proxy.journey.attempts.trouble import SLOW_START
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.routing import AttemptSettings, Fault

_SLOW: Final = Fault("slow_start", SLOW_START, billed=True)
_BEATEN: Final = Fault(None, "hedged", billed=True)


def is_timed(journey: Journey, settings: AttemptSettings) -> bool:
    """Whether somebody waits for the first token only so long: a stream's; a whole answer is billed in full anyway."""
    return journey.request.streamed and (_slow_ms(settings) is not None or settings.hedge.after_ms is not None)


async def raced(first: Tried, journey: Journey, rooms: Rooms, further: Further) -> Tried:
    """Of the requests under way the first that is answered, or the last that fails; the others are dropped.

    Raises:
        Refused: POLICY_DENIED or RUN_STOPPED by what was said no to meanwhile; DEPENDENCY_UNAVAILABLE.
        UpstreamFailed: the client has left.
    """
    return await _Race(journey, rooms, further).won(first)


class _Race:
    """Requests of one call that are under way at the same time: the newest is the last."""

    def __init__(self, journey: Journey, rooms: Rooms, further: Further) -> None:
        self._journey = journey
        self._rooms = rooms
        self._further = further
        self._running: list[Tried] = []
        self._waits_for_ever: set[str] = set()
        self._is_hedged = False

    async def won(self, first: Tried) -> Tried:
        """See `raced`."""
        running = self._running
        self._start(first)
        try:
            while True:
                tasks = [each.task for each in running if each.task is not None]
                await asyncio.wait(tasks, timeout=self._patience_s(), return_when=asyncio.FIRST_COMPLETED)
                ended = next((each for each in running if each.task is not None and each.task.done()), None)
                if ended is None or ended.task is None:
                    await self._lose_patience()
                    continue
                ended.task.result()
                if ended.fault is None or len(running) == 1:
                    running.remove(ended)
                    return ended
                await bill_left(ended, ended.fault, self._journey, self._rooms)
                drop(ended, self._rooms)
                running.remove(ended)
        finally:
            for each in running:
                await abandon(each, _BEATEN, self._journey, self._rooms)

    def _start(self, tried: Tried) -> None:
        """Send what was begun in a task of its own."""
        self._running.append(tried)
        work = carry_out(tried, self._journey, self._rooms, self._further.settings.fallback)
        tried.task = asyncio.get_running_loop().create_task(work)

    def _due_ms(self) -> tuple[int | None, int | None]:
        """After how long the newest is given up, and after how long another is asked beside it; None: never."""
        settings, newest = self._further.settings, self._running[-1]
        slow = None if newest.begun.id in self._waits_for_ever else _slow_ms(settings)
        hedge = settings.hedge.after_ms if len(self._running) == 1 and not self._is_hedged else None
        return slow, hedge

    def _since_ms(self) -> float:
        return (self._rooms.clock.monotonic_ns() - self._running[-1].begun.started_ns) / 1_000_000

    def _patience_s(self) -> float | None:
        due = [each for each in self._due_ms() if each is not None]
        return max(0.0, min(due) - self._since_ms()) / 1000 if due else None

    async def _lose_patience(self) -> None:
        slow, hedge = self._due_ms()
        since_ms = self._since_ms()
        if slow is not None and since_ms >= slow:
            await self._replace()
        elif hedge is not None and since_ms >= hedge:
            await self._ask_beside()

    async def _replace(self) -> None:
        """Ask the next target in the place of the newest; where there is none that one is waited for after all."""
        newest = self._running[-1]
        following = await self._further.after(newest, _SLOW, self._running)
        if following is None:
            self._waits_for_ever.add(newest.begun.id)
            return
        if newest.task is not None and newest.task.done():
            return  # it has ended meanwhile, and is looked at first; what is held more goes back in the end
        await abandon(newest, _SLOW, self._journey, self._rooms)
        self._running.remove(newest)
        self._further.begin(following)
        self._start(following)
        failed, other = newest.step.candidate.provider, following.step.candidate.provider
        self._journey.say(f"fell back from {failed} (slow_start) to {other}")

    async def _ask_beside(self) -> None:
        """Ask the next target beside the one that is under way, once in a race."""
        slow = self._running[-1]
        self._is_hedged = True
        following = await self._further.beside(slow)
        if following is None or (slow.task is not None and slow.task.done()):
            return
        self._further.course.spend_hedge(slow.step.candidate)
        self._further.begin(following)
        self._start(following)
        self._journey.say(f"asked {following.step.candidate.provider} beside {slow.step.candidate.provider}")


def _slow_ms(settings: AttemptSettings) -> int | None:
    return settings.fallback.slow_start_ms if "slow_start" in settings.fallback.when else None
