"""Each step that changes the ledger as a command to Redis, and what its reply means."""

from abc import ABC, abstractmethod
from asyncio import Future
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, Literal, TypeVar

from proxy.budget.ledger import (
    Balance,
    Extension,
    Granted,
    HoldLine,
    HoldLost,
    HoldRequest,
    Reached,
    RunTicket,
    Settled,
    Short,
    Stopped,
    Unit,
    Verdict,
)
from proxy.budget.redis.keys import Keys, counter_of, oldest_of, run_member
from proxy.budget.redis.scripts import DISPATCH, EXTEND, HOLD, RELEASE, RENEW, SETTLE, Script
from proxy.budget.steps import grown
from proxy.core.money import ZERO, Nano

RELEASED_KEPT_S: Final = 600
"""How long a released hold is remembered: longer than a copy of its request may be on its way."""

_NS: Final = 1_000_000_000

_WHY: Final[Mapping[bytes, Literal["killed", "seconds", "depth"]]] = {
    b"killed": "killed",
    b"seconds": "seconds",
    b"depth": "depth",
}

Answer = TypeVar("Answer")


class Step(ABC, Generic[Answer]):
    """One thing asked of the ledger, and the future that its asker waits on (None: nobody waits)."""

    __slots__ = ("future", "sent", "since_s")

    # Whether it is pointless once the asker has gone.
    droppable = True

    def __init__(self) -> None:
        self.future: Future[Answer] | None = None
        self.since_s = 0.0
        self.sent = False

    @abstractmethod
    def packed(self, *, in_full: bool = False) -> bytes:
        """The command in Redis's protocol; `in_full` with the script itself, for a server that does not know it."""

    @abstractmethod
    def touched(self) -> list[bytes]:
        """Every key that the command touches."""

    @abstractmethod
    def read(self, reply: Any) -> Answer:
        """What the reply means. HoldLost is an answer too."""


class Scripted(Step[Answer]):
    """A step that is one script."""

    __slots__ = ()

    script: Script

    @abstractmethod
    def arguments(self) -> list[bytes]:
        """The script's ARGV."""

    def packed(self, *, in_full: bool = False) -> bytes:
        """EVALSHA, or EVAL, which also teaches the server the script."""
        script, keys = self.script, self.touched()
        call = (b"EVAL", script.text) if in_full else (b"EVALSHA", script.digest)
        return pack([*call, b"%d" % len(keys), *keys, *self.arguments()])


