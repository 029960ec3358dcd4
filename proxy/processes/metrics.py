"""What the workers count, and the page that Prometheus reads: each worker leaves its numbers in a file, admin sums."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from proxy.app.outages import Answered
from proxy.app.policy_status import read_status
from proxy.core.clock import SystemClock
from proxy.core.money import Nano
from proxy.journey.rooms import Counters
from proxy.processes.log_status import read_log_status
from proxy.processes.metric_names import BY_NAME, OTHER
from proxy.processes.policy_notes import PolicyNotes
from proxy.processes.refusals import RefusedBy
from proxy.processes.tally import MOST_KINDS, MOST_MODELS, Names, Tally, escaped
from proxy.processes.targets_now import TargetsNow
from proxy.routing import TargetNow
from proxy.telemetry import AttemptRow, DecisionRow, OperationRow

SILENT_NS: Final = 10_000_000_000
"""A worker reports every second; one that has not for so long is dead, or as good as."""
KEEP_NS: Final = 3_600_000_000_000
"""How long the file of a dead worker is kept as it is: what it noted for alerts is of use for an hour."""
MOST_DEAD: Final = 32
DEAD: Final = "metrics-dead.json"
SUPERVISOR: Final = "supervisor.json"
OTEL_FILE: Final = "otel.json"
ERRANDS: Final = "flyball_errands_total"
UNPRICED: Final = "flyball_unpriced_requests_total"
UNAUTHORISED: Final = "flyball_unauthorised_total"
SHADOWS: Final = "flyball_policy_shadow_total"
DECISIONS: Final = "flyball_policy_decisions_total"
UNTOLD: Final = "flyball_policy_alerts_dropped_total"
FINDINGS: Final = "flyball_findings_total"
REFUSALS: Final = "flyball_refusals_total"
INVALID_KEY: Final = f'{REFUSALS}{{code="invalid_api_key"}}'


_ATTEMPTS: Final = re.compile(
    r'flyball_upstream_attempts_total\{provider="(?P<provider>.*)",outcome="\w+",failure="(?P<failure>\w*)"\}'
)
_ITS_ANSWERS: Final = frozenset(
    {"", "context_length", "content_filter", "http_429", "http_4xx", "aborted", "forbidden_address", OTHER}
)
"""What is no fault of the provider's: it answered, we broke off, or we did not let it be reached."""


ERRAND_OUTCOMES: Final = frozenset(
    {"ok", "upstream_error", "too_large", "denied", "no_room", "no_money", "budget_exceeded"}
)
"""What is counted by itself of what came of errands; the rest is one."""


class Now(NamedTuple):
    """How a worker stands at this moment."""

    ledger_up: bool = True
    unsettled: int = 0
    live_streams: int = 0
    open_holds: int = 0
    keys: Mapping[str, str] = MappingProxyType({})
    """Which of its two keys each provider that has two is called with."""
    targets: Sequence[TargetNow] = ()
    health_shared: bool = True


