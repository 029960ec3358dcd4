"""record: the facts of a journey as rows, written to the spool before the hold is settled."""

from functools import lru_cache
from typing import Final

import msgspec

from proxy.core.clock import stamp
from proxy.core.money import NANO_PER_USD, Nano, to_usd_text
from proxy.core.outcome import Purpose
from proxy.core.usage import NO_USAGE, Bucket, Usage, UsageSource
from proxy.journey.answer_headers import overhead_of
from proxy.journey.caching.looked import Looked
from proxy.journey.caching.sought import Sought
from proxy.journey.errands.likeness import likeness, opening_of
from proxy.journey.explain import asked_cost, told_routing
from proxy.journey.rooms import Rooms
from proxy.journey.state import NO_CLAIMS, Attempt, Journey, Measures
from proxy.journey.tool_rows import tool_call_rows
from proxy.routing import Candidate, Resolution
from proxy.runs import Claims
from proxy.telemetry import AttemptRow, OperationRow, Table, kept_stages

COLUMNS = {bucket: f"{bucket.value}_tokens" for bucket in Bucket}
_SERVE: Final = Purpose.SERVE
_encode = msgspec.json.Encoder().encode
_ATTEMPTS: Final = Table.ATTEMPTS
_OPERATIONS: Final = Table.OPERATIONS
_TOOL_CALLS: Final = Table.TOOL_CALLS


def write_rows(journey: Journey, rooms: Rooms) -> tuple[OperationRow, list[AttemptRow]]:
    """Append one row per attempt and the operation's one row to the spool; the rows."""
    attempts = [attempt_row(journey, attempt, number, rooms) for number, attempt in enumerate(journey.attempts, 1)]
    for attempt in attempts:
        rooms.spool.append(_ATTEMPTS, attempt)
    row = operation_row(journey, rooms)
    if journey.attempts and journey.attempts[-1].tools:
        for call in tool_call_rows(journey, row):
            rooms.spool.append(_TOOL_CALLS, call)
    rooms.spool.append(_OPERATIONS, row)
    return row, attempts


def operation_row(journey: Journey, rooms: Rooms) -> OperationRow:
    """The operation's row: who, what, how it ended, what it used and cost."""
    call, claims, facts = journey.call, journey.claims, journey.facts
    usage = _total_usage(journey)
    row = _begun(journey, rooms)
    row.operation_id = call.operation
    row.charged_at = stamp(call.arrived_ns)
    row.finished_at = stamp(rooms.clock.now_ns())
    if claims is not NO_CLAIMS:
        _note_claims(row, claims)
    row.endpoint = call.endpoint
    row.dialect = call.dialect.name
    row.outcome, row.code, row.status = journey.outcome, journey.code, journey.status
    row.attempts = len(journey.attempts)
    row.usage_source = usage.source
    if usage.flaws:
        row.usage_flaws = [flaw.value for flaw in usage.flaws]
    row.cost_usd, row.list_usd = _usd(journey.cost), _usd(journey.list_cost)
    row.request_bytes = len(journey.body)
    row.client = call.headers.get(b"user-agent", b"").decode("latin-1")[:120]
    row.reason, row.error = journey.reason, journey.error
    if facts is not None:
        row.streamed = facts.streamed
        row.requested_model = row.model = facts.model[:200]
    if journey.resolution is not None:
        _note_route(row, journey, journey.resolution)
    if journey.decision is not None:
        row.policy_revision = journey.decision.revision
        row.decision = "allow" if journey.decision.allow else f"deny:{journey.decision.code}"
    if journey.ranking is not None or journey.left_out or (facts is not None and journey.model != facts.model):
        row.routing = told_routing(journey)
        row.asked_usd = _usd(asked_cost(journey))
    if journey.granted is not None:
        row.run_depth = journey.granted.depth
        row.held_usd = _usd(journey.granted.amount) or row.held_usd
    if journey.attempts:
        _note_last(row, journey.attempts[-1], usage)
    _note_what_was_done(row, journey)
    _note_place_and_times(row, journey, rooms)
    set_tokens(row, usage)
    return row


