"""The Redis ledger: waiting steps go over one connection in one write, and a slow server is left alone."""

import asyncio
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from redis.exceptions import RedisError

from proxy.budget.ledger import (
    RUN_MEMORY_S,
    Balance,
    Extension,
    Granted,
    HoldLine,
    HoldLost,
    HoldRequest,
    Lapsed,
    Ledger,
    LedgerUnavailable,
    RunState,
    Settled,
    Unit,
    Verdict,
)
from proxy.budget.redis.breaker import Breaker
from proxy.budget.redis.keys import Keys
from proxy.budget.redis.link import Link, LinkBroken
from proxy.budget.redis.questions import Balances, Ended, Look, Owned
from proxy.budget.redis.runs import KilledRuns, KillRun, Runs
from proxy.budget.redis.settings import RedisSettings
from proxy.budget.redis.steps import Answer, Dispatch, Extend, Hold, Release, Renew, Settle, Step
from proxy.budget.settings import BudgetSettings
from proxy.budget.steps import MOST
from proxy.core.clock import Clock
from proxy.core.money import Nano

_LINES_AT_ONCE: Final = 64
_NOTHING_USED: Final[Mapping[Unit, int]] = {}
_ONE_COUNTERS_FAULT: Final = "FULL"
_LEFT_ALONE: Final = "Redis failed several times in a row and is left alone for a moment"


@dataclass(slots=True)
class RedisFigures:
    """What a ledger did in this process, for its metrics. Times in nanoseconds."""

    steps: int = 0
    exchanges: int = 0
    longest_exchange_ns: int = 0
    broken: int = 0
    refused_open: int = 0
    timed_out: int = 0
    orphans_released: int = 0
    unknown_settled: int = 0


