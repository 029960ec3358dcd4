"""The ledger's door: what a call asks of it, what it answers, and what every implementation promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from proxy.core.money import Nano

RUN_MEMORY_S: Final = 30 * 86_400
"""How long a run is remembered after its last call, where nothing else is said."""

Phase: TypeAlias = Literal["held", "dispatched"]


class Unit(StrEnum):
    """What a line counts; tokens are all of a call's, or its input's or output's alone.

    A slot is a place for one call at a time: taken by a hold, free again when it ends.
    """

    USD = "usd"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    REQUESTS = "requests"
    TOOL_CALLS = "tool_calls"
    SLOTS = "slots"


class LineKind(StrEnum):
    """What a line is, and so what refusing by it means: no money (402), too fast (429), or a run's end (403)."""

    BUDGET = "budget"
    RATE = "rate"
    RUN = "run"


class Rung(NamedTuple):
    """One step of a ladder: what happens from a fraction of the limit on.

    `at_millionths` of the limit; `to` maps patterns of model names to models (downgrade), `delay_ms` is how long a
    call is delayed (throttle).
    """

    at_millionths: int
    do: Literal["alert", "downgrade", "cache_only", "throttle", "block"]
    to: tuple[tuple[str, str], ...] = ()
    delay_ms: int = 0

    def threshold(self, limit: int) -> int:
        """Where it begins, in the limit's unit."""
        return limit * self.at_millionths // 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldLine:
    """One budget or limit that a call must fit under, with its window fixed.

    `limit` is in nano-dollars, or in whole units where `unit` says so. A line in dollars takes the request's
    amount; any other takes `amount`. `counted_from` names the oldest window of the same budget that counts against
    the limit as well (a rolling window is many small ones, named so that they sort by time); None: only `window`.
    A soft line (`hard` false) is counted and never refuses. The lines of one request differ in budget or window.
    A hold that would bring spent and held beyond `gate` is answered Reached and sets nothing aside, on soft lines too.
    `limit` is where a hard line refuses; `whole` is what people set, where a ladder blocks earlier than that.
    `observed`: it would refuse and only counts, since its enforcement is `observe`. Not the ledger's are `ladder` and
    `clamp`: whether a call that does not fit may be given less output rather than be refused.
    From `kept_until_ns` on nobody asks for this budget and window any more (None: it is asked for for ever); a ledger
    may then forget what it counted, once nothing is held there.
    """

    budget: str
    name: str
    scope: str
    window: str
    limit: Nano
    hard: bool = True
    resets_at_ns: int | None = None
    unit: Unit = Unit.USD
    amount: int | None = None
    counted_from: str | None = None
    kept_until_ns: int | None = None
    kind: LineKind = LineKind.BUDGET
    gate: int | None = None
    whole: Nano | None = None
    observed: bool = False
    ladder: tuple[Rung, ...] = ()
    clamp: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTicket:
    """A call's place in its run; a run is its org's and its key's alone, whatever its name.

    A run begins with its first granted hold. `max_s` counts from there; its depth is 1, or one more than its
    parent's (`parent` is the name of another run of the same key; one never seen counts as depth 1). None: no bound.
    """

    org: str
    key_id: str
    name: str
    parent: str = ""
    max_s: int | None = None
    max_depth: int | None = None


@dataclass(kw_only=True, slots=True)
class HoldRequest:
    """What a call wants set aside before it may cost anything: `amount` on every line in dollars, all or none.

    `start_record` is the row so far, kept so that a worker's death still leaves a row. `dispatched` true makes the
    hold in phase `dispatched` at once, for a call with nothing left to decide: one step less.
    """

    operation: str
    worker: str
    lines: tuple[HoldLine, ...]
    amount: Nano
    charged_at_ns: int
    lease_until_ns: int
    start_record: bytes
    dispatched: bool = False
    run: RunTicket | None = None


class Balance(NamedTuple):
    """Where a line stands: settled spend (with any opening spend) and open holds, in the line's unit."""

    line: HoldLine
    spent: Nano
    held: Nano


class Granted(NamedTuple):
    """The money is set aside; the balances include it. `depth` is the run's, where the hold asked with a ticket."""

    amount: Nano
    balances: tuple[Balance, ...]
    depth: int = 0


class Short(NamedTuple):
    """The first line that the call does not fit under, and what it had before; nothing was set aside anywhere."""

    line: HoldLine
    spent: Nano
    held: Nano
    wanted: Nano


class Reached(NamedTuple):
    """The first line whose gate the call would pass, and what it had before; nothing was set aside anywhere.

    Answered before Short: a cheaper call may still fit.
    """

    line: HoldLine
    spent: Nano
    held: Nano
    wanted: Nano


class Stopped(NamedTuple):
    """The call's run takes no more calls; nothing was set aside. Answered before everything else.

    `limit` and `value` are seconds or levels; 0 for a killed run.
    """

    run: str
    why: Literal["killed", "seconds", "depth"]
    limit: int = 0
    value: int = 0


Verdict: TypeAlias = Granted | Short | Reached | Stopped
Extension: TypeAlias = Granted | Short


