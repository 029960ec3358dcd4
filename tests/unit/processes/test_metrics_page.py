"""The page that Prometheus reads: all workers' numbers, exact money, no name that a client could choose."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.core.money import Nano
from proxy.processes.describe_metrics import page
from proxy.processes.metric_names import BY_NAME, LABELS, METRICS
from proxy.processes.metrics import MOST_DEAD, Now, WorkerCounters, fold_dead, note_restarts, render
from proxy.processes.tally import MOST_ORGS, MOST_PROVIDERS, failure_of
from proxy.routing import TargetNow
from proxy.telemetry import AttemptRow, DecisionRow, OperationRow

ROOT = Path(__file__).parents[3]
NONE: dict[str, int] = {}


def operation(**more: Any) -> OperationRow:
    values: dict[str, Any] = {
        **{"operation_id": "op_1", "charged_at": "", "finished_at": "", "org": "acme", "team": "support"},
        **{"key_id": "key_1", "key_name": "bot", "endpoint": "chat.completions", "outcome": "ok"},
        **{"provider": "openai", "usage_source": "provider", "input_tokens": 10, "cache_read_tokens": 5},
        **{"output_tokens": 3, "duration_ms": 812.5, "ttft_ms": 90.25, "overhead_ms": 1.5},
    }
    return OperationRow(**{**values, **more})


def attempt(**more: Any) -> AttemptRow:
    values: dict[str, Any] = {
        **{"attempt_id": "att_1", "operation_id": "op_1", "started_at": "", "org": "acme", "team": "support"},
        **{"key_id": "key_1", "key_name": "bot", "provider": "openai", "outcome": "ok"},
    }
    return AttemptRow(**{**values, **more})


def decision(**more: Any) -> DecisionRow:
    return DecisionRow(
        **{
            **{"decision_id": "dec_1", "operation_id": "op_1", "decided_at": "", "org": "acme", "team": "support"},
            **{"key_id": "key_1", "key_name": "bot"},
            **more,
        }
    )


@pytest.fixture
def page_of(tmp_path: Path) -> Callable[[], str]:
    def rendered() -> str:
        return render(tmp_path, tmp_path / "spool")

    return rendered


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """As Prometheus' own parser reads the page: each series once."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"{key} stands twice"
            found[key] = sample.value
    return found


def test_the_workers_numbers_are_summed(tmp_path: Path, page_of: Callable[[], str]) -> None:
    for name, count in (("wrk_1", 2), ("wrk_2", 3)):
        counters = WorkerCounters()
        for _ in range(count):
            counters.finished(
                operation(), [attempt(outcome="upstream_error", error="http_529"), attempt()], Nano(1_500_000_001)
            )
        counters.finished(operation(outcome="refused", code="budget_exceeded", provider="", ttft_ms=None), [], None)
        counters.unauthorised()
        counters.unpriced("some-model")
        counters.decision(decision(point="request", allow=True))
        counters.decision(decision(point="route"))
        dropped = {'flyball_rows_dropped_total{table="operations",reason="disk"}': count}
        counters.write(tmp_path / f"metrics-{name}.json", dropped, Now(live_streams=2, open_holds=count))
    text = page_of()
    lines = text.splitlines()
    for line in (
        'flyball_operations_total{endpoint="chat.completions",outcome="ok",code=""} 5',
        'flyball_operations_total{endpoint="chat.completions",outcome="refused",code="budget_exceeded"} 2',
        'flyball_refusals_total{code="budget_exceeded"} 2',
        'flyball_refusals_total{code="invalid_api_key"} 2',
        'flyball_spend_nanodollars_total{org="acme",provider="openai"} 7500000005',
        'flyball_tokens_total{provider="openai",class="input"} 50',
        'flyball_tokens_total{provider="openai",class="cache_read"} 25',
        'flyball_upstream_attempts_total{provider="openai",outcome="upstream_error",failure="http_5xx"} 5',
        'flyball_upstream_attempts_total{provider="openai",outcome="ok",failure=""} 5',
        "flyball_unauthorised_total 2",
        "flyball_unpriced_requests_total 2",
        'flyball_policy_decisions_total{point="request",result="allow"} 2',
        'flyball_policy_decisions_total{point="route",result="deny"} 2',
        'flyball_rows_dropped_total{table="operations",reason="disk"} 5',
        "flyball_workers 2",
        "flyball_live_streams 4",
        "flyball_open_holds 5",
        'flyball_duration_seconds_bucket{endpoint="chat.completions",le="0.5"} 0',
        'flyball_duration_seconds_bucket{endpoint="chat.completions",le="1"} 7',
        'flyball_duration_seconds_bucket{endpoint="chat.completions",le="+Inf"} 7',
        'flyball_duration_seconds_sum{endpoint="chat.completions"} 5.687500',
        'flyball_ttft_seconds_bucket{provider="openai",le="0.1"} 5',
        'flyball_ttft_seconds_sum{provider="openai"} 0.451250',
        'flyball_overhead_seconds_bucket{le="0.001"} 0',
        'flyball_overhead_seconds_bucket{le="0.002"} 7',
        "flyball_overhead_seconds_count 7",
    ):
        assert line in lines, line
    assert "some-model" not in text
    assert lines.count("# TYPE flyball_operations_total counter") == 1
    assert "# TYPE flyball_workers gauge" in lines and "# TYPE flyball_ttft_seconds histogram" in lines
    assert samples(text)["flyball_spend_nanodollars_total", (("org", "acme"), ("provider", "openai"))] == 7500000005