def _begun(journey: Journey, rooms: Rooms) -> OperationRow:
    """A row with what all rows of the key share: copying it is a tenth of making it."""
    principal, beginnings = journey.principal, journey.snapshot.row_beginnings
    beginning = beginnings.get(principal.key_id)
    if beginning is None:
        beginning = beginnings[principal.key_id] = OperationRow(
            operation_id="",
            charged_at="",
            finished_at="",
            org=principal.org,
            team=principal.team,
            key_id=principal.key_id,
            key_name=principal.key_name,
            cost_center=principal.cost_center,
            owner=principal.owner,
            agent="" if principal.is_overhead else principal.key_name,
            tags=dict(principal.tags),
            price_version=journey.snapshot.prices.version,
            config_generation=journey.snapshot.generation,
            worker=rooms.worker,
        )
    row = msgspec.structs.replace(beginning)
    if journey.purpose is not _SERVE:
        row.purpose, row.beside, row.variant = journey.purpose, journey.beside, journey.variant
        if journey.likened and journey.attempts:
            row.similarity = likeness(journey.likened, opening_of(journey.attempts[-1].said))
    return row


def _note_route(row: OperationRow, journey: Journey, resolution: Resolution) -> None:
    row.route = resolution.route
    if resolution.plan.has_variants and journey.candidate is not None:
        row.variant = resolution.variant_of(journey.candidate)


def _note_variant(row: AttemptRow, journey: Journey, attempt: Attempt) -> None:
    resolution = journey.resolution
    if journey.variant:
        row.route, row.variant = "" if resolution is None else resolution.route, journey.variant
    elif resolution is not None and resolution.plan.has_variants:
        row.route = resolution.route
        row.variant = resolution.variant_of(Candidate(attempt.provider.name, attempt.sent_model))


def _note_claims(row: OperationRow, claims: Claims) -> None:
    row.end_user, row.agent = claims.end_user, claims.agent
    row.run, row.run_source, row.parent_run, row.step = claims.run, claims.run_source, claims.parent_run, claims.step
    row.tags = dict(claims.tags)


_HITS: Final = frozenset({"hit", "would_hit"})


def _note_what_was_done(row: OperationRow, journey: Journey) -> None:
    """What was done with the call beside serving it; mostly nothing."""
    if journey.measures is not None:
        _note_measures(row, journey.measures)
    if journey.looked is not None and journey.looked.status:
        _note_looked(row, journey.looked)
    if (
        journey.sought is not None
        and journey.sought.status
        and (row.cache_status not in _HITS or journey.sought.status == "hit")
    ):
        _note_sought(row, journey.sought)
    if journey.overrun:
        row.overrun_usd = to_usd_text(journey.overrun)


def _note_measures(row: OperationRow, measures: Measures) -> None:
    row.ladder, row.clamped_to = measures.ladder, measures.clamped_to
    row.would_code, row.would_by, row.refused_by = measures.would_code, measures.would_by, measures.refused_by


def _note_looked(row: OperationRow, looked: Looked) -> None:
    row.cache_status, row.cache_kind = looked.status, "exact"
    if looked.would_save:
        row.cache_would_save_usd = _usd(looked.would_save) or row.cache_would_save_usd
    if (answer := looked.answer) is not None:
        row.cache_entry, row.cache_age_s = answer.entry, looked.age_s
        row.cache_saved_usd = to_usd_text(Nano(max(0, answer.cost_nano - looked.rule.fee)))
        row.provider, row.model, row.finish_reason = answer.provider, answer.model, answer.finish_reason


def _note_sought(row: OperationRow, sought: Sought) -> None:
    row.cache_kind, row.cache_entry = "semantic", sought.entry
    row.cache_status = sought.status
    row.cache_age_s, row.cache_similarity = sought.age_s, round(sought.similarity, 4)
    row.cache_agreement = None if sought.agreement is None else round(sought.agreement, 4)
    if sought.would_save:
        row.cache_would_save_usd = to_usd_text(sought.would_save)


