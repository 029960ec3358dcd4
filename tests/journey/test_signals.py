"""One running Flyball and what it tells about itself: the page of metrics, proofs of its rows, and OpenTelemetry."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.core.money import exact_usd
from proxy.processes.metric_names import BY_NAME, METRICS
from tests.harness.command import command
from tests.harness.flyball import Flyball
from tests.harness.otlp_receiver import OtlpReceiver

CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 2}
budgets: [{name: small, scope: "org:default", window: month, limit_usd: 1, hard: true}]
"""
Series = dict[str, float]


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as listening:
        yield listening


@pytest.fixture(scope="module")
def flyball(tmp_path_factory: pytest.TempPathFactory, receiver: OtlpReceiver) -> Iterator[Flyball]:
    standard = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-token=for-the-receiver",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "governor",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
    }
    with Flyball(tmp_path_factory.mktemp("signals"), CONFIG, standard) as running:
        yield running


def ask(flyball: Flyball, **body: object) -> httpx.Response:
    body = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], **body}
    headers = {"authorization": f"Bearer {flyball.secret('first-key')}"}
    return httpx.post(flyball.data + "/v1/chat/completions", json=body, headers=headers, timeout=30)


def scraped(flyball: Flyball) -> Series:
    """The page as Prometheus' own parser reads it."""
    text = httpx.get(flyball.admin_url + "/metrics", timeout=10).text
    found: Series = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation == BY_NAME.get(family.name, BY_NAME.get(f"{family.name}_total", METRICS[0])).help
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def until(flyball: Flyball, holds: Callable[[Series], bool], within_s: float = 30) -> Series:
    deadline = time.monotonic() + within_s
    while not holds(series := scraped(flyball)):
        assert time.monotonic() < deadline, series
        time.sleep(0.1)
    return series


OK = 'flyball_operations_total{endpoint="chat.completions",outcome="ok",code=""}'


def test_all_workers_stand_on_one_page_and_nothing_goes_back_when_one_dies(flyball: Flyball) -> None:
    answers = [ask(flyball) for _ in range(12)] + [ask(flyball, stream=True)]
    assert {answer.status_code for answer in answers} == {200}
    assert ask(flyball, model="no-such-model").status_code == 404
    assert httpx.post(flyball.data + "/v1/chat/completions", headers={"x-api-key": "x" * 40}).status_code == 401
    before = until(
        flyball,
        lambda now: (
            now.get(OK) == 13
            and now.get('flyball_refusals_total{code="invalid_api_key"}') == 1
            and now.get('flyball_refusals_total{code="model_not_found"}') == 1
            and now["flyball_open_holds"] == 0
            and now.get("flyball_rows_shipped_total", 0) >= 14
            and 0 < now.get('flyball_budget_usage_ratio{budget="small"}', 0) < 1
        ),
    )
    cost = sum(float(answer.headers["x-flyball-cost-usd"]) for answer in answers[:12])
    spent = before['flyball_spend_nanodollars_total{org="default",provider="sim"}']
    assert spent > cost * 1e9 > 0
    assert before['flyball_upstream_attempts_total{provider="sim",outcome="ok",failure=""}'] == 13
    assert before['flyball_ttft_seconds_count{provider="sim"}'] >= 1
    assert before["flyball_workers"] == 2
    os.kill(flyball.pids("worker")[0], signal.SIGKILL)
    after = until(
        flyball,
        lambda now: now.get('flyball_process_restarts_total{role="worker"}') == 1 and now["flyball_workers"] >= 2,
    )
    for name, value in before.items():
        if name.partition("{")[0].endswith(("_total", "_bucket", "_count", "_sum")):
            assert after[name] >= value, name
    began = time.monotonic()
    assert len(httpx.get(flyball.admin_url + "/metrics", timeout=10).content) < 100_000
    assert time.monotonic() - began < 5