def test_targets_stand_as_living_workers_see_them(tmp_path: Path, page_of: Callable[[], str]) -> None:
    seen = [TargetNow("openai", "gpt-5", "open", 1.0), TargetNow('a"b', "m", "closed", 0.25)]
    WorkerCounters().write(tmp_path / "metrics-wrk_1.json", {}, Now(targets=seen))
    others = [TargetNow("openai", "gpt-5", "open", 1.0), TargetNow('a"b', "m", "cooling", 0.5)]
    WorkerCounters().write(tmp_path / "metrics-wrk_2.json", {}, Now(targets=others, health_shared=False))
    lines = page_of().splitlines()
    assert 'flyball_target_workers{provider="openai",model="gpt-5",state="open"} 2' in lines
    assert 'flyball_target_workers{provider="a\\"b",model="m",state="cooling"} 1' in lines
    assert 'flyball_target_headroom_ratio{provider="a\\"b",model="m"} 0.25' in lines
    assert "flyball_health_shared 0" in lines


def test_which_of_two_keys_is_in_use_is_told_by_living_workers(tmp_path: Path, page_of: Callable[[], str]) -> None:
    for name, key in (("wrk_1", "api_key"), ("wrk_2", "api_key_next"), ("wrk_3", "api_key_next")):
        WorkerCounters().write(tmp_path / f"metrics-{name}.json", {}, Now(keys={"openai": key}))
    lines = page_of().splitlines()
    assert 'flyball_provider_key_workers{provider="openai",key="api_key"} 1' in lines
    assert 'flyball_provider_key_workers{provider="openai",key="api_key_next"} 2' in lines
    os.utime(tmp_path / "metrics-wrk_1.json", (0, 0))
    assert 'key="api_key"}' not in page_of()


def test_a_damaged_file_does_not_take_the_page_down(tmp_path: Path, page_of: Callable[[], str]) -> None:
    WorkerCounters().write(tmp_path / "metrics-wrk_1.json", {})
    (tmp_path / "metrics-wrk_2.json").write_text('{"counts": {')
    assert "flyball_workers 1" in page_of().splitlines()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics-wrk_1.json", "metrics-wrk_2.json"]


def test_whatever_comes_the_page_is_bounded(tmp_path: Path, page_of: Callable[[], str]) -> None:
    """Not one series more for what is in no list, and nothing in them that a client could have written."""
    counters = WorkerCounters()
    for number in range(3000):
        evil = f'x"}} 1\n{number}\\'
        row = operation(org=f"org{number}", provider=evil, endpoint=evil, outcome=evil, code=evil, model=evil)
        counters.finished(row, [attempt(provider=evil, outcome=evil, error=evil)], Nano(1))
        counters.finding(evil, 1)
    counters.write(tmp_path / "metrics-wrk_1.json", {})
    text = page_of()
    series = samples(text)
    spent = [labels for name, labels in series if name == "flyball_spend_nanodollars_total"]
    assert len(spent) <= MOST_ORGS + MOST_PROVIDERS + 2
    assert sum(value for (name, _), value in series.items() if name == "flyball_spend_nanodollars_total") == 3000
    assert series["flyball_operations_total", (("code", "other"), ("endpoint", "other"), ("outcome", "other"))] == 3000
    assert len(series) < 3000 and len(text) < 500_000
    for name, labels in series:
        metric = next(each for each in METRICS if name in (each.name, *(f"{each.name}{end}" for end in ENDINGS)))
        assert {label for label, _ in labels} - {"le"} == set(metric.labels), name


