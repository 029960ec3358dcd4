"""The page that Prometheus reads: all workers' numbers, exact money, no name that a client could choose."""

from pathlib import Path

from proxy.core.money import Nano
from proxy.core.outcome import Outcome
from proxy.processes.metrics import WorkerCounters, render


def test_the_workers_numbers_are_summed(tmp_path: Path) -> None:
    for name, count in (("wrk_1", 2), ("wrk_2", 3)):
        counters = WorkerCounters()
        for _ in range(count):
            counters.operation("acme", "chat.completions", Outcome.OK, "", Nano(1_500_000_001))
        counters.operation("acme", "chat.completions", Outcome.REFUSED, "budget_exceeded", None)
        counters.unauthorised()
        counters.unpriced("some-model")
        counters.write(tmp_path / f"metrics-{name}.json", {'flyball_rows_dropped_total{table="operations"}': count})
    page = render(tmp_path)
    lines = page.splitlines()
    assert 'flyball_operations_total{endpoint="chat.completions",outcome="ok",code=""} 5' in lines
    assert 'flyball_operations_total{endpoint="chat.completions",outcome="refused",code="budget_exceeded"} 2' in lines
    assert "flyball_cost_usd_total 7.500000005" in lines
    assert "flyball_unauthorised_total 2" in lines
    assert "flyball_unpriced_requests_total 2" in lines
    assert 'flyball_rows_dropped_total{table="operations"} 5' in lines
    assert "flyball_workers 2" in lines
    assert "some-model" not in page
    assert lines.count("# TYPE flyball_operations_total counter") == 1
    assert "# TYPE flyball_workers gauge" in lines


def test_a_damaged_file_does_not_take_the_page_down(tmp_path: Path) -> None:
    WorkerCounters().write(tmp_path / "metrics-wrk_1.json", {})
    (tmp_path / "metrics-wrk_2.json").write_text('{"counts": {')
    assert "flyball_workers 1" in render(tmp_path).splitlines()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics-wrk_1.json", "metrics-wrk_2.json"]
