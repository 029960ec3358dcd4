"""The ledger in plain integers: what every step must answer, and where every counter must stand after it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from proxy.budget import Granted, HoldLine, HoldLost, HoldRequest, Reached, RunState, RunTicket, Settled, Short, Stopped
from proxy.budget.ledger import Unit

Told: TypeAlias = Any
LOST = "lost"
FOREVER = 1 << 62


@dataclass
class Count:
    """One budget in one window."""

    spent: int = 0
    held: int = 0
    overrun: int = 0


@dataclass
class Held:
    """An open hold; `parts` are its lines' counters, units and what is held there."""

    lines: tuple[HoldLine, ...]
    parts: list[tuple[Count, Unit, int]]
    amount: int
    worker: str
    dispatched: bool
    lease_ns: int


@dataclass
class Run:
    """A run; `started_ns` None: killed before its first call."""

    parent: str = ""
    depth: int = 0
    calls: int = 0
    started_ns: int | None = None
    killed: bool = False


def told(answer: object) -> Told:
    """An answer of a ledger in words that compare."""
    if isinstance(answer, Granted):
        return ("granted", answer.amount, tuple([(each.spent, each.held) for each in answer.balances]))
    if isinstance(answer, Short | Reached):
        return (type(answer).__name__, answer.line.budget, answer.spent, answer.held, answer.wanted)
    if isinstance(answer, Stopped):
        return ("stopped", answer.run, answer.why, answer.limit, answer.value)
    if isinstance(answer, Settled):
        return ("settled", answer.already, answer.overrun, answer.unknown)
    if isinstance(answer, HoldLost):
        return LOST
    if isinstance(answer, BaseException):
        raise answer
    return answer


