"""A worker that answers calls, 200 a second of its own clock; each answer is told once its row is settled.

    python spooling_worker.py STATE WORKER FIRST COUNT START_NS PAUSE_AT

Ids of answered calls are appended to STATE/answered. At call number PAUSE_AT it waits for ever, with rows in its open
segment, so that it can be killed there.
"""

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from proxy.telemetry.rows import OperationRow, Table
from proxy.telemetry.spool import Spool

STEP_NS = 5_000_000


class Ticking:
    """A clock that a call moves by five milliseconds."""

    def __init__(self, start_ns: int) -> None:
        self.ns = start_ns

    def now_ns(self) -> int:
        return self.ns

    def monotonic_ns(self) -> int:
        return self.ns


def call(number: int, at_ns: int) -> OperationRow:
    moment = datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return OperationRow(
        operation_id=f"op_{number:032x}",
        charged_at=moment,
        finished_at=moment,
        org="acme",
        team=f"team {number % 7}",
        key_id="key_1",
        key_name="bot",
        model="gpt-5-mini",
        provider="openai",
        outcome="ok",
        usage_source="provider",
        input_tokens=1000 + number % 100,
        cost_usd=f"0.{number % 10**9:09d}",
        list_usd=f"0.{number % 10**9:09d}",
    )


def main(state: Path, worker: str, first: int, count: int, start_ns: int, pause_at: int) -> None:
    clock = Ticking(start_ns)
    spool = Spool(state / "spool", worker, clock=clock)
    answered = os.open(state / "answered", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    for number in range(first, first + count):
        row = call(number, clock.ns)
        spool.append(Table.OPERATIONS, row)
        spool.settled(row.operation_id)
        os.write(answered, f"{row.operation_id}\n".encode())
        clock.ns += STEP_NS
        spool.seal_due()
        if number == pause_at:
            sys.stdout.write("paused\n")
            sys.stdout.flush()
            time.sleep(600)
    spool.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *(int(each) for each in sys.argv[3:7]))