class Settled(NamedTuple):
    """What a settle did.

    `already`: nothing was booked now. Either the operation had been settled before, or (`unknown`) there is neither
    a hold nor a memory of it: its lines and windows cannot be known, so nothing is booked rather than a guess; the
    row still has the cost, and a rebuild from rows counts it. `overrun` is the cost above the hold, in nano-dollars.
    `by`: that one had settled it, in the place of its worker, and has its row; empty for an ordinary settle.
    """

    already: bool
    overrun: Nano
    unknown: bool = False
    by: str = ""


class Lapsed(NamedTuple):
    """An open hold that someone else must end: settle what was recorded, release what was only held, and book as
    lost, at its amount, what was dispatched."""

    operation: str
    worker: str
    phase: Phase
    amount: Nano
    charged_at_ns: int
    start_record: bytes


class RunState(NamedTuple):
    """What the ledger knows of a run. Times in nanoseconds since 1970, by the clock that the ledger goes by.

    `calls` are those granted. A run that was killed before its first call has depth, `started_ns` and `calls` 0.
    """

    org: str
    key_id: str
    name: str
    parent: str
    depth: int
    started_ns: int
    last_ns: int
    calls: int
    killed_ns: int | None


class LedgerUnavailable(Exception):
    """The ledger did not answer in time or is broken; the step was not carried out. `dependency` names it."""

    def __init__(self, reason: str, *, dependency: str = "ledger") -> None:
        super().__init__(f"{dependency}: {reason}")
        self.reason = reason
        self.dependency = dependency


class HoldLost(LedgerUnavailable):
    """There is no open hold of that operation (its lease lapsed and it was ended): the call must not be sent."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"there is no open hold of {operation}")
        self.operation = operation


class Ledger(Protocol):
    """Money set aside before a call, booked after it; no more is ever set aside than there is.

    Every step is atomic over all lines and idempotent by operation id. At all times, on every hard line,
    `spent + held ≤ limit + overrun`. All steps raise LedgerUnavailable. Cancelling a waiting `hold` leaves no hold
    behind; a `settle` or `release` once asked for is carried out even if the asker is cancelled.
    """

    async def hold(self, request: HoldRequest) -> Verdict:
        """Set the amount aside on every line, or on none. Asked again for an open operation: its hold as it is.

        Raises:
            HoldLost: the operation was settled before.
        """
        ...

    async def dispatch(self, operation: str, worker: str, *, start_record: bytes | None = None) -> None:
        """Note, before the first byte goes upstream, that the hold may cost from now on.

        Raises:
            HoldLost: the hold is gone; the call must not be sent.
        """
        ...

    async def extend(self, operation: str, more: Mapping[Unit, int]) -> Extension:
        """Set more aside for an open hold of this process, under the lines it was made with; all or none, past gates.

        `more` is by how much the lines of each unit grow, nano-dollars for dollars; lines of units that are not
        named stay as they are. Granted and Short are about the lines that grow: `amount` is what is then held in
        dollars, and the balances are those lines'.

        Raises:
            HoldLost: the hold is gone, or was made by another process.
        """
        ...

    async def settle(
        self, operation: str, cost: Nano, at_ns: int, *, used: Mapping[Unit, int] | None = None, by: str = ""
    ) -> Settled:
        """End a hold and book its cost in the windows fixed when it was made; above the hold it is booked in full.

        `by` is who settles it as lost in the place of the worker whose call it was; who comes later is told so.

        `used` is what was used of units other than dollars; one not named there is booked as it was held, slots
        at nothing.
        """
        ...

    async def release(self, operation: str, *, only_held: bool = False) -> bool:
        """End a hold at no cost; whether there was one. `only_held`: not if it has been dispatched meanwhile."""
        ...

    async def renew(self, worker: str, until_ns: int) -> None:
        """Let every hold of a worker live until then, at least."""
        ...

    async def lapsed(self, now_ns: int) -> list[Lapsed]:
        """Open holds whose own lease and whose worker's lease have both ended, oldest first, at most 256."""
        ...

    async def holds_of(self, worker: str) -> list[Lapsed]:
        """Open holds of a worker that is known to be dead, oldest first, at most 256."""
        ...

    async def balances(self, lines: Sequence[HoldLine]) -> tuple[Balance, ...]:
        """Where lines stand now."""
        ...

    async def kill_run(self, org: str, key_id: str, name: str, at_ns: int) -> bool:
        """Let a run take no more calls, also one never seen; whether it was not killed before."""
        ...

    async def runs(self, org: str | None = None, limit: int = 100, before_ns: int | None = None) -> list[RunState]:
        """Runs of an org or of all, those with the latest calls first, at most 1000; `before_ns`: whose last call was
        before then. A run is forgotten some time after its last call."""
        ...

    async def killed_runs(self, since_ns: int) -> frozenset[tuple[str, str, str]]:
        """Org, key id and name of the runs that were killed since."""
        ...

    async def close(self) -> None:
        """Carry out what waits, then let go of the store; later steps raise LedgerUnavailable."""
        ...