def attempt_row(journey: Journey, attempt: Attempt, number: int, rooms: Rooms) -> AttemptRow:
    """One upstream request's row, with the price lines it was billed by."""
    principal, usage = journey.principal, attempt.usage
    row = AttemptRow(
        attempt_id=attempt.id,
        operation_id=journey.call.operation,
        started_at=stamp(attempt.started_at_ns),
        org=principal.org,
        team=principal.team,
        key_id=principal.key_id,
        key_name=principal.key_name,
        number=number,
        purpose=attempt.purpose,
        endpoint=journey.call.endpoint,
        streamed=journey.request.streamed,
        provider=attempt.provider.name,
        sent_model=attempt.sent_model[:200],
        model=attempt.model[:200],
        outcome=attempt.outcome,
        status=attempt.status,
        error=attempt.error,
        finish_reason=attempt.finish_reason,
        raw_usage=attempt.raw_usage.decode("utf-8", "replace"),
        usage_source=usage.source,
        service_tier=usage.service_tier or "",
        cost_usd=_usd(attempt.cost),
        list_usd=_usd(attempt.list_cost),
        stated_usd=_usd(usage.stated_cost),
        price_version=journey.snapshot.prices.version,
        price_source=attempt.price_source,
        duration_ms=_ms(attempt.ended_ns - attempt.started_ns),
        ttft_ms=_ttft(attempt),
        response_bytes=attempt.response_bytes,
        provider_request_id=attempt.provider_request_id,
        retry_after_s=attempt.retry_after_s,
        worker=rooms.worker,
    )
    if (trace := journey.trace) is not None:
        row.trace_id, row.trace_flags = trace.trace_id, trace.flags
        row.span_id, row.parent_span_id = attempt.span_id, trace.span_id
    if usage.flaws:
        row.usage_flaws = [flaw.value for flaw in usage.flaws]
    if usage.tool_calls:
        row.tool_fees = {fee.value: count for fee, count in usage.tool_calls.items()}
    if usage.units:
        row.units = dict(usage.units)
    _note_variant(row, journey, attempt)
    if attempt.fingerprint:
        row.system_fingerprint = attempt.fingerprint
    if attempt.priced is not None:
        row.price_lines = _encode(attempt.priced.lines).decode()
    set_tokens(row, usage)
    return row


def set_tokens(row: OperationRow | AttemptRow, usage: Usage) -> None:
    """Fill the token columns from the buckets."""
    for bucket, count in usage.tokens.items():
        if count:
            setattr(row, COLUMNS[bucket], count)


def _note_last(row: OperationRow, last: Attempt, usage: Usage) -> None:
    row.provider = last.provider.name
    row.model = (last.model or last.sent_model)[:200]
    row.finish_reason = last.finish_reason
    row.tool_calls = last.tool_call_count
    if usage.tool_calls:
        row.tool_fees = {fee.value: count for fee, count in usage.tool_calls.items()}
    if usage.units:
        row.units = dict(usage.units)
    row.service_tier = usage.service_tier or ""
    row.stated_usd = _usd(usage.stated_cost)
    row.price_source = last.price_source
    row.response_bytes = last.response_bytes


def _note_place_and_times(row: OperationRow, journey: Journey, rooms: Rooms) -> None:
    if (trace := journey.trace) is not None:
        row.trace_id, row.span_id, row.parent_span_id, row.trace_flags = msgspec.structs.astuple(trace)
    total = rooms.clock.monotonic_ns() - journey.call.received_ns
    row.duration_ms = _ms(total)
    row.overhead_ms = _ms(overhead_of(journey, total))
    row.stages_us = kept_stages(journey.stages, total // 1000)
    first_output_ns = journey.attempts[-1].first_output_ns if journey.attempts else 0
    if first_output_ns:
        row.ttft_ms = _ms(first_output_ns - journey.call.received_ns)


def _total_usage(journey: Journey) -> Usage:
    """Usage over all attempts; the one attempt's own in the ordinary case."""
    used = [attempt.usage for attempt in journey.attempts if attempt.usage is not NO_USAGE]
    if len(used) <= 1:
        return used[0] if used else NO_USAGE
    estimated = any(usage.source is UsageSource.ESTIMATED for usage in used)
    last = used[-1]
    return Usage(
        tokens={bucket: total for bucket in Bucket if (total := sum(usage.count(bucket) for usage in used))},
        tool_calls={fee: sum(usage.tool_calls.get(fee, 0) for usage in used) for fee in last.tool_calls},
        source=UsageSource.ESTIMATED if estimated else UsageSource.PROVIDER,
        flaws=tuple(dict.fromkeys(flaw for usage in used for flaw in usage.flaws)),
        service_tier=last.service_tier,
        stated_cost=last.stated_cost,
        units=_all_units(used),
    )


def _all_units(used: list[Usage]) -> dict[str, int]:
    names = dict.fromkeys(name for usage in used for name in usage.units)
    return {name: sum(usage.units.get(name, 0) for usage in used) for name in names}


@lru_cache(maxsize=64)
def _usd(amount: Nano | None) -> str | None:
    """Dollars with all nine digits, as the column keeps them; a call's two rows say most amounts four times."""
    return None if amount is None else f"{amount // NANO_PER_USD}.{amount % NANO_PER_USD:09d}"


def _ms(ns: int) -> float:
    """Milliseconds with three digits, by whole microseconds: a tenth of `round`'s time."""
    return ns // 1000 / 1000


def _ttft(attempt: Attempt) -> float | None:
    return _ms(attempt.first_output_ns - attempt.started_ns) if attempt.first_output_ns else None
