"""Rows as OpenTelemetry's metrics, under the names of the GenAI conventions."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.metrics import Histogram, Meter

from proxy.core.money import exact_usd
from proxy.telemetry.otel import names
from proxy.telemetry.otel.names import Server
from proxy.telemetry.otel.spans import Value, server_attributes, tokens_of
from proxy.telemetry.rows import AttemptRow, OperationRow

_CLASSES: Final = (
    ("input_tokens", "input_tokens", "text"),
    ("input_tokens", "audio_input_tokens", "audio"),
    ("input_tokens", "image_input_tokens", "image"),
    ("input_tokens", "cache_read_tokens", "text"),
    ("input_tokens", "cache_write_tokens", "text"),
    ("input_tokens", "cache_write_1h_tokens", "text"),
    ("cache_read.input_tokens", "cache_read_tokens", "text"),
    ("cache_write.input_tokens", "cache_write_tokens", "text"),
    ("cache_write.input_tokens", "cache_write_1h_tokens", "text"),
    ("output_tokens", "output_tokens", "text"),
    ("output_tokens", "reasoning_tokens", "text"),
    ("output_tokens", "audio_output_tokens", "audio"),
    ("output_tokens", "image_output_tokens", "image"),
    ("reasoning.output_tokens", "reasoning_tokens", "text"),
)
"""The next set's counters: their ending, the column that is counted, and its modality. Totals hold their parts."""


class Meters:
    """The instruments; models are attributes, and the SDK bounds how many series one instrument may have."""

    def __init__(self, meter: Meter, servers: Mapping[str, Server], name_set: names.NameSet) -> None:
        self._servers = servers
        self._duration = _seconds(meter, names.OPERATION_DURATION, "Requests to providers.")
        self._first_chunk = _seconds(meter, names.OPERATION_FIRST_CHUNK, "Until a provider's first output.")
        self._served = _seconds(meter, names.SERVER_DURATION, "Calls of clients.")
        self._first_token = _seconds(meter, names.SERVER_FIRST_TOKEN, "Until a client's first output.")
        self._cost = meter.create_counter(names.COST, "{nanodollar}", "Billionths of a dollar that were spent.")
        self._counters = {
            ending: meter.create_counter(names.USAGE + ending, "{token}", "Tokens that are billed.")
            for ending in sorted({ending for ending, _, _ in _CLASSES})
            if name_set.counts
        }
        one = () if name_set.counts else (names.TOKEN_USAGE,)
        two = (names.INFERENCE + "input_tokens", names.INFERENCE + "output_tokens") if name_set.counts else ()
        self._tokens = [
            meter.create_histogram(
                name, "{token}", "Tokens of one request.", explicit_bucket_boundaries_advisory=names.TOKEN_BUCKETS
            )
            for name in (*one, *two)
        ]

    def note_operation(self, row: OperationRow) -> None:
        """One finished call."""
        said = self._said(row.endpoint, row.provider, row.requested_model, row.model)
        failed = said | {names.ERROR_TYPE: row.code or row.outcome} if row.outcome not in ("ok", "cached") else said
        self._served.record(row.duration_ms / 1000, failed)
        if row.ttft_ms is not None:
            self._first_token.record(row.ttft_ms / 1000, said)
        if row.cost_usd is not None:
            self._cost.add(int(exact_usd(row.cost_usd)), {**said, "flyball.org": row.org, "flyball.team": row.team})

    def note_attempt(self, row: AttemptRow) -> None:
        """One request to a provider."""
        said = self._said(row.endpoint, row.provider, row.sent_model, row.model)
        failed = said | {names.ERROR_TYPE: row.error or row.outcome} if row.outcome not in ("ok", "cached") else said
        self._duration.record(row.duration_ms / 1000, failed)
        if row.ttft_ms is not None:
            self._first_chunk.record(row.ttft_ms / 1000, said)
        if row.usage_source != "none":
            self._note_tokens(row, said)

    def _note_tokens(self, row: AttemptRow, said: Mapping[str, Value]) -> None:
        given, made = tokens_of(row)
        if len(self._tokens) == 1:
            self._tokens[0].record(given, {**said, names.TOKEN_TYPE: "input"})
            self._tokens[0].record(made, {**said, names.TOKEN_TYPE: "output"})
            return
        self._tokens[0].record(given, said)
        self._tokens[1].record(made, said)
        for ending, column, modality in _CLASSES:
            if count := getattr(row, column):
                self._counters[ending].add(count, {**said, names.TOKEN_MODALITY: modality})

    def _said(self, endpoint: str, provider: str, asked: str, answered: str) -> dict[str, Value]:
        said: dict[str, Value] = {
            names.OPERATION_NAME: names.OPERATIONS.get(endpoint, endpoint),
            names.REQUEST_MODEL: asked,
            names.RESPONSE_MODEL: answered,
            **server_attributes(self._servers, provider),
        }
        return {name: value for name, value in said.items() if value != ""}


def _seconds(meter: Meter, name: str, text: str) -> Histogram:
    return meter.create_histogram(name, "s", text, explicit_bucket_boundaries_advisory=names.DURATION_BUCKETS)