class RedisLedger:
    """A ledger in Redis 7 or newer, shared by all who name it; one object per process, used from one event loop.

    A step is appended to a queue. One task sends all that wait by then in one write and reads the answers in order,
    so that any number of callers needs one connection. Every step may be sent twice, or arrive late, and counts once.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        settings: BudgetSettings | None = None,
        redis: RedisSettings | None = None,
        run_memory_s: int = RUN_MEMORY_S,
    ) -> None:
        """Connects with the first step. `run_memory_s` is how long a run is remembered after its last call.

        Raises:
            ValueError: a URL or a name that cannot be meant.
        """
        self._clock = clock
        self._settings = settings or BudgetSettings()
        self._redis = redis or RedisSettings()
        self._run_memory_s = run_memory_s
        self._keys = Keys(self._redis.name)
        self._link = Link(url, deadline_s=self._redis.deadline_ms / 1000)
        self._breaker = Breaker(failures=self._redis.failures, pause_s=self._redis.pause_ms / 1000)
        self._waiting: deque[Step[Any]] = deque()
        self._orphans: deque[Step[Any]] = deque()
        self._lines: dict[str, tuple[HoldLine, ...]] = {}
        self._process = os.urandom(6).hex().encode()
        self._numbers = count(1)
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._asking_s = 0.0
        self._closing = False
        self.figures = RedisFigures()

    # -- the door ---------------------------------------------------------------------------------------------------

    async def hold(self, request: HoldRequest) -> Verdict:
        """See Ledger.hold."""
        _check(request.amount, *[line.amount for line in request.lines if line.amount is not None])
        if len(self._waiting) >= self._settings.max_waiting:
            raise LedgerUnavailable(f"{len(self._waiting)} steps are waiting already")
        step = Hold(self._keys, request, self._mark(), self._clock.now_ns(), self._run_memory_s)
        try:
            verdict = await self._ask(step)
        except asyncio.CancelledError:
            if step.sent:
                self._abandon(step)
            raise
        if type(verdict) is Granted:
            self._lines[request.operation] = request.lines
        return verdict

    async def dispatch(self, operation: str, worker: str, *, start_record: bytes | None = None) -> None:
        """See Ledger.dispatch."""
        await self._ask(Dispatch(self._keys, operation, worker, start_record))

    async def extend(self, operation: str, more: Mapping[Unit, int]) -> Extension:
        """See Ledger.extend. One that was not answered may stay held beside its repetition, until the call ends."""
        _check(*more.values())
        lines = self._lines.get(operation)
        if lines is None:
            raise HoldLost(operation)
        return await self._ask(Extend(self._keys, operation, self._process, next(self._numbers), more, lines))

    async def settle(
        self, operation: str, cost: Nano, at_ns: int, *, used: Mapping[Unit, int] | None = None, by: str = ""
    ) -> Settled:
        """See Ledger.settle. How long it is remembered is counted by the server, not from `at_ns`."""
        used = used or _NOTHING_USED
        _check(cost, *used.values())
        self._lines.pop(operation, None)
        settled = await self._ask(Settle(self._keys, operation, cost, used, self._settings.settled_memory_s, by))
        if settled.unknown:
            self.figures.unknown_settled += 1
        return settled

    async def release(self, operation: str, *, only_held: bool = False) -> bool:
        """See Ledger.release."""
        if not only_held:
            self._lines.pop(operation, None)
        released = await self._ask(Release(self._keys, operation, self._mark(), only_held=only_held))
        if released:
            self._lines.pop(operation, None)
        return released

    async def renew(self, worker: str, until_ns: int) -> None:
        """See Ledger.renew."""
        await self._ask(Renew(self._keys, worker, until_ns, self._clock.now_ns()))

    async def lapsed(self, now_ns: int) -> list[Lapsed]:
        """See Ledger.lapsed. Of other hosts' workers too: the ledger is theirs as well."""
        instant, operations = await self._ask(Ended(self._keys, now_ns, self._clock.now_ns()))
        return [hold for lease, hold in await self._look(operations) if lease < instant]

    async def holds_of(self, worker: str) -> list[Lapsed]:
        """See Ledger.holds_of."""
        operations = await self._ask(Owned(self._keys, worker))
        return [hold for _, hold in await self._look(operations) if hold.worker == worker]

    async def balances(self, lines: Sequence[HoldLine]) -> tuple[Balance, ...]:
        """See Ledger.balances. More lines than 64 are read in parts, each as of its own moment."""
        parts = [lines[at : at + _LINES_AT_ONCE] for at in range(0, len(lines), _LINES_AT_ONCE)]
        read = await asyncio.gather(*[self._ask(Balances(self._keys, part)) for part in parts])
        return tuple([balance for part in read for balance in part])

    async def kill_run(self, org: str, key_id: str, name: str, at_ns: int) -> bool:
        """See Ledger.kill_run."""
        run, now_ns = (org, key_id, name), self._clock.now_ns()
        return await self._ask(KillRun(self._keys, run, at_ns, now_ns, self._run_memory_s))

    async def runs(self, org: str | None = None, limit: int = 100, before_ns: int | None = None) -> list[RunState]:
        """See Ledger.runs."""
        return await self._ask(Runs(self._keys, org, limit, before_ns, self._clock.now_ns()))

    async def killed_runs(self, since_ns: int) -> frozenset[tuple[str, str, str]]:
        """See Ledger.killed_runs."""
        return await self._ask(KilledRuns(self._keys, since_ns, self._clock.now_ns()))

    async def close(self) -> None:
        """See Ledger.close."""
        self._closing = True
        self._wake.set()
        if self._runner is not None:
            await asyncio.wait([self._runner])
        await self._link.close()

    # -- waiting ----------------------------------------------------------------------------------------------------

    def _ask(self, step: Step[Answer]) -> asyncio.Future[Answer]:
        """Queue a step; the future is done when it was answered."""
        if self._closing:
            raise LedgerUnavailable("this ledger was closed")
        loop = asyncio.get_running_loop()
        if self._breaker.state(loop.time()) == "open":
            self.figures.refused_open += 1
            raise LedgerUnavailable(_LEFT_ALONE)
        step.future = loop.create_future()
        step.since_s = self._asking_s
        self._waiting.append(step)
        self._start(loop)
        return step.future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._wake.set()
        if self._runner is None or self._runner.done():
            self._runner = loop.create_task(self._run())
            self._runner.add_done_callback(self._ended)

    def _ended(self, runner: asyncio.Task[None]) -> None:
        """Closed, or cancelled with its loop, or a fault of ours: nobody may wait for a task that is no more."""
        if not runner.cancelled() and (fault := runner.exception()) is not None:
            runner.get_loop().call_exception_handler({"message": "the ledger's task failed", "exception": fault})
            self._refuse_waiting(f"a step failed: {fault!r}")

    async def _look(self, operations: Sequence[str]) -> list[tuple[int, Lapsed]]:
        looks = await asyncio.gather(*[self._ask(Look(self._keys, operation)) for operation in operations])
        holds = [look for look in looks if look is not None]
        return sorted(holds, key=lambda look: (look[1].charged_at_ns, look[1].operation))

    def _mark(self) -> bytes:
        return b"%b.%d" % (self._process, next(self._numbers))

    def _abandon(self, hold: Hold) -> None:
        """Nobody knows of that hold but us, if it was made: give it back, or see to it that it never is."""
        if hold.abandoned:
            return
        hold.abandoned = True
        self.figures.orphans_released += 1
        self._orphans.append(Release(self._keys, hold.request.operation, self._mark(), hold_mark=hold.mark))
        self._wake.set()

    # -- the one task -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Send what waits until the ledger is closed."""
        loop = asyncio.get_running_loop()
        while True:
            state = self._breaker.state(loop.time())
            if state == "open":
                self._refuse_waiting(_LEFT_ALONE)
                if self._closing:
                    return
                # Those who ask meanwhile are refused at once; only what nobody waits for is kept.
                await self._rest(loop, self._breaker.opens_until)
                continue
            batch = self._take(1 if state == "trial" else self._settings.batch_steps)
            if batch:
                await self._carry_out(batch, loop)
            elif self._closing:
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _rest(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        self._wake.clear()
        timer = loop.call_at(until, self._wake.set)
        await self._wake.wait()
        timer.cancel()

    def _take(self, most: int) -> list[Step[Any]]:
        # Only time that Redis took counts, not time in which this process did something else.
        since_s = self._asking_s - self._redis.patience_ms / 1000
        batch: list[Step[Any]] = []
        while len(batch) < most and (self._orphans or self._waiting):
            step = self._orphans.popleft() if self._orphans else self._waiting.popleft()
            future = step.future
            if future is not None and step.droppable and future.done():
                continue
            if future is not None and step.since_s < since_s and not _is_orphan(step):
                self.figures.timed_out += 1
                _answer(future, LedgerUnavailable("Redis was too slow for all that waited"))
                continue
            step.sent = True
            batch.append(step)
        return batch

    async def _carry_out(self, batch: list[Step[Any]], loop: asyncio.AbstractEventLoop) -> None:
        began_s = loop.time()
        try:
            replies = await self._link.exchange(batch)
        except LinkBroken as broken:
            self._break(batch, str(broken), loop.time())
            return
        except BaseException as fault:
            self._break(batch, f"a step failed: {fault!r}", loop.time())
            raise
        finally:
            took_s = loop.time() - began_s
            self._asking_s += took_s
        figures = self.figures
        figures.steps += len(batch)
        figures.exchanges += 1
        figures.longest_exchange_ns = max(figures.longest_exchange_ns, int(took_s * 1e9))
        refused = [reply for reply in replies if isinstance(reply, RedisError) and not _is_one_counters(reply)]
        if refused:
            self.figures.broken += 1
            self._breaker.failed(loop.time())
        else:
            self._breaker.succeeded()
        for step, reply in zip(batch, replies, strict=True):
            self._read(step, reply)

    def _read(self, step: Step[Any], reply: Any) -> None:
        future = step.future
        if isinstance(reply, RedisError):
            if _is_orphan(step) and not _is_one_counters(reply):
                self._orphans.append(step)
            outcome: object = LedgerUnavailable(f"Redis refused: {reply}")
        else:
            try:
                outcome = step.read(reply)
            except HoldLost as lost:
                outcome = lost
            except Exception as error:  # noqa: BLE001 - a reply that is none of our scripts' must not leave its asker, and all behind it, waiting
                outcome = LedgerUnavailable(f"Redis answered what no script of ours says: {error!r}")
        if future is not None:
            _answer(future, outcome)

    def _break(self, batch: Sequence[Step[Any]], reason: str, now: float) -> None:
        """No answer: what was asked may have been done, or may yet be."""
        self.figures.broken += 1
        self._breaker.failed(now)
        for step in batch:
            if isinstance(step, Hold):
                self._abandon(step)
            if _is_orphan(step):
                self._orphans.append(step)
            elif step.future is not None:
                _answer(step.future, LedgerUnavailable(reason))

    def _refuse_waiting(self, reason: str) -> None:
        while self._waiting:
            step = self._waiting.popleft()
            if _is_orphan(step):
                self._orphans.append(step)
            elif step.future is not None:
                _answer(step.future, LedgerUnavailable(reason))


def _answer(future: "asyncio.Future[Any]", outcome: object) -> None:
    """Wake who waits, if anyone does still."""
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _is_orphan(step: Step[Any]) -> bool:
    """Whether nobody waits for it, and it must be done all the same."""
    return step.future is None or (not step.droppable and step.future.cancelled())


def _is_one_counters(error: RedisError) -> bool:
    """Whether it is about one counter, and not about Redis."""
    return str(error).startswith(_ONE_COUNTERS_FAULT)


def _check(*amounts: int) -> None:
    for amount in amounts:
        if not 0 <= amount <= MOST:
            raise ValueError(f"an amount must be between 0 and {MOST}, not {amount}")


_: type[Ledger] = RedisLedger