@dataclass
class Oracle:
    """Every step in order. Times are whatever the ledger of that kind goes by."""

    counts: defaultdict[tuple[str, str], Count] = field(default_factory=lambda: defaultdict(Count))
    open: dict[str, Held] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    runs: dict[str, Run] = field(default_factory=dict)
    leases: dict[str, int] = field(default_factory=dict)

    def standing(self, line: HoldLine) -> tuple[int, int]:
        """What counts against a line's limit."""
        if line.counted_from is None:
            count = self.counts[line.budget, line.window]
            return count.spent, count.held
        spent, held = 0, 0
        for (budget, window), count in self.counts.items():
            if budget == line.budget and line.counted_from <= window <= line.window:
                spent, held = spent + count.spent, held + count.held
        return spent, held

    def hold(self, asked: HoldRequest, lease_ns: int, now_ns: int) -> Told:
        """Granted, or the first thing that speaks against it."""
        known = self.open.get(asked.operation)
        if known is not None:
            return ("granted", known.amount, tuple([self.standing(line) for line in asked.lines]))
        wanted = [asked.amount if line.amount is None else line.amount for line in asked.lines]
        no = self._stopped(asked.run, now_ns) or self._reached(asked.lines, wanted) or self._short(asked.lines, wanted)
        if no is not None:
            return no
        if asked.operation in self.settled:
            return LOST
        parts = []
        for line, more in zip(asked.lines, wanted, strict=True):
            count = self.counts[line.budget, line.window]
            count.held += more
            self._check(line)
            parts.append((count, line.unit, more))
        held = Held(asked.lines, parts, asked.amount, asked.worker, asked.dispatched, lease_ns)
        self.open[asked.operation] = held
        self._call_in(asked.run, now_ns)
        return ("granted", asked.amount, tuple([self.standing(line) for line in asked.lines]))

    def extend(self, operation: str, more: Mapping[Unit, int]) -> Told:
        """As a hold, on the lines of some units, past gates."""
        held = self.open.get(operation)
        if held is None:
            return LOST
        lines = [line for line in held.lines if line.unit in more]
        short = self._short(lines, [more[line.unit] for line in lines])
        if short is not None:
            return short
        held.amount += more.get(Unit.USD, 0)
        for at, (count, unit, was) in enumerate(held.parts):
            count.held += more.get(unit, 0)
            held.parts[at] = count, unit, was + more.get(unit, 0)
            self._check(held.lines[at])
        return ("granted", held.amount, tuple([self.standing(line) for line in lines]))

    def dispatch(self, operation: str, worker: str) -> Told:
        """The hold is that worker's, and may cost."""
        held = self.open.get(operation)
        if held is None:
            return LOST
        held.dispatched, held.worker = True, worker
        return None

    def settle(self, operation: str, cost: int, used: Mapping[Unit, int]) -> Told:
        """Book it."""
        held = self.open.pop(operation, None)
        if held is None:
            return ("settled", True, 0, operation not in self.settled)
        for (count, unit, was), line in zip(held.parts, held.lines, strict=True):
            took = cost if unit is Unit.USD else used.get(unit, 0 if unit is Unit.SLOTS else was)
            count.held -= was
            count.spent += took
            count.overrun += max(0, took - was)
            self._check(line)
        self.settled.add(operation)
        return ("settled", False, max(0, cost - held.amount), False)

    def release(self, operation: str, *, only_held: bool) -> Told:
        """Give it back."""
        held = self.open.get(operation)
        if held is None or (only_held and held.dispatched):
            return False
        del self.open[operation]
        for count, _, was in held.parts:
            count.held -= was
        return True

    def kill(self, name: str) -> Told:
        """Whether it was not killed before."""
        run = self.runs.setdefault(name, Run())
        was, run.killed = run.killed, True
        return not was

    def lapsed(self, now_ns: int) -> set[tuple[str, str, str, int]]:
        """Whose own lease and whose worker's have ended."""
        return {
            (operation, held.worker, "dispatched" if held.dispatched else "held", held.amount)
            for operation, held in self.open.items()
            if held.lease_ns < now_ns and self.leases.get(held.worker, 0) < now_ns
        }

    def tells_of_runs(self, runs: Iterable[RunState]) -> bool:
        """Whether those are its runs."""
        theirs = {run.name: (run.parent, run.depth, run.calls, run.killed_ns is not None) for run in runs}
        return theirs == {name: (run.parent, run.depth, run.calls, run.killed) for name, run in self.runs.items()}

    def _stopped(self, ticket: RunTicket | None, now_ns: int) -> Told:
        if ticket is None:
            return None
        run = self.runs.get(ticket.name)
        if run is not None and run.killed:
            return ("stopped", ticket.name, "killed", 0, 0)
        if ticket.max_s is not None and run is not None and run.started_ns is not None:
            ran_s = (now_ns - run.started_ns) // 10**9
            if ran_s >= ticket.max_s:
                return ("stopped", ticket.name, "seconds", ticket.max_s, ran_s)
        depth = run.depth if run is not None else self._new_depth(ticket)
        if ticket.max_depth is not None and depth > ticket.max_depth:
            return ("stopped", ticket.name, "depth", ticket.max_depth, depth)
        return None

    def _call_in(self, ticket: RunTicket | None, now_ns: int) -> None:
        if ticket is not None:
            if ticket.name not in self.runs:
                self.runs[ticket.name] = Run(ticket.parent, self._new_depth(ticket), 0, now_ns)
            self.runs[ticket.name].calls += 1

    def _new_depth(self, ticket: RunTicket) -> int:
        if ticket.parent in ("", ticket.name):
            return 1
        parent = self.runs.get(ticket.parent)
        return 1 + (max(1, parent.depth) if parent is not None else 1)

    def _reached(self, lines: Sequence[HoldLine], wanted: Sequence[int]) -> Told:
        for line, more in zip(lines, wanted, strict=True):
            if line.gate is not None:
                spent, held = self.standing(line)
                if spent + held + more > line.gate:
                    return ("Reached", line.budget, spent, held, more)
        return None

    def _short(self, lines: Sequence[HoldLine], wanted: Sequence[int]) -> Told:
        for line, more in zip(lines, wanted, strict=True):
            if line.hard:
                spent, held = self.standing(line)
                if spent + held + more > line.limit:
                    return ("Short", line.budget, spent, held, more)
        return None

    def _check(self, line: HoldLine) -> None:
        """Never overdrawn; a rolling line may be, by a clock that goes back: it then counts other windows."""
        if line.hard and line.counted_from is None:
            count = self.counts[line.budget, line.window]
            assert count.spent + count.held <= line.limit + count.overrun, (line, count)
