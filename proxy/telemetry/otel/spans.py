"""Rows as spans: the operation as a server's, each attempt as the client's that the GenAI conventions describe."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from proxy.core.money import exact_usd
from proxy.core.usage import INPUT_BUCKETS, OUTPUT_BUCKETS, Bucket
from proxy.telemetry.otel import names
from proxy.telemetry.otel.names import Server
from proxy.telemetry.rows import AttemptRow, OperationRow, Tokens

Value = str | bool | int | float | tuple[str, ...]
SCOPE: Final = InstrumentationScope("flyball")
_GOOD: Final = frozenset({"ok", "cached", "cancelled"})
_REFUSED: Final = "refused"


class SpanMaker:
    """Makes spans of rows. `servers` are the providers by their configured names."""

    def __init__(self, resource: Resource, servers: Mapping[str, Server], name_set: names.NameSet) -> None:
        self._resource = resource
        self._servers = servers
        self._names = name_set

    def of_operation(self, row: OperationRow) -> ReadableSpan:
        """The client's call, as we served it; its tokens stand in its attempts."""
        operation = names.OPERATIONS.get(row.endpoint, row.endpoint)
        said: dict[str, Value] = {
            names.OPERATION_NAME: operation,
            names.REQUEST_MODEL: row.requested_model,
            names.RESPONSE_MODEL: row.model,
            names.REQUEST_STREAM: row.streamed,
            names.CONVERSATION_ID: row.run,
            names.AGENT_NAME: row.agent,
            names.HTTP_STATUS: row.status,
            "flyball.operation.id": row.operation_id,
            "flyball.org": row.org,
            "flyball.team": row.team,
            "flyball.key": row.key_name,
            "flyball.route": row.route,
            "flyball.outcome": row.outcome,
            "flyball.code": row.code,
            "flyball.attempts": row.attempts,
            "flyball.overhead_ms": row.overhead_ms,
            "flyball.policy.revision": row.policy_revision,
            **_cost(row),
        }
        if row.outcome not in _GOOD:
            said[names.ERROR_TYPE] = row.code or row.error or row.outcome
        # A refusal is what a governor is for: not its error, as a 4xx is not a server's.
        bad = (row.outcome not in _GOOD and row.outcome != _REFUSED) or row.status >= 500
        return self._span(row, f"{operation} {row.requested_model}", SpanKind.SERVER, row.charged_at, said, bad=bad)

    def of_attempt(self, row: AttemptRow) -> ReadableSpan:
        """One request to a provider, with what it used and cost."""
        operation = names.OPERATIONS.get(row.endpoint, row.endpoint)
        said: dict[str, Value] = {
            names.OPERATION_NAME: operation,
            **server_attributes(self._servers, row.provider),
            names.REQUEST_MODEL: row.sent_model,
            names.RESPONSE_MODEL: row.model,
            names.REQUEST_STREAM: row.streamed,
            names.FINISH_REASONS: (row.finish_reason,) if row.finish_reason else (),
            names.SERVICE_TIER: row.service_tier,
            names.HTTP_STATUS: row.status,
            "flyball.attempt.id": row.attempt_id,
            "flyball.attempt.number": row.number,
            "flyball.attempt.purpose": row.purpose,
            "flyball.operation.id": row.operation_id,
            "flyball.outcome": row.outcome,
            "flyball.usage.source": row.usage_source,
            **_cost(row),
            **self._usage(row),
        }
        if row.ttft_ms is not None:
            said[names.TIME_TO_FIRST_CHUNK] = row.ttft_ms / 1000
        if bad := row.outcome not in _GOOD:
            said[names.ERROR_TYPE] = row.error or row.outcome
        return self._span(row, f"{operation} {row.sent_model}", SpanKind.CLIENT, row.started_at, said, bad=bad)

    def _usage(self, row: AttemptRow) -> dict[str, Value]:
        if row.usage_source == "none":
            return {}
        given, made = tokens_of(row)
        said: dict[str, Value] = {names.INPUT_TOKENS: given, names.OUTPUT_TOKENS: made}
        if row.cache_read_tokens:
            said[names.CACHE_READ] = row.cache_read_tokens
        if written := row.cache_write_tokens + row.cache_write_1h_tokens:
            said[self._names.cache_write] = written
        if row.reasoning_tokens:
            said[names.REASONING] = row.reasoning_tokens
        return said

    def _span(
        self,
        row: OperationRow | AttemptRow,
        name: str,
        kind: SpanKind,
        began: str,
        said: Mapping[str, Value],
        *,
        bad: bool,
    ) -> ReadableSpan:
        is_remote = isinstance(row, OperationRow)
        start_ns = _ns(began)
        return ReadableSpan(
            name=name.strip(),
            context=_context(row, row.span_id, is_remote=False),
            parent=_context(row, row.parent_span_id, is_remote=is_remote) if row.parent_span_id else None,
            resource=self._resource,
            attributes={key: value for key, value in said.items() if value not in ("", ())},
            kind=kind,
            status=Status(StatusCode.ERROR) if bad else Status(),
            start_time=start_ns,
            end_time=start_ns + round(row.duration_ms * 1_000_000),
            instrumentation_scope=SCOPE,
        )


def tokens_of(row: Tokens) -> tuple[int, int]:
    """All billable tokens in and out; what a cache gave or took is counted in, as the conventions say."""
    return _sum(row, INPUT_BUCKETS), _sum(row, OUTPUT_BUCKETS)


def server_attributes(servers: Mapping[str, Server], provider: str) -> dict[str, Value]:
    """Who serves, and where, of a provider by its configured name."""
    server = servers.get(provider) or Server(provider)
    said: dict[str, Value] = {names.PROVIDER_NAME: server.provider}
    if server.address:
        said |= {names.SERVER_ADDRESS: server.address, names.SERVER_PORT: server.port}
    return said


def _cost(row: OperationRow | AttemptRow) -> dict[str, Value]:
    """What it cost; nothing where that is not known."""
    if row.cost_usd is None:
        return {}
    return {names.COST: int(exact_usd(row.cost_usd)), "flyball.price.version": row.price_version}


def _sum(row: Tokens, buckets: frozenset[Bucket] | tuple[Bucket, ...]) -> int:
    return sum(getattr(row, f"{bucket.value}_tokens") for bucket in buckets)


def _context(row: OperationRow | AttemptRow, span_id: str, *, is_remote: bool) -> SpanContext:
    return SpanContext(int(row.trace_id, 16), int(span_id, 16), is_remote, TraceFlags(row.trace_flags))


def _ns(at: str) -> int:
    """Nanoseconds since 1970 of a row's time, which has milliseconds."""
    seconds = datetime.strptime(at[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return int(seconds.timestamp()) * 1_000_000_000 + int((at[20:] or "0").ljust(9, "0")[:9])
