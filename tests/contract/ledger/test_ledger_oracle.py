"""Any sequence of steps, against plain integers: nothing is ever overdrawn, lost or counted twice.

A rule is a batch of steps asked for at once, which a ledger carries out in the order in which they were asked for.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from proxy.budget import BudgetSettings, Ledger, Unit
from proxy.core.money import Nano
from tests.contract.ledger.drawn_steps import LEASE_S, NS, World
from tests.contract.ledger.kinds import KINDS, opened, request
from tests.contract.ledger.oracle import told

Result = TypeVar("Result")
DOUBLES_END = 9_100_000 * 10**9
# A file is made for every example: on a disk that is mostly waiting for it.
IN_MEMORY = Path("/dev/shm")
CHANCE = st.randoms(use_true_random=False)
WORKER = st.integers(0, 1)
SEED = st.integers(0, 2**63)


class LedgerMachine(RuleBasedStateMachine):
    """Two workers on one ledger, each restarted now and then, with clocks that are set forward and back."""

    kind: ClassVar[str]
    base: ClassVar[int]
    batch: ClassVar[int]
    steps: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
        self.world = World(self.base, server_time=self.kind == "redis")
        self.workers = [self.open_ledger(0), self.open_ledger(1)]
        self.windows = 0
        self.roll(forward=False)

    def open_ledger(self, worker: int) -> Ledger:
        return KINDS[self.kind](self.folder, self.world.clocks[worker], BudgetSettings())

    def do(self, step: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(step)

    @rule(chance=CHANCE, worker=WORKER)
    def take_a_few_steps(self, chance: Random, worker: int) -> None:
        self.take(chance, worker, chance.randrange(1, 6))

    @rule(seed=SEED, worker=WORKER)
    def take_many_steps(self, seed: int, worker: int) -> None:
        self.take(Random(seed), worker, self.batch)

    @rule(seed=SEED, worker=WORKER)
    def take_many_steps_in_the_next_window(self, seed: int, worker: int) -> None:
        self.roll(forward=True)
        self.take(Random(seed), worker, self.batch)

    def take(self, chance: Random, worker: int, many: int) -> None:
        asked = [self.world.draw(chance, worker) for _ in range(many)]
        ledger = self.workers[worker]

        async def at_once() -> list[object]:
            return await asyncio.gather(*[step(ledger) for step, _ in asked], return_exceptions=True)

        for answer, (_, expected) in zip(self.do(at_once()), asked, strict=True):
            assert told(answer) == expected, (told(answer), expected)
        self.world.end_batch()
        type(self).steps += many
        self.compare(worker)

    def compare(self, worker: int) -> None:
        lines = self.world.lines()
        standing = self.do(self.workers[worker].balances(lines))
        assert [(each.spent, each.held) for each in standing] == [self.world.oracle.standing(line) for line in lines]

    @rule(forward=st.booleans())
    def roll(self, forward: bool) -> None:
        """The clock passes the end of a window, or is set back before it."""
        world = self.world
        world.window = world.window + 1 if forward else max(0, world.window - 1)
        if self.base and self.windows <= world.window:
            self.windows = world.window + 1
            spent = request(world.fresh_operation(), self.base, *world.base_lines())
            used: dict[Unit, int] = {unit: self.base for unit in Unit if unit not in (Unit.USD, Unit.SLOTS)}
            self.do(self.workers[0].hold(spent))
            self.do(self.workers[0].settle(spent.operation, Nano(self.base), world.clocks[0].now_ns(), used=used))
            for line in spent.lines:
                world.oracle.counts[line.budget, line.window].spent = self.base

    @rule(worker=WORKER, to=st.integers(-3, 3))
    def set_the_clock(self, worker: int, to: int) -> None:
        """To so many times ten thousand seconds from where it was at first."""
        clock, start = self.world.clocks[worker], self.world.start.timestamp()
        clock.move(round(start) + to * 10_000 - round(clock.now_ns() / NS))

    @rule(worker=WORKER, ahead=st.integers(-2, 6), swept=st.booleans())
    def find_the_lapsed(self, worker: int, ahead: int, swept: bool) -> None:
        ledger, oracle, ahead_ns = self.workers[worker], self.world.oracle, (ahead * LEASE_S + LEASE_S // 2) * NS
        lapsed = self.do(ledger.lapsed(self.world.clocks[worker].now_ns() + ahead_ns))
        found = {(each.operation, each.worker, each.phase, int(each.amount)) for each in lapsed}
        assert found == oracle.lapsed(self.world.now_ns(worker) + ahead_ns)
        for each in lapsed if swept else ():
            self.world.known[worker].discard(each.operation)
            if each.phase == "held":
                assert self.do(ledger.release(each.operation, only_held=True)) is True
                oracle.release(each.operation, only_held=True)
            else:
                at_ns = self.world.clocks[worker].now_ns()
                expected = oracle.settle(each.operation, each.amount, {})
                assert told(self.do(ledger.settle(each.operation, each.amount, at_ns))) == expected
        self.compare(worker)

    @rule(worker=WORKER)
    def restart(self, worker: int) -> None:
        self.do(self.workers[worker].close())
        self.workers[worker] = self.open_ledger(worker)
        self.world.known[worker].clear()
        self.compare(worker)

    def teardown(self) -> None:
        try:
            self.end_in_balance()
        finally:
            for worker in self.workers:
                self.do(worker.close())
            self.loop.close()
            shutil.rmtree(self.folder)

    def end_in_balance(self) -> None:
        first, oracle = self.workers[0], self.world.oracle
        assert oracle.tells_of_runs(self.do(first.runs("acme")))
        for operation in list(oracle.open):
            self.do(first.settle(operation, Nano(1), 1))
            oracle.settle(operation, 1, {})
        while True:
            self.compare(0)
            self.compare(1)
            if self.world.window == 0:
                break
            self.world.window -= 1
        assert all(count.held == 0 for count in oracle.counts.values())
        assert self.do(first.lapsed(1 << 62)) == []


# Shrinking a failure of so many steps takes minutes; the steps themselves are printed either way.
FEW = settings(
    max_examples=10,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.explicit, Phase.generate],
)


async def teach(kind: str, folder: Path) -> None:
    """Take every kind of step once, in another ledger: a server that lacks a script is asked those steps again, later
    than what was asked for beside them."""
    async with opened(kind, folder) as ledger:
        await ledger.hold(request("op_1", 0))
        await ledger.dispatch("op_1", "wrk_1")
        await ledger.extend("op_1", {})
        await ledger.settle("op_1", Nano(0), 1)
        await ledger.release("op_1")
        await ledger.renew("wrk_1", 1)
        await ledger.kill_run("acme", "key_1", "r", 1)


def steps_taken(kind: str, base: int, batch: int, given: settings) -> int:
    machine = type("Machine", (LedgerMachine,), {"kind": kind, "base": base, "batch": batch, "steps": 0})
    run_state_machine_as_test(machine, settings=given)
    return int(machine.steps)  # type: ignore[attr-defined]


@pytest.mark.parametrize("base", [0, DOUBLES_END - 1, DOUBLES_END, DOUBLES_END + 1])
def test_every_sequence_of_steps_agrees_with_plain_integers(kind: str, base: int, tmp_path: Path) -> None:
    asyncio.run(teach(kind, tmp_path))
    taken = 0
    while taken < 3000:
        taken += steps_taken(kind, base, 40, FEW)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_million_steps_agree_with_plain_integers(kind: str, tmp_path: Path) -> None:
    asyncio.run(teach(kind, tmp_path))
    many = settings(FEW, max_examples=150, stateful_step_count=50)
    taken = 0
    while taken < 1_000_000:
        for base in (0, DOUBLES_END - 1, DOUBLES_END, DOUBLES_END + 1):
            taken += steps_taken(kind, base, 100, many)
