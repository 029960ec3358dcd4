"""What refused calls lately reaches whoever raises alerts, over the file that each worker leaves."""

from pathlib import Path

from proxy.core.clock import SystemClock
from proxy.processes.metrics import WorkerCounters
from proxy.processes.refusals import MOST, refusals


def test_what_refused_lately_is_told_apart_by_scope_and_name(tmp_path: Path) -> None:
    now_ns = SystemClock().now_ns()
    counters = WorkerCounters()
    counters.refused("user:acme/a/b/user-day", now_ns - 5)
    counters.refused("user:acme/a/b/user-day", now_ns)
    counters.refused("org:acme/month", now_ns - 120 * 10**9)
    counters.write(tmp_path / "metrics-wrk_1.json", {})
    (tmp_path / "metrics-wrk_2.json").write_text('{"counts": {')
    (tmp_path / "metrics-wrk_3.json").write_text('{"counts": {}, "nano": 0}')
    assert refusals(tmp_path) == {("user:acme/a/b", "user-day"): now_ns}


def test_of_many_the_latest_are_told(tmp_path: Path) -> None:
    now_ns = SystemClock().now_ns()
    counters = WorkerCounters()
    for number in range(MOST + 1):
        counters.refused(f"user:acme/u{number}/user-day", now_ns)
    counters.write(tmp_path / "metrics-wrk_1.json", {})
    told = refusals(tmp_path)
    assert len(told) == MOST
    assert ("user:acme/u0", "user-day") not in told