class Hold(Scripted[Verdict]):
    """Set money aside on all lines or on none. `mark` tells this hold from another of the same operation."""

    __slots__ = ("_keys", "_run_memory_s", "abandoned", "mark", "now_ns", "request")

    script = HOLD

    def __init__(self, keys: Keys, request: HoldRequest, mark: bytes, now_ns: int, run_memory_s: int) -> None:
        super().__init__()
        self._keys = keys
        self._run_memory_s = run_memory_s
        self.request = request
        self.mark = mark
        self.now_ns = now_ns
        self.abandoned = False

    def touched(self) -> list[bytes]:
        """See hold.lua."""
        keys, operation, run = self._keys, self.request.operation, self.request.run
        touched = [
            keys.hold(operation),
            keys.settled(operation)[0],
            keys.released(operation),
            keys.counters,
            keys.windows,
            keys.owners,
            keys.workers,
            keys.ends,
        ]
        return touched if run is None else touched + keys.of_runs(run.org)

    def arguments(self) -> list[bytes]:
        """See hold.lua."""
        request = self.request
        arguments = [
            request.operation.encode(),
            self._keys.settled(request.operation)[1],
            self.mark,
            request.worker.encode(),
            b"1" if request.dispatched else b"0",
            b"%d" % request.amount,
            b"%d" % request.charged_at_ns,
            b"%d" % request.lease_until_ns,
            b"%d" % self.now_ns,
            request.start_record,
            *_run(request.run, self._run_memory_s),
        ]
        for line in request.lines:
            arguments += _stated(line)
            arguments.append(b"" if line.gate is None else b"%d" % line.gate)
            arguments.append(b"" if line.kept_until_ns is None else b"%d" % (line.kept_until_ns // _NS))
            arguments += (b"", b"") if line.amount is None else (b"%d" % line.amount, line.unit.value.encode())
        return arguments

    def read(self, reply: Any) -> Verdict:
        """Granted, or something else with nothing changed."""
        request = self.request
        state, *figures = reply.split()
        wanted = [request.amount if line.amount is None else line.amount for line in request.lines]
        if state == b"short":
            return Short(*_refusal(request.lines, wanted, figures))
        if state == b"reached":
            return Reached(*_refusal(request.lines, wanted, figures))
        if state == b"stopped" and request.run is not None:
            return Stopped(request.run.name, _WHY[figures[0]], int(figures[1]), int(figures[2]))
        granted = _granted(state, request.operation, request.lines, wanted, [*figures[:1], *figures[2:]])
        return granted if request.run is None else granted._replace(depth=int(figures[1]))


class Extend(Scripted[Extension]):
    """Set more money aside for an open hold. `number` counts a process's extensions of it: asked twice, done once."""

    __slots__ = ("_keys", "_lines", "_more", "_number", "_operation", "_process")

    script = EXTEND

    def __init__(
        self,
        keys: Keys,
        operation: str,
        process: bytes,
        number: int,
        more: Mapping[Unit, int],
        lines: tuple[HoldLine, ...],
    ) -> None:
        super().__init__()
        self._keys = keys
        self._operation = operation
        self._lines = grown(lines, more)
        self._process = process
        self._number = number
        self._more = more

    def touched(self) -> list[bytes]:
        """See extend.lua."""
        return [self._keys.hold(self._operation), self._keys.counters, self._keys.windows]

    def arguments(self) -> list[bytes]:
        """See extend.lua."""
        more = self._more
        arguments = [self._process, b"%d" % self._number, b"%d" % len(more)]
        for unit, by in more.items():
            arguments += (unit.value.encode(), b"%d" % by)
        for line in self._lines:
            arguments += (*_stated(line), b"%d" % more[line.unit])
        return arguments

    def read(self, reply: Any) -> Extension:
        """Granted with the new amount, or Short with nothing changed."""
        state, *figures = reply.split()
        wanted = [self._more[line.unit] for line in self._lines]
        if state == b"short":
            return Short(*_refusal(self._lines, wanted, figures))
        return _granted(state, self._operation, self._lines, wanted, figures)


class Dispatch(Scripted[None]):
    """Note that the hold may cost from now on."""

    __slots__ = ("_keys", "_operation", "_record", "_worker")

    script = DISPATCH

    def __init__(self, keys: Keys, operation: str, worker: str, record: bytes | None) -> None:
        super().__init__()
        self._keys = keys
        self._operation = operation
        self._worker = worker
        self._record = record

    def touched(self) -> list[bytes]:
        """See dispatch.lua."""
        return [self._keys.hold(self._operation), self._keys.owners, self._keys.workers]

    def arguments(self) -> list[bytes]:
        """See dispatch.lua."""
        return [self._operation.encode(), self._worker.encode(), self._record or b""]

    def read(self, reply: Any) -> None:
        """Raises HoldLost when there is no such hold."""
        if reply != 1:
            raise HoldLost(self._operation)


class Settle(Scripted[Settled]):
    """End a hold and book what the call cost."""

    __slots__ = ("_by", "_cost", "_keys", "_memory_s", "_operation", "_used")

    script = SETTLE
    droppable = False

    def __init__(
        self, keys: Keys, operation: str, cost: Nano, used: Mapping[Unit, int], memory_s: int, by: str = ""
    ) -> None:
        super().__init__()
        self._by = by
        self._keys = keys
        self._operation = operation
        self._cost = cost
        self._used = used
        self._memory_s = memory_s

    def touched(self) -> list[bytes]:
        """See settle.lua."""
        keys, operation = self._keys, self._operation
        return [keys.hold(operation), keys.settled(operation)[0], keys.counters, keys.owners]

    def arguments(self) -> list[bytes]:
        """See settle.lua."""
        known_as = self._keys.settled(self._operation)[1]
        cost, memory_s = b"%d" % self._cost, b"%d" % self._memory_s
        arguments = [self._operation.encode(), known_as, cost, memory_s, self._by.encode() or b"1"]
        for unit, quantity in self._used.items():
            arguments += (unit.value.encode(), b"%d" % quantity)
        return arguments

    def read(self, reply: Any) -> Settled:
        """Booked once; nothing when there was no hold."""
        if reply == b"unknown":
            return Settled(True, ZERO, unknown=True)
        if reply.startswith(b"already "):
            by = reply[len(b"already ") :].decode()
            return Settled(True, ZERO, by="" if by == "1" else by)
        return Settled(False, Nano(max(0, self._cost - int(reply))))


class Release(Scripted[bool]):
    """End a hold at no cost; `hold_mark`: only that very hold, and none of that mark may be made later."""

    __slots__ = ("_hold_mark", "_keys", "_mark", "_only_held", "_operation")

    script = RELEASE
    droppable = False

    def __init__(
        self, keys: Keys, operation: str, mark: bytes, *, only_held: bool = False, hold_mark: bytes = b""
    ) -> None:
        super().__init__()
        self._keys = keys
        self._operation = operation
        self._mark = mark
        self._only_held = only_held
        self._hold_mark = hold_mark

    def touched(self) -> list[bytes]:
        """See release.lua."""
        keys, operation = self._keys, self._operation
        return [keys.hold(operation), keys.released(operation), keys.counters, keys.owners]

    def arguments(self) -> list[bytes]:
        """See release.lua."""
        only_held = b"1" if self._only_held else b"0"
        return [self._operation.encode(), only_held, self._mark, self._hold_mark, b"%d" % RELEASED_KEPT_S]

    def read(self, reply: Any) -> bool:
        """Whether there was one."""
        return bool(reply == 1)


class Renew(Scripted[None]):
    """Let a worker's holds live longer."""

    __slots__ = ("_keys", "_now_ns", "_until_ns", "_worker")

    script = RENEW

    def __init__(self, keys: Keys, worker: str, until_ns: int, now_ns: int) -> None:
        super().__init__()
        self._keys = keys
        self._worker = worker
        self._until_ns = until_ns
        self._now_ns = now_ns

    def touched(self) -> list[bytes]:
        """See renew.lua."""
        return [self._keys.workers]

    def arguments(self) -> list[bytes]:
        """See renew.lua."""
        return [self._worker.encode(), b"%d" % self._until_ns, b"%d" % self._now_ns]

    def read(self, reply: Any) -> None:
        """Nothing to know."""


def pack(parts: Sequence[bytes]) -> bytes:
    """A command in Redis's protocol."""
    return b"".join([b"*%d\r\n" % len(parts), *[b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]])


def _stated(line: HoldLine) -> tuple[bytes, bytes, bytes]:
    return counter_of(line), oldest_of(line), b"%d" % line.limit if line.hard else b""


def _run(ticket: RunTicket | None, memory_s: int) -> list[bytes]:
    if ticket is None:
        return [b""]
    org, key_id, parent = ticket.org, ticket.key_id, ticket.parent
    return [
        run_member(org, key_id, ticket.name),
        parent.encode(),
        b"" if parent in ("", ticket.name) else run_member(org, key_id, parent),
        b"" if ticket.max_s is None else b"%d" % ticket.max_s,
        b"" if ticket.max_depth is None else b"%d" % ticket.max_depth,
        b"%d" % memory_s,
    ]


def _refusal(
    lines: Sequence[HoldLine], wanted: Sequence[int], figures: Sequence[bytes]
) -> tuple[HoldLine, Nano, Nano, Nano]:
    at = int(figures[0])
    return lines[at], Nano(int(figures[1])), Nano(int(figures[2])), Nano(wanted[at])


def _granted(
    state: bytes, operation: str, lines: Sequence[HoldLine], wanted: Sequence[int], figures: Sequence[bytes]
) -> Granted:
    if state == b"lost":
        raise HoldLost(operation)
    # The script says how the lines stood before; it held what was wanted only now.
    more = wanted if state == b"held" else None
    return Granted(Nano(int(figures[0])), balances_of(lines, figures[1:], more))


def balances_of(
    lines: Sequence[HoldLine], figures: Sequence[bytes], more: Sequence[int] | None = None
) -> tuple[Balance, ...]:
    """Spent and held per line, with what has just been held besides."""
    each = zip(lines, figures[::2], figures[1::2], more or [0] * len(lines), strict=True)
    return tuple([Balance(line, Nano(int(spent)), Nano(int(held) + fresh)) for line, spent, held, fresh in each])