class WorkerCounters:
    """One worker's counters; `write` leaves them where the admin process finds them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._tally = Tally()
        self._kind = Names(MOST_KINDS)
        self._model = Names(MOST_MODELS)
        self._refused_by = RefusedBy()
        self._policy_notes = PolicyNotes()

    def finished(self, row: OperationRow, attempts: Sequence[AttemptRow], cost: Nano | None) -> None:
        """Count one finished operation."""
        self._tally.add(row, attempts, cost)

    def refused(self, by: str, at_ns: int) -> None:
        """Note what refused a call: its alert is raised by the admin process."""
        self._refused_by.note(by, at_ns)

    def policy_alert(self, org: str, message: str, operation: str, at_ns: int) -> bool:
        """Note what a rule alerts of: the alert is raised by the admin process."""
        is_news = self._policy_notes.note(org, message, operation, at_ns)
        if is_news is None:
            self._counts[UNTOLD] += 1
        return bool(is_news)

    def decision(self, row: DecisionRow) -> None:
        """Count one decision that counted."""
        self._counts[f'{DECISIONS}{{point="{row.point}",result="{"allow" if row.allow else "deny"}"}}'] += 1

    def errand(self, purpose: str, outcome: str) -> None:
        """Count one upstream call of our own."""
        outcome = outcome if outcome in ERRAND_OUTCOMES else OTHER
        self._counts[f'{ERRANDS}{{purpose="{purpose}",outcome="{outcome}"}}'] += 1

    def shadow(self, how: str) -> None:
        """Count one shadow decision."""
        self._counts[f'{SHADOWS}{{result="{how}"}}'] += 1

    def unpriced(self, model: str) -> None:
        """Count one call that was served without a price."""
        self._counts[UNPRICED] += 1

    def unauthorised(self) -> None:
        """Count one call without a valid key."""
        self._counts[UNAUTHORISED] += 1
        self._counts[INVALID_KEY] += 1

    def finding(self, kind: str, count: int) -> None:
        """Count what detectors found in a request."""
        self._counts[f'{FINDINGS}{{kind="{escaped(self._kind(kind))}"}}'] += count

    def write(self, path: Path, more: Mapping[str, int], now: Now | None = None) -> None:
        """Leave the numbers in a file, whole or not at all."""
        counts: Counter[str] = Counter(self._counts)
        counts.update(self._tally.series())
        counts.update(more)
        now = now or Now()
        said: dict[str, object] = {
            **_plain(now),
            "targets": [each._replace(model=self._model(each.model)) for each in now.targets],
            "counts": counts,
            "refused": self._refused_by.last_ns,
            "policy_alerts": self._policy_notes.all(),
        }
        _replace(path, said)


@dataclass(slots=True)
class Summed:
    """All workers' numbers together."""

    total: Counter[str] = field(default_factory=Counter)
    workers: int = 0
    unsettled: int = 0
    live_streams: int = 0
    open_holds: int = 0
    ledger_up: bool = True
    keys: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many workers call a provider with a key: of providers that have two."""
    targets: TargetsNow = field(default_factory=TargetsNow)
    health_shared: bool = True

    def lines(self) -> list[str]:
        """As lines of the page."""
        return [
            *(f"{series} {_value(series, count)}" for series, count in self.total.items()),
            f"flyball_workers {self.workers}",
            f"flyball_ledger_up {int(self.ledger_up and self.workers > 0)}",
            f"flyball_ledger_unsettled {self.unsettled}",
            f"flyball_live_streams {self.live_streams}",
            f"flyball_open_holds {self.open_holds}",
            *(
                f'flyball_provider_key_workers{{provider="{escaped(provider)}",key="{key}"}} {count}'
                for (provider, key), count in sorted(self.keys.items())
            ),
            f"flyball_health_shared {int(self.health_shared)}",
            *self.targets.lines(),
        ]


def summed(folder: Path) -> Summed:
    """What the workers of this host, living and dead, have counted.

    Files first and what was folded after: one that is folded meanwhile is counted once, whichever is seen.
    """
    found = Summed()
    now_ns = SystemClock().now_ns()
    files: dict[str, Mapping[str, int]] = {}
    for path in folder.glob("metrics-*.json"):
        if path.name == DEAD or (said := _read(path)) is None:
            continue
        files[path.name] = said["counts"]
        if now_ns - said["at_ns"] < SILENT_NS:
            found.workers += 1
            found.unsettled += said.get("unsettled", 0)
            found.live_streams += said.get("live_streams", 0)
            found.open_holds += said.get("open_holds", 0)
            found.ledger_up = found.ledger_up and said.get("ledger_up", True)
            found.keys.update(said.get("keys", {}).items())
            found.targets.add(said.get("targets", ()))
            found.health_shared = found.health_shared and said.get("health_shared", True)
    dead = _read(folder / DEAD) or {"counts": {}, "folded": []}
    found.total.update(dead["counts"])
    for name, counts in files.items():
        if name not in dead["folded"]:
            found.total.update(counts)
    return found


def answered(folder: Path) -> dict[str, Answered]:
    """What became of requests to each provider, by whose fault: an answer is one, whatever its status below 500."""
    found: dict[str, Answered] = {}
    for series, count in summed(folder).total.items():
        if (match := _ATTEMPTS.fullmatch(series)) is not None:
            good, bad = found.get(match["provider"], Answered())
            is_bad = match["failure"] not in _ITS_ANSWERS
            found[match["provider"]] = Answered(good + (not is_bad) * count, bad + is_bad * count)
    return found


def fold_dead(folder: Path, living: set[str]) -> None:
    """Add the numbers of workers that have been dead for long, or of very many, into one file; only one may do so."""
    now_ns = SystemClock().now_ns()
    left = sorted(
        (path.stat().st_mtime_ns, path)
        for path in folder.glob("metrics-*.json")
        if path.name != DEAD and path.stem.removeprefix("metrics-") not in living
    )
    for place, (at_ns, path) in enumerate(left):
        if now_ns - at_ns < KEEP_NS and len(left) - place <= MOST_DEAD:
            continue
        dead = _read(folder / DEAD) or {"counts": {}, "folded": []}
        if path.name not in dead["folded"] and (said := _read(path)) is not None:
            counts = Counter(dead["counts"])
            counts.update(said["counts"])
            _replace(folder / DEAD, {"counts": counts, "folded": [*dead["folded"], path.name][-MOST_DEAD:]})
        path.unlink(missing_ok=True)


def note_restarts(folder: Path, restarts: Mapping[str, int]) -> None:
    """Leave how often processes were started again, by role."""
    _replace(folder / SUPERVISOR, dict(restarts))


def note_spans(folder: Path, figures: Mapping[str, int]) -> None:
    """Leave what became of spans."""
    _replace(folder / OTEL_FILE, figures)


def render(folder: Path, spool: Path, more: Callable[[], Sequence[str]] = tuple) -> str:
    """The page: all workers' numbers summed, those of the supervisor and of the collector, in Prometheus' text format.

    A worker's file outlives it, so that totals do not fall when it is restarted. `more` gives further lines.
    """
    lines = summed(folder).lines()
    restarts = read_plain(folder / SUPERVISOR)
    lines += [f'flyball_process_restarts_total{{role="{role}"}} {count}' for role, count in restarts.items()]
    if spans := read_plain(folder / OTEL_FILE):
        lines += [f'flyball_otel_spans_total{{result="{name}"}} {spans[name]}' for name in ("sent", "failed")]
        lines.append(f"flyball_otel_rows_dropped_total {spans['dropped']}")
    lines += _of_collector(read_plain(spool / "collector.json"))
    if (policy := read_status(folder)) is not None:
        lines += policy.metrics()
    if (decision_log := read_log_status(folder)) is not None:
        lines += decision_log.metrics()
    return with_help([*lines, *more()])


def with_help(lines: Sequence[str]) -> str:
    """The lines by metric, in the order of the table, each metric with its help and kind."""
    by_name: dict[str, list[str]] = {}
    for line in lines:
        by_name.setdefault(_metric_of(line), []).append(line)
    out: list[str] = []
    for name, metric in BY_NAME.items():
        if name in by_name:
            of_it = by_name[name] if metric.buckets else sorted(by_name[name])
            out += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}", *of_it]
    return "\n".join(out) + "\n"


def _plain(now: Now) -> dict[str, object]:
    return {**now._asdict(), "keys": dict(now.keys)}


def _metric_of(line: str) -> str:
    name = line.partition("{")[0].partition(" ")[0]
    for ending in ("_bucket", "_sum", "_count"):
        if (stem := name.removesuffix(ending)) != name and stem in BY_NAME:
            return stem
    return name


def _value(series: str, count: int) -> str:
    """Sums of histograms are whole microseconds until here."""
    if series.partition("{")[0].endswith("_seconds_sum"):
        return f"{count // 1_000_000}.{count % 1_000_000:06d}"
    return str(count)


def _of_collector(said: Mapping[str, Any]) -> list[str]:
    if not said:
        return []
    return [
        f"flyball_spool_bytes {said['spool_bytes']}",
        f"flyball_spool_segments {said['sealed_segments']}",
        f"flyball_telemetry_lag_seconds {said['lag_seconds']:.3f}",
        f"flyball_telemetry_up {int(not said['away'])}",
        f"flyball_rows_shipped_total {said['shipped_rows']}",
        f"flyball_rows_rejected_total {said['rejected_rows']}",
        f"flyball_rows_forgotten_total {said.get('forgotten_rows', 0)}",
        f"flyball_check_shipped_operations {said.get('check_shipped', 0)}",
        f"flyball_check_missing_operations {said.get('check_missing', 0)}",
        f"flyball_check_doubled_operations {said.get('check_doubled', 0)}",
        f"flyball_check_rollup_difference {said.get('check_rollup_difference', 0)}",
        f"flyball_check_timestamp_seconds {said.get('check_at', 0.0):.3f}",
    ]


def _read(path: Path) -> dict[str, Any] | None:
    """A worker's file with its age; None when it is gone or damaged."""
    try:
        said = json.loads(path.read_text())
        return {**said, "counts": said["counts"], "at_ns": path.stat().st_mtime_ns}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_plain(path: Path) -> dict[str, Any]:
    """A file that a process leaves about itself; empty when it is gone or damaged."""
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _replace(path: Path, said: Mapping[str, object]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(said))
    os.replace(draft, path)


_: type[Counters] = WorkerCounters
