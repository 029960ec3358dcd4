"""Steps of the ledger drawn by chance, each with the answer that the oracle expects."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Final, TypeAlias

from proxy.budget import HoldLine, Ledger, LineKind, RunTicket, Unit
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from tests.contract.ledger.kinds import line, request
from tests.contract.ledger.oracle import LOST, Oracle, Told

NS: Final = 10**9
LEASE_S: Final = 1000
"""Leases and sweeps are whole and half thousands of seconds apart: a slow test does not change who comes first."""
RUNS: Final = tuple(f"r{at}" for at in range(12))
MOST_OPEN: Final = 200

Step: TypeAlias = tuple[Callable[[Ledger], Awaitable[object]], Told]


@dataclass(frozen=True)
class Drawn:
    """A budget or limit: its lines are made for the window that is."""

    line: HoldLine
    most: int
    fixed: bool = False
    rolling: bool = False


def _unit(name: str, unit: Unit, limit: int, kind: LineKind = LineKind.RATE) -> HoldLine:
    return replace(line(name, limit=limit), unit=unit, amount=0, kind=kind)


DRAWN: Final = (
    Drawn(line("bud_org", limit=700), 70),
    Drawn(line("bud_team", limit=400), 70),
    Drawn(line("bud_soft", limit=20, hard=False), 70),
    Drawn(replace(line("bud_soft_gated", limit=20, hard=False), gate=500), 70),
    Drawn(replace(line("bud_gated", limit=600), gate=450), 70),
    Drawn(line("bud_rolling", limit=900), 70, rolling=True),
    Drawn(_unit("lim_tokens", Unit.TOKENS, 2000), 300),
    Drawn(_unit("lim_output", Unit.OUTPUT_TOKENS, 800), 100),
    Drawn(_unit("lim_calls", Unit.REQUESTS, 20), 1),
    Drawn(_unit("lim_places", Unit.SLOTS, 25), 1, fixed=True),
    Drawn(_unit("run_tools", Unit.TOOL_CALLS, 12, LineKind.RUN), 1),
)
UNITS: Final = (Unit.TOKENS, Unit.OUTPUT_TOKENS, Unit.REQUESTS, Unit.TOOL_CALLS)


class World:
    """Two workers with a clock each, the windows that are, and the oracle. `server_time`: leases go by that alone."""

    def __init__(self, base: int, *, server_time: bool) -> None:
        self.base = base
        self.server_time = server_time
        self.start = datetime.now(UTC)
        self.clocks = [SetClock(self.start), SetClock(self.start)]
        self.oracle = Oracle()
        self.window = 0
        self.made = 0
        self.known: list[set[str]] = [set(), set()]
        self.fresh: list[tuple[int, str]] = []

    def fresh_operation(self) -> str:
        """An id that was not used before."""
        self.made += 1
        return f"op_{self.made}"

    def now_ns(self, worker: int) -> int:
        """What the ledger of a worker takes for the time."""
        return SetClock(self.start).now_ns() if self.server_time else self.clocks[worker].now_ns()

    def line_of(self, drawn: Drawn, amount: int | None) -> HoldLine:
        """A line of it in the window that is."""
        window = "total" if drawn.fixed else f"w{self.window:04d}"
        base = self.base if drawn.line.unit is not Unit.SLOTS else 0
        if drawn.rolling:
            base *= min(3, self.window + 1)
        return replace(
            drawn.line,
            window=window,
            counted_from=f"w{max(0, self.window - 2):04d}" if drawn.rolling else None,
            limit=Nano(drawn.line.limit + base),
            gate=None if drawn.line.gate is None else drawn.line.gate + base,
            amount=None if drawn.line.amount is None else amount,
        )

    def lines(self) -> list[HoldLine]:
        """All lines of the windows that are."""
        return [self.line_of(drawn, 0) for drawn in DRAWN]

    def base_lines(self) -> tuple[HoldLine, ...]:
        """What is spent in a new window before anything else, so that sums lie where doubles end."""
        used = [drawn for drawn in DRAWN if drawn.line.unit is not Unit.SLOTS]
        return tuple(replace(self.line_of(drawn, self.base), hard=False, gate=None) for drawn in used)

    def end_batch(self) -> None:
        """Who was granted a hold knows its lines now."""
        for worker, operation in self.fresh:
            self.known[worker].add(operation)
        self.fresh.clear()

    # -- drawing one step ---------------------------------------------------------------------------------------------

    def draw(self, chance: Random, worker: int) -> Step:
        """One step of that worker; the oracle has taken it."""
        oracle = self.oracle
        dice = chance.randrange(100)
        if len(oracle.open) >= MOST_OPEN:
            return self._settle(chance, worker)
        if dice < 40 or not (oracle.open or oracle.settled):
            return self._hold(chance, worker, self.fresh_operation())
        if dice < 45:
            return self._hold(chance, worker, self._some_operation(chance))
        if dice < 57:
            return self._extend(chance, worker)
        if dice < 67:
            return self._dispatch(chance, worker)
        if dice < 87:
            return self._settle(chance, worker)
        if dice < 95:
            return self._release(chance, worker)
        if dice < 98:
            return self._renew(chance, worker)
        return self._kill(chance, worker)

    def _some_operation(self, chance: Random) -> str:
        """Mostly an open one, now and then one that is over."""
        among = self.oracle.open if self.oracle.open and chance.randrange(8) else self.oracle.settled
        among = among or self.oracle.open
        return sorted(among)[chance.randrange(len(among))]

    def _hold(self, chance: Random, worker: int, operation: str) -> Step:
        lines, lease_s = self._some_lines(chance, operation), LEASE_S * chance.randrange(1, 6)
        asked = request(operation, chance.randrange(71), *lines, worker=f"wrk_{worker}")
        asked.lease_until_ns = self.clocks[worker].now_ns() + lease_s * NS
        asked.dispatched = chance.randrange(2) == 1
        asked.run = self._some_ticket(chance) if chance.randrange(3) == 0 else None
        now_ns = self.now_ns(worker)
        expected = self.oracle.hold(asked, now_ns + lease_s * NS, now_ns)
        if expected[0] == "granted":
            self.fresh.append((worker, operation))
        return (lambda ledger: ledger.hold(asked)), expected

    def _some_lines(self, chance: Random, operation: str) -> tuple[HoldLine, ...]:
        known = self.oracle.open.get(operation)
        if known is not None:
            return known.lines
        chosen = chance.sample(DRAWN, chance.choice((0, 1, 1, 2, 2, 3, 5, len(DRAWN))))
        return tuple(self.line_of(drawn, chance.randrange(drawn.most + 1)) for drawn in chosen)

    def _some_ticket(self, chance: Random) -> RunTicket:
        return RunTicket(
            org="acme",
            key_id="key_1",
            name=chance.choice(RUNS),
            parent=chance.choice(("", *RUNS)),
            max_s=chance.choice((None, 0, 5000)) if not self.server_time else chance.choice((None, 5000)),
            max_depth=chance.choice((None, 1, 2, 3)),
        )

    def _extend(self, chance: Random, worker: int) -> Step:
        operation = self._some_operation(chance)
        more: dict[Unit, int] = {Unit.USD: chance.randrange(40)} if chance.randrange(4) else {}
        for unit in UNITS:
            if chance.randrange(4) == 0:
                more[unit] = chance.randrange(40)
        expected = self.oracle.extend(operation, more) if operation in self.known[worker] else LOST
        return (lambda ledger: ledger.extend(operation, more)), expected

    def _dispatch(self, chance: Random, worker: int) -> Step:
        operation, name = self._some_operation(chance), f"wrk_{worker}"
        return (lambda ledger: ledger.dispatch(operation, name)), self.oracle.dispatch(operation, name)

    def _settle(self, chance: Random, worker: int) -> Step:
        operation, at_ns = self._some_operation(chance), self.clocks[worker].now_ns()
        held = self.oracle.open.get(operation)
        # Cheaper than held, as held, or dearer.
        most = held.amount if held is not None else 50
        cost = Nano(chance.choice((0, chance.randrange(most + 1), most, most + chance.randrange(40))))
        used: Mapping[Unit, int] = {unit: chance.randrange(60) for unit in UNITS if chance.randrange(2)}
        if chance.randrange(2):
            used = {**used, Unit.SLOTS: 0}
        self.known[worker].discard(operation)
        expected = self.oracle.settle(operation, cost, used)
        return (lambda ledger: ledger.settle(operation, cost, at_ns, used=used)), expected

    def _release(self, chance: Random, worker: int) -> Step:
        operation, only_held = self._some_operation(chance), chance.randrange(2) == 1
        expected = self.oracle.release(operation, only_held=only_held)
        if expected or not only_held:
            self.known[worker].discard(operation)
        return (lambda ledger: ledger.release(operation, only_held=only_held)), expected

    def _renew(self, chance: Random, worker: int) -> Step:
        name, lease_s = f"wrk_{worker}", LEASE_S * chance.randrange(1, 6)
        until_ns, by_ledger = self.clocks[worker].now_ns() + lease_s * NS, self.now_ns(worker) + lease_s * NS
        # By one clock for all a lease never moves back; by a worker's own it follows that, whatever it was set to.
        was = self.oracle.leases.get(name, 0) if self.server_time else 0
        self.oracle.leases[name] = max(was, by_ledger)
        return (lambda ledger: ledger.renew(name, until_ns)), None

    def _kill(self, chance: Random, worker: int) -> Step:
        name, at_ns = chance.choice(RUNS), self.clocks[worker].now_ns()
        return (lambda ledger: ledger.kill_run("acme", "key_1", name, at_ns)), self.oracle.kill(name)
