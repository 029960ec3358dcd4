"""Ending the holds of the dead: what was recorded is settled, what was only held is released, the rest is lost.

A lost call is booked at its hold, in one row of its own (DESIGN §6): it was sent, and nobody knows what it cost.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from proxy.budget import Lapsed, Ledger, LedgerUnavailable, Unit, tokens_used
from proxy.core.clock import Clock, stamp
from proxy.core.ids import new_id
from proxy.core.money import ZERO, to_usd_text
from proxy.core.outcome import Outcome
from proxy.core.usage import UsageSource
from proxy.journey.start_record import row_of
from proxy.telemetry import AttemptRow, Recorded, SalvagedRows, Spool, Table, abandoned, salvage

NS: Final = 1_000_000_000
OUR_LEASE: Final = "supervisor"
SUPERVISORS: Final = "sup_"
"""How the names begin that supervisors write lost calls in."""
OTHERS_PATIENCE_NS: Final = 5 * NS
log = logging.getLogger("flyball.sweep")


class Sweeper:
    """Ends holds that nobody else will end; lives in the supervisor of the workers, and nowhere else.

    With a ledger that hosts share (`shared`) the holds of all of them are seen. Those of this host's dead are ended at
    once, as ever; those of others when their leases have ended. Several hosts may find the same call lost: all write
    its row and settle, the ledger tells them who was the first, and the others take theirs back before it is shipped.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        own_spool: Spool,
        clock: Clock,
        *,
        lease_s: int,
        name: str = OUR_LEASE,
        shared: bool = False,
    ) -> None:
        """`lease_s`: how long leases last; workers renew theirs every third of it. `name`: of `own_spool`."""
        self._ledger = ledger
        self._lease_ns = lease_s * NS
        self._patience_ns = min(self._lease_ns // 2, OTHERS_PATIENCE_NS) if shared else self._lease_ns // 2
        self._folder = folder
        self._spool = own_spool
        self._clock = clock
        self._name = name
        self._shared = shared
        self._lost: set[str] = set()
        self._silent: dict[str, int] = {}

    async def sweep_worker(self, worker: str) -> None:
        """End every hold of a worker that is certainly dead, then let its rows be shipped. May be done again."""
        salvaged = salvage(self._folder, worker)
        taken = await self._settle_recorded(worker, salvaged.rows)
        while holds := await self._ledger.holds_of(worker):
            for lapsed in holds:
                await self._end(lapsed, salvaged.rows)
        _seal(worker, salvaged, taken)

    async def sweep_all(self, noted: Iterable[str] = ()) -> None:
        """At start, before any worker lives: end every hold there is; of a shared ledger only those of this host.

        All rows that were left are looked at first: the row of a lost call lies with an earlier supervisor's, its
        hold with a worker's. `noted` are the names that this host's dead made holds in.
        """
        left = {worker: salvage(self._folder, worker) for worker in abandoned(self._folder, ())}
        rows = {operation: row for salvaged in left.values() for operation, row in salvaged.rows.items()}
        taken = {worker: await self._settle_recorded(worker, salvaged.rows) for worker, salvaged in left.items()}
        if self._shared:
            for worker in {*noted, *left}:
                while holds := await self._ledger.holds_of(worker):
                    for lapsed in holds:
                        await self._end(lapsed, rows)
        else:
            # A worker's holds end with its lease; what is held for longer is work that providers go on with.
            while holds := await self._ledger.lapsed(self._clock.now_ns() + 2 * self._lease_ns):
                for lapsed in holds:
                    await self._end(lapsed, rows)
        for worker, salvaged in left.items():
            _seal(worker, salvaged, taken[worker])

    async def hanging(self) -> set[str]:
        """Workers that do not renew their leases though they could: they must be killed before they are swept.

        While nobody can write to the ledger, or the machine sleeps, everybody's leases run out. So a worker is only
        taken to hang when half a lease has passed in which we could renew one and it did not. On a shared ledger five
        seconds are enough: a worker that was cut off from it asks every second.
        """
        try:
            await self._ledger.renew(self._name if self._shared else OUR_LEASE, self._clock.now_ns() + self._lease_ns)
        except LedgerUnavailable:
            self._silent.clear()
            return set()
        now = self._clock.monotonic_ns()
        silent = {lapsed.worker for lapsed in await self._ledger.lapsed(self._clock.now_ns())}
        self._silent = {worker: self._silent.get(worker, now) for worker in silent}
        return {worker for worker, since in self._silent.items() if now - since >= self._patience_ns}

    async def _settle_recorded(self, worker: str, rows: Mapping[str, Recorded]) -> set[str]:
        """Settle what a dead one recorded; the operations that another host settled in its place, and wrote down.

        Alone there is no other host: then a hold that is left is settled when it is met.
        """
        taken: set[str] = set()
        if not self._shared:
            return taken
        by = worker if worker.startswith(SUPERVISORS) else ""
        for operation, row in rows.items():
            now = self._clock.now_ns()
            settled = await self._ledger.settle(operation, row.cost or ZERO, now, used=used_by(row), by=by)
            if settled.already and not settled.unknown and settled.by != by:
                taken.add(operation)
        return taken

    async def _end(self, lapsed: Lapsed, recorded: Mapping[str, Recorded]) -> None:
        now, operation = self._clock.now_ns(), lapsed.operation
        if operation in recorded:
            row = recorded[operation]
            await self._ledger.settle(operation, row.cost or ZERO, now, used=used_by(row))
        elif lapsed.phase == "held":
            await self._ledger.release(operation, only_held=True)
        else:
            if operation not in self._lost:
                # Remembered until it is settled: a ledger that is away now must not make a second row of it later.
                self._lost.add(operation)
                self._record_lost(lapsed, now)
            by = self._name if self._shared else ""
            settled = await self._ledger.settle(operation, lapsed.amount, now, by=by)
            if settled.already and not settled.unknown and settled.by != by:
                self._spool.withdraw(operation)
            else:
                self._spool.settled(operation)
            self._lost.discard(operation)

    def _record_lost(self, lapsed: Lapsed, now_ns: int) -> None:
        row = row_of(lapsed.start_record)
        row.outcome, row.usage_source = Outcome.LOST.value, UsageSource.ESTIMATED.value
        row.finished_at = stamp(now_ns)
        row.cost_usd = row.list_usd = row.held_usd = to_usd_text(lapsed.amount)
        row.attempts, row.error = 1, "worker_died"
        attempt = AttemptRow(
            attempt_id=new_id("att"),
            operation_id=row.operation_id,
            started_at=row.charged_at,
            org=row.org,
            team=row.team,
            key_id=row.key_id,
            key_name=row.key_name,
            endpoint=row.endpoint,
            provider=row.provider,
            streamed=row.streamed,
            sent_model=row.requested_model,
            outcome=row.outcome,
            usage_source=row.usage_source,
            cost_usd=row.cost_usd,
            list_usd=row.list_usd,
            price_version=row.price_version,
            error=row.error,
            worker=row.worker,
        )
        self._spool.append(Table.ATTEMPTS, attempt)
        self._spool.append(Table.OPERATIONS, row)
        log.warning("a call was lost with its worker", extra={"operation": row.operation_id, "worker": row.worker})


def used_by(row: Recorded) -> Mapping[Unit, int]:
    """What a recorded call took of budgets and limits that count something else than dollars."""
    return {
        **tokens_used(row.input_tokens, row.output_tokens),
        Unit.TOOL_CALLS: row.tool_calls,
        Unit.REQUESTS: int(row.reached),
        Unit.SLOTS: 0,
    }


def _seal(worker: str, salvaged: SalvagedRows, taken: set[str]) -> None:
    salvaged.seal(taken)
    if taken:
        log.warning("another host had settled calls of a dead worker", extra={"worker": worker, "calls": len(taken)})
    if salvaged.torn_lines:
        log.warning("a dead worker left a torn row", extra={"worker": worker, "torn": salvaged.torn_lines})
