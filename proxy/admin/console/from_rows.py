"""Rows of the telemetry store as the pages read them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from proxy.admin.console.readings import AttemptSeen, OperationSeen, OperationStory, PriceLine, RoutingSeen
from proxy.core.money import ZERO, Nano, exact_usd
from proxy.core.usage import INPUT_BUCKETS, OUTPUT_BUCKETS
from proxy.telemetry import AttemptRow, OperationRow

BUCKETS: Final = tuple(bucket.value for bucket in (*INPUT_BUCKETS, *OUTPUT_BUCKETS))
# Columns that are shown as they are, where they are not empty.
_FACTS: Final = (
    "code", "refused_by", "would_code", "would_by",
    "reason", "error", "finish_reason", "route", "decision", "policy_revision", "price_version",
    "price_source", "provider_request_id", "worker", "agent", "run", "run_source", "parent_run", "step", "end_user",
    "cost_center", "owner", "client", "usage_source", "service_tier", "config_generation", "dialect", "purpose",
    "beside", "variant", "cache_status", "cache_kind", "cache_entry",
)  # fmt: skip
_ROUTING: Final = msgspec.json.Decoder(RoutingSeen)
_LINES: Final = msgspec.json.Decoder(tuple[PriceLine, ...])


def story(operation: OperationRow, attempts: Sequence[AttemptRow]) -> OperationStory:
    """An operation and its upstream requests, first to last."""
    ordered = sorted(attempts, key=lambda row: row.number)
    return OperationStory(operation=operation_seen(operation), attempts=tuple(attempt_seen(row) for row in ordered))


def operation_seen(row: OperationRow) -> OperationSeen:
    """One operation."""
    facts = {name: str(getattr(row, name)) for name in _FACTS} | {"usage_flaws": ", ".join(row.usage_flaws)}
    return OperationSeen(
        operation_id=row.operation_id,
        charged_at=moment_of(row.charged_at),
        finished_at=moment_of(row.finished_at),
        org=row.org,
        team=row.team,
        key_id=row.key_id,
        key_name=row.key_name,
        outcome=row.outcome,
        status=row.status,
        endpoint=row.endpoint,
        requested_model=row.requested_model,
        model=row.model,
        provider=row.provider,
        streamed=row.streamed,
        duration_ms=row.duration_ms,
        ttft_ms=row.ttft_ms,
        overhead_ms=row.overhead_ms,
        cost=_nano(row.cost_usd),
        list_cost=_nano(row.list_usd),
        stated_cost=_nano(row.stated_usd),
        asked_cost=_nano(row.asked_usd),
        routing=_ROUTING.decode(row.routing) if row.routing else None,
        held=_nano(row.held_usd) or ZERO,
        overrun=_nano(row.overrun_usd) or ZERO,
        stages_ms=row.stages_ms,
        tokens=_tokens(row),
        tool_fees=row.tool_fees,
        units=row.units,
        facts={name: value for name, value in facts.items() if value},
        tags=row.tags,
    )


def attempt_seen(row: AttemptRow) -> AttemptSeen:
    """One upstream request."""
    return AttemptSeen(
        attempt_id=row.attempt_id,
        number=row.number,
        purpose=row.purpose,
        started_at=moment_of(row.started_at),
        provider=row.provider,
        model=row.model,
        sent_model=row.sent_model,
        outcome=row.outcome,
        status=row.status,
        duration_ms=row.duration_ms,
        ttft_ms=row.ttft_ms,
        cost=_nano(row.cost_usd),
        price_version=row.price_version,
        price_source=row.price_source,
        price_lines=_LINES.decode(row.price_lines or "[]"),
        usage_source=row.usage_source,
        usage_flaws=tuple(row.usage_flaws),
        service_tier=row.service_tier,
        finish_reason=row.finish_reason,
        error=row.error,
        provider_request_id=row.provider_request_id,
    )


def moment_of(text: str) -> datetime:
    """A DateTime64 text of the store, which is UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _tokens(row: OperationRow) -> dict[str, int]:
    told = {bucket: int(getattr(row, f"{bucket}_tokens")) for bucket in BUCKETS}
    return {bucket: number for bucket, number in told.items() if number}


def _nano(usd: str | None) -> Nano | None:
    return None if usd is None else exact_usd(usd)