ENDINGS = ("_bucket", "_sum", "_count")


def test_counters_never_go_back_when_workers_die(tmp_path: Path, page_of: Callable[[], str]) -> None:
    """However many die, the page counts all of them, once, and the folder does not fill up with them."""
    total, living = 0, set[str]()
    for number in range(3 * MOST_DEAD):
        counters = WorkerCounters()
        for _ in range(number % 3 + 1):
            counters.finished(operation(), [], Nano(1))
            total += 1
        path = tmp_path / f"metrics-wrk_{number:03d}.json"
        counters.write(path, {})
        os.utime(path, ns=(time.time_ns() + number, time.time_ns() + number))
        living = {f"wrk_{number:03d}"}
        before = counted(page_of())
        fold_dead(tmp_path, living)
        assert before == counted(page_of()) == total
    assert len(list(tmp_path.glob("metrics-*.json"))) <= MOST_DEAD + 2
    # Killed between adding a file and deleting it: it is not added twice.
    dead = json.loads((tmp_path / "metrics-dead.json").read_text())
    WorkerCounters().write(tmp_path / dead["folded"][-1], {"flyball_unpriced_requests_total": 7})
    assert "flyball_unpriced_requests_total 7" not in page_of()
    # Old ones go too, when they are few.
    for path in tmp_path.glob("metrics-wrk_*.json"):
        os.utime(path, ns=(1, 1))
    fold_dead(tmp_path, living)
    assert len(list(tmp_path.glob("metrics-wrk_*.json"))) == 1 and counted(page_of()) == total


def counted(text: str) -> int:
    return int(sum(value for (name, _), value in samples(text).items() if name == "flyball_operations_total"))


def test_the_supervisor_and_the_collector_stand_on_the_page(tmp_path: Path, page_of: Callable[[], str]) -> None:
    note_restarts(tmp_path, {"worker": 3, "collector": 0})
    (tmp_path / "spool").mkdir()
    told = {
        "lag_seconds": 1.25,
        "spool_bytes": 9,
        "sealed_segments": 2,
        "shipped_rows": 5,
        "rejected_rows": 1,
        "forgotten_rows": 3,
        "check_shipped": 700,
        "check_missing": 2,
        "check_doubled": 1,
        "check_rollup_difference": -4,
        "check_at": 1764500000.5,
        "away": True,
    }
    (tmp_path / "spool" / "collector.json").write_text(json.dumps(told))
    lines = page_of().splitlines()
    for line in (
        'flyball_process_restarts_total{role="worker"} 3',
        "flyball_telemetry_lag_seconds 1.250",
        "flyball_spool_bytes 9",
        "flyball_spool_segments 2",
        "flyball_telemetry_up 0",
        "flyball_rows_shipped_total 5",
        "flyball_rows_rejected_total 1",
        "flyball_rows_forgotten_total 3",
        "flyball_check_shipped_operations 700",
        "flyball_check_missing_operations 2",
        "flyball_check_doubled_operations 1",
        "flyball_check_rollup_difference -4",
        "flyball_check_timestamp_seconds 1764500000.500",
    ):
        assert line in lines, line


def test_every_line_is_of_the_table(tmp_path: Path) -> None:
    text = render(tmp_path, tmp_path / "spool", lambda: ['flyball_budget_usage_ratio{budget="a"} 0.5', "made_up 1"])
    assert 'flyball_budget_usage_ratio{budget="a"} 0.5' in text and "made_up" not in text


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ("", ""),
        ("idle_timeout", "idle_timeout"),
        ("refused (not sent)", "refused"),
        ("http_429", "http_429"),
        ("http_404", "http_4xx"),
        ("http_529", "http_5xx"),
        ("in_band_error", "in_band_error"),
        ("ValueError: sk-secret", "other"),
    ],
)
def test_what_failed_is_told_in_few_words(error: str, failure: str) -> None:
    assert failure_of(error) == failure


def test_the_documentation_says_what_the_code_does() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == "\n".join(page()) + "\n"
    assert {label for metric in METRICS for label in metric.labels} == set(LABELS)
    assert len(BY_NAME) == len(METRICS)
