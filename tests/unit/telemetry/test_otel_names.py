"""The names that are sent are those of the published conventions; ours stand in our own namespace."""

import warnings
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from proxy.telemetry import AttemptRow, OperationRow, TelemetrySettings, otel_is_on, otel_problems
from proxy.telemetry.otel import names
from proxy.telemetry.otel.meters import Meters
from proxy.telemetry.otel.names import CURRENT, NEXT, NameSet, Server
from proxy.telemetry.otel.spans import SpanMaker

SERVERS = {"mine": Server("azure.ai.openai", "x.openai.azure.com", 443)}
IDS = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "trace_flags": 1}
WHO = {"org": "acme", "team": "support", "key_id": "key_1", "key_name": "bot", "endpoint": "chat.completions"}
UPCOMING = {
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.token.modality",
    *(f"gen_ai.client.inference.operation.{name}" for name in ("input_tokens", "output_tokens")),
    *(
        f"gen_ai.client.inference.usage.{name}"
        for name in (
            *("input_tokens", "output_tokens", "cache_read.input_tokens", "cache_write.input_tokens"),
            "reasoning.output_tokens",
        )
    ),
}


def published() -> set[str]:
    """Every attribute and metric of the conventions' package that could be meant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from opentelemetry.semconv._incubating.attributes import gen_ai_attributes, openai_attributes
        from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
        from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes

        modules = (gen_ai_attributes, openai_attributes, gen_ai_metrics, error_attributes, http_attributes)
        said = [value for module in (*modules, server_attributes) for value in vars(module).values()]
    return {value for value in said if isinstance(value, str)}


def attempt(**more: Any) -> AttemptRow:
    values: dict[str, Any] = {
        **WHO,
        **IDS,
        **{"attempt_id": "att_1", "operation_id": "op_1", "started_at": "2026-11-20 10:00:00.123", "provider": "mine"},
        **{"parent_span_id": "b" * 16, "sent_model": "gpt-5-mini", "model": "gpt-5-mini-2026", "outcome": "ok"},
        **{"status": 200, "finish_reason": "stop", "usage_source": "provider", "input_tokens": 10, "ttft_ms": 90.5},
        **{"cache_read_tokens": 5, "cache_write_tokens": 3, "cache_write_1h_tokens": 1, "output_tokens": 7},
        **{"reasoning_tokens": 2, "audio_input_tokens": 4, "cost_usd": "0.000001501", "duration_ms": 1234.5},
        **{"service_tier": "default", "price_version": "abc"},
    }
    return AttemptRow(**{**values, **more})


def operation(**more: Any) -> OperationRow:
    values: dict[str, Any] = {
        **WHO,
        **IDS,
        **{"operation_id": "op_1", "charged_at": "2026-11-20 10:00:00.100", "finished_at": "", "outcome": "ok"},
        **{"provider": "mine", "requested_model": "gpt-5-mini", "model": "gpt-5-mini-2026", "status": 200, "run": "r1"},
        **{"agent": "triage", "cost_usd": "0.000001501", "duration_ms": 1300.0, "ttft_ms": 100.0},
    }
    return OperationRow(**{**values, **more})


def span_of(row: AttemptRow | OperationRow, name_set: NameSet = CURRENT) -> tuple[ReadableSpan, dict[str, Any]]:
    maker = SpanMaker(Resource.create({}), SERVERS, name_set)
    span = maker.of_attempt(row) if isinstance(row, AttemptRow) else maker.of_operation(row)
    return span, dict(span.attributes or {})


@pytest.mark.parametrize("name_set", [CURRENT, NEXT])
def test_every_name_is_published_or_in_our_namespace(name_set: NameSet) -> None:
    known = published() | (UPCOMING if name_set is NEXT else set())
    sent = {
        *span_of(attempt(), name_set)[1],
        *span_of(attempt(outcome="upstream_error", error="http_529"), name_set)[1],
    }
    sent |= {*span_of(operation(), name_set)[1], *metrics(name_set)}
    for series in metrics(name_set).values():
        for point in series:
            sent |= set(point.attributes)
    theirs = {name for name in sent if not name.startswith("flyball.")}
    assert theirs - known == set()
    assert {names.OPERATION_NAME, names.PROVIDER_NAME, names.REQUEST_MODEL, names.ERROR_TYPE} <= theirs


def test_an_attempt_is_a_clients_span_with_what_it_used() -> None:
    span, said = span_of(attempt())
    assert span.name == "chat gpt-5-mini" and span.kind.name == "CLIENT"
    assert (span.start_time, span.end_time) == (1795168800123000000, 1795168801357500000)
    assert span.context is not None and span.parent is not None
    assert f"{span.context.trace_id:032x}" == IDS["trace_id"] and f"{span.parent.span_id:016x}" == "b" * 16
    assert said["gen_ai.usage.input_tokens"] == 23, "what a cache gave or took is counted in"
    assert said["gen_ai.usage.output_tokens"] == 9, "and so is reasoning"
    assert said["gen_ai.usage.cache_read.input_tokens"] == 5
    assert said["gen_ai.usage.cache_creation.input_tokens"] == 4
    assert said["gen_ai.usage.reasoning.output_tokens"] == 2
    assert said["gen_ai.response.finish_reasons"] == ("stop",)
    assert said["gen_ai.response.time_to_first_chunk"] == 0.0905
    assert (said["gen_ai.provider.name"], said["server.address"], said["server.port"]) == tuple(SERVERS["mine"])
    assert said["flyball.cost.nanodollars"] == 1501, "whole, and never a float"
    assert span.status.is_unset
    _, said = span_of(attempt(), NEXT)
    assert said["gen_ai.usage.cache_write.input_tokens"] == 4 and "gen_ai.usage.cache_creation.input_tokens" not in said


def test_what_failed_says_so() -> None:
    span, said = span_of(
        attempt(outcome="upstream_error", error="http_529", status=529, cost_usd=None, usage_source="none")
    )
    assert not span.status.is_ok and not span.status.is_unset
    assert (said["error.type"], said["http.response.status_code"]) == ("http_529", 529)
    assert "flyball.cost.nanodollars" not in said and "gen_ai.usage.input_tokens" not in said
    span, said = span_of(operation(outcome="refused", code="budget_exceeded", status=402))
    assert said["error.type"] == "budget_exceeded" and span.status.is_unset, "a refusal is no fault of ours"
    assert span_of(operation(outcome="refused", code="dependency_unavailable", status=503))[0].status.is_unset is False


def test_the_operation_is_our_span_in_the_clients_trace() -> None:
    span, said = span_of(operation(parent_span_id="c" * 16))
    assert span.kind.name == "SERVER" and span.parent is not None and span.parent.is_remote
    assert (said["gen_ai.conversation.id"], said["gen_ai.agent.name"]) == ("r1", "triage")
    assert (said["flyball.org"], said["flyball.key"], said["flyball.cost.nanodollars"]) == ("acme", "bot", 1501)
    assert span_of(operation())[0].parent is None
    assert "gen_ai.usage.input_tokens" not in said, "tokens stand in the attempts, or they would be counted twice"


def metrics(name_set: NameSet) -> dict[str, Any]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meters = Meters(provider.get_meter("flyball"), SERVERS, name_set)
    meters.note_attempt(attempt())
    meters.note_operation(operation())
    data = reader.get_metrics_data()
    provider.shutdown()
    assert data is not None
    each = [metric for told in data.resource_metrics for scope in told.scope_metrics for metric in scope.metrics]
    return {metric.name: list(metric.data.data_points) for metric in each}


def test_the_released_metrics() -> None:
    found = metrics(CURRENT)
    assert {point.attributes["gen_ai.token.type"]: point.sum for point in found["gen_ai.client.token.usage"]} == {
        "input": 23,
        "output": 9,
    }
    assert found["gen_ai.client.token.usage"][0].explicit_bounds == tuple(4**power for power in range(14))
    (duration,) = found["gen_ai.client.operation.duration"]
    assert (duration.sum, duration.explicit_bounds[0], duration.explicit_bounds[-1]) == (1.2345, 0.01, 81.92)
    assert found["flyball.cost.nanodollars"][0].value == 1501
    assert not any("inference" in name for name in found)


def test_the_metrics_to_come() -> None:
    found = metrics(NEXT)
    usage = {
        name.rpartition("usage.")[2]: sum(point.value for point in found[name]) for name in found if "usage." in name
    }
    assert usage == {
        "input_tokens": 23,
        "cache_read.input_tokens": 5,
        "cache_write.input_tokens": 4,
        "output_tokens": 9,
        "reasoning.output_tokens": 2,
    }
    by = {point.attributes["gen_ai.token.modality"]: point.value for point in found[names.USAGE + "input_tokens"]}
    assert by == {"text": 19, "audio": 4}
    assert found["gen_ai.client.inference.operation.input_tokens"][0].sum == 23
    assert "gen_ai.client.token.usage" not in found


AT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("otel", "environment", "is_on"),
    [
        ("auto", {}, False),
        ("auto", AT, True),
        ("auto", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
        ("auto", {**AT, "OTEL_SDK_DISABLED": "true"}, False),
        ("on", {}, True),
        ("on", {"OTEL_SDK_DISABLED": "True"}, False),
        ("off", AT, False),
    ],
)
def test_when_it_is_on(otel: Any, environment: dict[str, str], is_on: bool) -> None:
    assert otel_is_on(TelemetrySettings(otel=otel), environment) is is_on


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "only http/protobuf"),
        ({"OTEL_TRACES_SAMPLER": "jaeger_remote"}, "OTEL_TRACES_SAMPLER is"),
        ({"OTEL_TRACES_SAMPLER_ARG": "2"}, "from 0 to 1"),
        ({"OTEL_TRACES_SAMPLER_ARG": "some"}, "from 0 to 1"),
    ],
)
def test_what_cannot_be_done_is_told_at_start(environment: dict[str, str], said: str) -> None:
    assert otel_problems(TelemetrySettings(), {**AT, **environment})[0].startswith("telemetry.otel: ")
    assert said in otel_problems(TelemetrySettings(), {**AT, **environment})[0]
    assert otel_problems(TelemetrySettings(otel="off"), {**AT, **environment}) == []
    assert otel_problems(TelemetrySettings(), AT) == []