def test_a_call_of_a_running_flyball_is_proven(flyball: Flyball) -> None:
    operation = ask(flyball).headers["x-flyball-operation"]
    flyball.wait_for_rows(1, where=f"operation_id = '{operation}'")
    verify = ["audit", "verify", "--config", str(flyball.config), "--json", f"--operation={operation}"]
    deadline = time.monotonic() + 60
    while True:
        done = command(verify, flyball.environment)
        told = json.loads(done.stdout)
        if told["operation"]["proven"]:
            break
        assert time.monotonic() < deadline, told
        time.sleep(0.1)
    assert done.returncode == 0 and told["whole"]
    assert any("its prices" in fact for fact in told["operation"]["facts"]), told


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_spans_and_metrics_reach_a_receiver(flyball: Flyball, receiver: OtlpReceiver) -> None:
    headers = {
        "authorization": f"Bearer {flyball.secret('first-key')}",
        "traceparent": f"00-{TRACE}-{SPAN}-01",
        "tracestate": "vendor=1",
    }
    body = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}]}
    answer = httpx.post(flyball.data + "/v1/chat/completions", json=body, headers=headers, timeout=30)
    unrecorded = {**headers, "traceparent": f"00-{'a' * 32}-{SPAN}-00"}
    assert httpx.post(flyball.data + "/v1/chat/completions", json=body, headers=unrecorded, timeout=30).is_success
    receiver.wait_for(lambda: sum(span["trace"] == TRACE for span in receiver.spans) == 2)
    call, attempt = sorted((span for span in receiver.spans if span["trace"] == TRACE), key=lambda span: -span["kind"])
    if call["parent"] != SPAN:
        call, attempt = attempt, call
    assert (call["parent"], attempt["parent"]) == (SPAN, call["span"])
    assert call["start"] <= attempt["start"] <= attempt["end"] <= call["end"] + 2_000_000
    assert call["name"] == attempt["name"] == "chat sim-small"
    said, used = call["attributes"], attempt["attributes"]
    operation = answer.headers["x-flyball-operation"]
    assert said["flyball.operation.id"] == used["flyball.operation.id"] == operation
    usage = answer.json()["usage"]
    assert used["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
    assert used["gen_ai.usage.output_tokens"] == usage["completion_tokens"]
    cost = exact_usd(answer.headers["x-flyball-cost-usd"])
    assert said["flyball.cost.nanodollars"] == used["flyball.cost.nanodollars"] == cost
    assert used["gen_ai.operation.name"] == "chat" and used["gen_ai.provider.name"] == "sim"
    assert receiver.resource["service.name"] == "governor"
    assert receiver.resource["deployment.environment.name"] == "test"
    assert {head.get("x-token") for head in receiver.heads} == {"for-the-receiver"}
    assert receiver.paths >= {"/v1/traces", "/v1/metrics"}
    receiver.wait_for(
        lambda: (
            {"gen_ai.client.token.usage", "gen_ai.client.operation.duration", "flyball.cost.nanodollars"}
            <= receiver.metrics.keys()
        )
    )
    assert not any(span["trace"] == "a" * 32 for span in receiver.spans), "what is not to be recorded is not"
    (row,) = flyball.wait_for_rows(1, where=f"operation_id = '{operation}'")
    assert (row["trace_id"], row["span_id"], row["parent_span_id"]) == (TRACE, call["span"], SPAN)
    until(flyball, lambda now: now.get('flyball_otel_spans_total{result="sent"}', 0) >= 2)


def test_a_receiver_that_is_down_costs_no_call_and_is_counted(flyball: Flyball, receiver: OtlpReceiver) -> None:
    receiver.status = 400
    assert ask(flyball).status_code == 200
    until(flyball, lambda now: now.get('flyball_otel_spans_total{result="failed"}', 0) >= 2)
    receiver.status = 200
    taken = len(receiver.spans)
    assert ask(flyball).status_code == 200
    receiver.wait_for(lambda: len(receiver.spans) >= taken + 2)
