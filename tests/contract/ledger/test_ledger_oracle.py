"""Any sequence of steps, against plain integers: nothing is ever overdrawn, lost or counted twice."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from proxy.budget import BudgetSettings, Granted, HoldLine, HoldLost, Ledger, Short, Unit
from proxy.budget.ledger import Verdict
from proxy.core.clock import SystemClock
from proxy.core.money import Nano
from tests.contract.ledger.kinds import KINDS, line, request

Result = TypeVar("Result")
DOUBLES_END = 9_100_000 * 10**9
# A file is made for every example: on a disk that is mostly waiting for it.
IN_MEMORY = Path("/dev/shm")
AMOUNTS = st.integers(0, 70)


@dataclass
class Count:
    """What the oracle knows of one budget in one window."""

    line: HoldLine
    spent: int = 0
    held: int = 0
    overrun: int = 0


@dataclass
class Held:
    """An open hold, by the oracle."""

    counts: list[Count]
    amount: int
    known_to: set[int]
    dispatched: bool = False


@dataclass
class Oracle:
    """The ledger in plain integers."""

    counts: list[Count]
    open: dict[str, Held] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    def fits(self, counts: list[Count], amount: int) -> bool:
        """Whether a hold is to be granted."""
        return all(not c.line.hard or c.spent + c.held + amount <= c.line.limit for c in counts)

    def settle(self, operation: str, cost: int) -> int:
        """Book it; the overrun."""
        held = self.open.pop(operation)
        overrun = max(0, cost - held.amount)
        for count in held.counts:
            count.held -= held.amount
            count.spent += cost
            count.overrun += overrun
        self.settled.add(operation)
        return overrun


class LedgerMachine(RuleBasedStateMachine):
    """Two workers on one ledger, each restarted now and then."""

    kind: ClassVar[str]
    base: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
        self.workers = [self.open_ledger(), self.open_ledger()]
        self.made = 0
        limits = [("bud_org", "w1", 150, True), ("bud_org", "w2", 90, True), ("bud_key", "w1", 60, True)]
        soft = ("bud_soft", "w1", 20, False)
        self.oracle = Oracle(
            [
                Count(line(budget, window=window, limit=self.base + limit, hard=hard))
                for budget, window, limit, hard in [*limits, soft]
            ]
        )
        if self.base:
            self.do(self.workers[0].hold(request("op_base", self.base, *[c.line for c in self.oracle.counts])))
            self.do(self.workers[0].settle("op_base", Nano(self.base), 1))
            for count in self.oracle.counts:
                count.spent = self.base

    def open_ledger(self) -> Ledger:
        return KINDS[self.kind](self.folder, SystemClock(), BudgetSettings())

    def do(self, step: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(step)

    def fresh(self) -> str:
        self.made += 1
        return f"op_{self.made}"

    def some_open(self, pick: int) -> str:
        return sorted(self.oracle.open)[pick % len(self.oracle.open)]

    @rule(worker=st.integers(0, 1), chosen=st.sets(st.integers(0, 3)), amount=AMOUNTS, at_once=st.booleans())
    def hold(self, worker: int, chosen: set[int], amount: int, at_once: bool) -> None:
        operation, counts = self.fresh(), [self.oracle.counts[at] for at in sorted(chosen)]
        asked = request(operation, amount, *[count.line for count in counts], worker=f"wrk_{worker}")
        asked.dispatched = at_once
        self.expect_hold(self.do(self.workers[worker].hold(asked)), operation, counts, amount, worker, at_once)

    @rule(chosen=st.sets(st.integers(0, 3), min_size=1), amounts=st.lists(AMOUNTS, min_size=2, max_size=6))
    def hold_at_once(self, chosen: set[int], amounts: list[int]) -> None:
        counts = [self.oracle.counts[at] for at in sorted(chosen)]
        lines = [count.line for count in counts]
        operations = [self.fresh() for _ in amounts]

        async def race() -> list[Verdict]:
            asked = zip(operations, amounts, strict=True)
            return await asyncio.gather(
                *[self.workers[0].hold(request(each, amount, *lines, worker="wrk_0")) for each, amount in asked]
            )

        for operation, amount, verdict in zip(operations, amounts, self.do(race()), strict=True):
            self.expect_hold(verdict, operation, counts, amount, 0, False)

    def expect_hold(
        self, verdict: Verdict, operation: str, counts: list[Count], amount: int, maker: int, dispatched: bool
    ) -> None:
        assert isinstance(verdict, Granted) == self.oracle.fits(counts, amount)
        if not isinstance(verdict, Granted):
            return
        for count in counts:
            count.held += amount
        self.oracle.open[operation] = Held(counts, amount, {maker}, dispatched)
        if len(counts) == len(verdict.balances) == 1:
            assert verdict.balances[0].spent == counts[0].spent

    @precondition(lambda self: self.oracle.open)
    @rule(pick=st.integers(0, 99), worker=st.integers(0, 1), amount=AMOUNTS)
    def hold_again(self, pick: int, worker: int, amount: int) -> None:
        operation = self.some_open(pick)
        held = self.oracle.open[operation]
        again = self.do(self.workers[worker].hold(request(operation, amount, *[c.line for c in held.counts])))
        assert isinstance(again, Granted)
        assert again.amount == held.amount
        held.known_to.add(worker)

    @precondition(lambda self: self.oracle.open)
    @rule(pick=st.integers(0, 99), worker=st.integers(0, 1), by=AMOUNTS)
    def extend(self, pick: int, worker: int, by: int) -> None:
        operation = self.some_open(pick)
        held = self.oracle.open[operation]
        if worker not in held.known_to:
            with pytest.raises(HoldLost):
                self.do(self.workers[worker].extend(operation, {Unit.USD: by}))
            return
        verdict = self.do(self.workers[worker].extend(operation, {Unit.USD: by}))
        assert isinstance(verdict, Granted) == self.oracle.fits(held.counts, by)
        if isinstance(verdict, Granted):
            held.amount += by
            for count in held.counts:
                count.held += by

    @precondition(lambda self: self.oracle.open)
    @rule(pick=st.integers(0, 99), worker=st.integers(0, 1))
    def dispatch(self, pick: int, worker: int) -> None:
        operation = self.some_open(pick)
        held = self.oracle.open[operation]
        self.do(self.workers[worker].dispatch(operation, f"wrk_{worker}"))
        held.dispatched = True

    @precondition(lambda self: self.oracle.open)
    @rule(pick=st.integers(0, 99), worker=st.integers(0, 1), cost=st.integers(0, 90))
    def settle(self, pick: int, worker: int, cost: int) -> None:
        operation = self.some_open(pick)
        settled = self.do(self.workers[worker].settle(operation, Nano(cost), 1))
        assert settled[:3] == (False, self.oracle.settle(operation, cost), False)

    @precondition(lambda self: self.oracle.settled)
    @rule(pick=st.integers(0, 99), worker=st.integers(0, 1), cost=st.integers(0, 90))
    def meddle_with_the_settled(self, pick: int, worker: int, cost: int) -> None:
        operation = sorted(self.oracle.settled)[pick % len(self.oracle.settled)]
        assert self.do(self.workers[worker].settle(operation, Nano(cost), 1))[:3] == (True, 0, False)
        assert self.do(self.workers[worker].release(operation)) is False
        asked = request(operation, 0, self.oracle.counts[0].line)
        if self.oracle.fits(self.oracle.counts[:1], 0):
            with pytest.raises(HoldLost):
                self.do(self.workers[worker].hold(asked))
        else:
            assert isinstance(self.do(self.workers[worker].hold(asked)), Short)

    @precondition(lambda self: self.oracle.open)
    @rule(pick=st.integers(0, 99), worker=st.integers(0, 1), only_held=st.booleans())
    def release(self, pick: int, worker: int, only_held: bool) -> None:
        operation = self.some_open(pick)
        held = self.oracle.open[operation]
        done = self.do(self.workers[worker].release(operation, only_held=only_held))
        assert done == (not only_held or not held.dispatched)
        if done:
            del self.oracle.open[operation]
            for count in held.counts:
                count.held -= held.amount

    @rule(worker=st.integers(0, 1))
    def restart(self, worker: int) -> None:
        self.do(self.workers[worker].close())
        self.workers[worker] = self.open_ledger()
        for held in self.oracle.open.values():
            held.known_to.discard(worker)

    @invariant()
    def the_numbers_are_the_oracles(self) -> None:
        counts = self.oracle.counts
        for worker in self.workers:
            standing = self.do(worker.balances([count.line for count in counts]))
            assert [(b.spent, b.held) for b in standing] == [(c.spent, c.held) for c in counts]

    @invariant()
    def nothing_is_overdrawn(self) -> None:
        for count in self.oracle.counts:
            if count.line.hard:
                assert count.spent + count.held <= count.line.limit + count.overrun

    def teardown(self) -> None:
        for operation in list(self.oracle.open):
            self.do(self.workers[0].settle(operation, Nano(1), 1))
            self.oracle.settle(operation, 1)
        self.the_numbers_are_the_oracles()
        assert all(count.held == 0 for count in self.oracle.counts)
        assert self.do(self.workers[0].lapsed(1 << 62)) == []
        for worker in self.workers:
            self.do(worker.close())
        self.loop.close()
        shutil.rmtree(self.folder)


# Shrinking a failure of so many steps takes minutes; the steps themselves are printed either way.
FEW = settings(
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.explicit, Phase.generate],
)


@pytest.mark.parametrize("base", [0, DOUBLES_END - 1, DOUBLES_END, DOUBLES_END + 1])
def test_every_sequence_of_steps_agrees_with_plain_integers(kind: str, base: int) -> None:
    machine = type("Machine", (LedgerMachine,), {"kind": kind, "base": base})
    run_state_machine_as_test(machine, settings=FEW)


@pytest.mark.long
def test_many_long_sequences_agree_with_plain_integers(kind: str) -> None:
    machine = type("Machine", (LedgerMachine,), {"kind": kind, "base": 0})
    many = settings(FEW, max_examples=2000, stateful_step_count=100)
    run_state_machine_as_test(machine, settings=many)
