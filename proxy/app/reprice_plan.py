"""A reprice in two steps: planned into a folder of batches, looked at by a person, then carried out.

A plan that was decided on is carried out to its end, by whoever comes next if its process dies: each batch has a
token of its own, by which the store counts it once however often it is sent, and is deleted when the store has it.
"""

import asyncio
import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from proxy.app.repricing import Kept, Repricer
from proxy.core.clock import Clock
from proxy.core.money import ZERO, Nano, exact_usd
from proxy.telemetry import CorrectionRow, Corrections, RecordedCost, RepriceQuery, lines_of

_PLAN: Final = "plan"
_DECIDED: Final = "decided"
Seen = Callable[[int], None]


@dataclass(slots=True)
class Difference:
    """What the calls of one team for one model cost now, and would cost; those without a price cost nothing now."""

    calls: int = 0
    before: Nano = ZERO
    after: Nano = ZERO


@dataclass(slots=True)
class Plan:
    """What a reprice would do: by org, team and model, and how many calls stay as they are, for which reasons."""

    differences: dict[tuple[str, str, str], Difference] = field(default_factory=dict)
    kept: Counter[Kept] = field(default_factory=Counter)
    corrections: int = 0
    batches: int = 0

    def add(self, recorded: RecordedCost, row: CorrectionRow) -> None:
        """Take in one correction."""
        names = recorded.names
        one = self.differences.setdefault((names["org"], names["team"], names["model"]), Difference())
        before = recorded.cost or 0
        one.calls += 1
        one.before = Nano(one.before + before)
        one.after = Nano(one.after + before + exact_usd(row.delta_usd))
        self.corrections += 1


class RepriceFolder:
    """Where the batches of a reprice wait, under the state folder. One process at a time; who uses it sees to that."""

    def __init__(self, folder: Path) -> None:
        self._plan, self._decided = folder / _PLAN, folder / _DECIDED

    def waiting(self) -> int:
        """Batches of a plan that was decided on and not carried out to its end."""
        return len(self._batches())

    async def plan(
        self, corrections: Corrections, asked: RepriceQuery, repricer: Repricer, clock: Clock, seen: Seen
    ) -> Plan:
        """Work out every correction and lay it down; `seen` is told how many calls were looked at, as it goes on.

        Raises:
            TelemetryUnavailable: the store cannot answer; nothing was changed.
        """
        shutil.rmtree(self._plan, ignore_errors=True)
        self._plan.mkdir(parents=True, mode=0o700)
        plan, made_at_ns = Plan(), clock.now_ns()
        for stretch in await corrections.stretches(asked):
            async for page in corrections.pages(asked, stretch):
                rows = _page(page, repricer, plan, made_at_ns)
                if rows:
                    await asyncio.to_thread(self._lay_down, plan, rows)
                seen(len(page))
        return plan

    def decide(self) -> None:
        """From now on the plan is to be carried out, also after a crash."""
        self._plan.rename(self._decided)

    def discard(self) -> None:
        """Forget the plan."""
        shutil.rmtree(self._plan, ignore_errors=True)

    async def carry_out(self, corrections: Corrections, done: Seen) -> int:
        """Send what was decided, oldest first; how many corrections that were. `done` is told of each batch's.

        Raises:
            TelemetryUnavailable, StoreRefused: not all is sent; the rest waits, and is sent by the next call of this.
        """
        sent = 0
        for batch in self._batches():
            content = await asyncio.to_thread(batch.read_bytes)
            await corrections.write(content, batch.stem.partition(".")[2])
            batch.unlink()
            sent += content.count(b"\n")
            done(content.count(b"\n"))
        with contextlib.suppress(FileNotFoundError):
            self._decided.rmdir()
        return sent

    def _lay_down(self, plan: Plan, rows: list[CorrectionRow]) -> None:
        plan.batches += 1
        path = self._plan / f"{plan.batches:08d}.{_token(rows)}.jsonl"
        with path.open("xb") as file:
            file.write(lines_of(rows))
            file.flush()
            os.fsync(file.fileno())

    def _batches(self) -> list[Path]:
        return sorted(self._decided.glob("*.jsonl"))


def _page(page: list[RecordedCost], repricer: Repricer, plan: Plan, made_at_ns: int) -> list[CorrectionRow]:
    rows = []
    for recorded in page:
        found = repricer.correction(recorded, made_at_ns)
        if isinstance(found, Kept):
            plan.kept[found] += 1
        else:
            plan.add(recorded, found)
            rows.append(found)
    return rows


def _token(rows: list[CorrectionRow]) -> str:
    """The batch's name to the store: two plans of the same step make the same batch, whenever they are made."""
    told = sha256()
    for row in rows:
        told.update(f"{row.correction_id} {row.delta_usd} {row.list_delta_usd}\n".encode())
    return f"reprice-{told.hexdigest()[:40]}"
