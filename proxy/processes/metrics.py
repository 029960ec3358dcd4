"""What the workers count, and the page that Prometheus reads: each worker leaves its numbers in a file, admin sums."""

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from proxy.app.policy_status import read_status
from proxy.core.clock import SystemClock
from proxy.core.money import NANO_PER_USD, Nano
from proxy.core.outcome import Outcome
from proxy.journey.rooms import Counters
from proxy.processes.log_status import read_log_status
from proxy.processes.policy_notes import PolicyNotes
from proxy.processes.refusals import RefusedBy

SILENT_NS: Final = 10_000_000_000
"""A worker reports every second; one that has not for so long is dead, or as good as."""
OPERATIONS: Final = "flyball_operations_total"
COST: Final = "flyball_cost_usd_total"
UNPRICED: Final = "flyball_unpriced_requests_total"
UNAUTHORISED: Final = "flyball_unauthorised_total"
SHADOWS: Final = "flyball_policy_shadow_total"
UNTOLD: Final = "flyball_policy_alerts_dropped_total"
GAUGES: Final = frozenset(
    {
        "flyball_decision_log_pending_bytes",
        "flyball_workers",
        "flyball_ledger_up",
        "flyball_ledger_unsettled",
        "flyball_policy_stale",
    }
)
FINDINGS: Final = "flyball_findings_total"
HELP: Final = {
    OPERATIONS: "Finished client calls by endpoint, outcome and refusal code.",
    COST: "Dollars spent.",
    UNPRICED: "Calls served without a known price.",
    UNAUTHORISED: "Calls refused for lack of a valid key.",
    FINDINGS: "Findings in requests by kind; what an agent sends again is found again.",
    "flyball_rows_dropped_total": "Telemetry rows lost, by table and reason.",
    SHADOWS: "Shadow decisions of policy, by whether they differ from what counted, failed or were dropped.",
    UNTOLD: "Alerts of a policy's rules that were not noted, for want of room.",
    "flyball_decision_log_sent_total": "Decisions that the server of decision logs has taken.",
    "flyball_decision_log_retries_total": "Batches of decisions that are tried again.",
    "flyball_decision_log_pending_bytes": "Decisions that wait for the server of decision logs, in bytes.",
    "flyball_decision_log_dropped_total": "Decisions that the server of decision logs did not get, by reason.",
    "flyball_workers": "Worker processes that report.",
    "flyball_ledger_up": "Whether every worker that reports reaches the ledger.",
    "flyball_policy_takes_total": "Times that policies were taken, were refused, or could not be fetched.",
    "flyball_policy_stale": "Whether there are other policies that could not be taken, so that the old ones decide.",
    "flyball_ledger_unsettled": "Calls recorded and not settled yet, for want of the ledger.",
}


class WorkerCounters:
    """One worker's counters; `write` leaves them where the admin process finds them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._nano = 0
        self._refused_by = RefusedBy()
        self._policy_notes = PolicyNotes()
        self.ledger_up = True
        self.unsettled = 0

    def operation(self, org: str, endpoint: str, outcome: Outcome, code: str, cost: Nano | None) -> None:
        """Count one finished operation."""
        self._counts[f'{OPERATIONS}{{endpoint="{endpoint}",outcome="{outcome.value}",code="{code}"}}'] += 1
        self._nano += cost or 0

    def refused(self, by: str, at_ns: int) -> None:
        """Note what refused a call: its alert is raised by the admin process."""
        self._refused_by.note(by, at_ns)

    def policy_alert(self, org: str, message: str, operation: str, at_ns: int) -> bool:
        """Note what a rule alerts of: the alert is raised by the admin process."""
        is_news = self._policy_notes.note(org, message, operation, at_ns)
        if is_news is None:
            self._counts[UNTOLD] += 1
        return bool(is_news)

    def shadow(self, how: str) -> None:
        """Count one shadow decision."""
        self._counts[f'{SHADOWS}{{result="{how}"}}'] += 1

    def unpriced(self, model: str) -> None:
        """Count one call that was served without a price."""
        self._counts[UNPRICED] += 1

    def unauthorised(self) -> None:
        """Count one call without a valid key."""
        self._counts[UNAUTHORISED] += 1

    def finding(self, kind: str, count: int) -> None:
        """Count what detectors found in a request."""
        self._counts[f'{FINDINGS}{{kind="{kind}"}}'] += count

    def write(self, path: Path, more: Mapping[str, int]) -> None:
        """Leave the numbers in a file, whole or not at all."""
        draft = path.with_suffix(".draft")
        now: dict[str, object] = {
            "ledger_up": self.ledger_up,
            "unsettled": self.unsettled,
            "refused": self._refused_by.last_ns,
        }
        now["policy_alerts"] = self._policy_notes.all()
        draft.write_text(json.dumps({"counts": {**self._counts, **more}, "nano": self._nano, **now}))
        os.replace(draft, path)


def render(folder: Path) -> str:
    """All workers' numbers summed, in Prometheus' text format.

    A worker's file outlives it, so that totals do not fall when it is restarted.
    """
    total: Counter[str] = Counter()
    nano = workers = unsettled = 0
    up = True
    now_ns = SystemClock().now_ns()
    for path in sorted(folder.glob("metrics-*.json")):
        try:
            said = json.loads(path.read_text())
            reported_ns = path.stat().st_mtime_ns
        except (OSError, ValueError):
            continue
        total.update(said["counts"])
        nano += said["nano"]
        if now_ns - reported_ns < SILENT_NS:
            workers += 1
            unsettled += said.get("unsettled", 0)
            up = up and said.get("ledger_up", True)
    lines = [f"{name} {count}" for name, count in sorted(total.items())]
    lines.append(f"{COST} {nano // NANO_PER_USD}.{nano % NANO_PER_USD:09d}")
    lines += [f"flyball_workers {workers}", f"flyball_ledger_up {int(up and workers > 0)}"]
    lines.append(f"flyball_ledger_unsettled {unsettled}")
    if (policy := read_status(folder)) is not None:
        lines += policy.metrics()
    if (decision_log := read_log_status(folder)) is not None:
        lines += decision_log.metrics()
    return _with_help(lines)


def _with_help(lines: list[str]) -> str:
    out: list[str] = []
    told: set[str] = set()
    for line in lines:
        name = line.partition("{")[0].partition(" ")[0]
        if name not in told:
            told.add(name)
            kind = "gauge" if name in GAUGES else "counter"
            out += [f"# HELP {name} {HELP.get(name, name)}", f"# TYPE {name} {kind}"]
        out.append(line)
    return "\n".join(out) + "\n"


_: type[Counters] = WorkerCounters
