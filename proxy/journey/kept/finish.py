"""finish: the bill of work that went on after its call was answered, once its provider shows what came of it."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

import msgspec

from proxy.budget import LedgerUnavailable, Unit, tokens_used
from proxy.core.clock import stamp, utc_second
from proxy.core.money import NANO_PER_USD, ZERO, Nano
from proxy.core.outcome import Outcome
from proxy.core.usage import Bucket, Usage
from proxy.journey.kept.due import Due, read_due
from proxy.journey.kept.outputs import Work, outputs_of
from proxy.journey.record import set_tokens
from proxy.journey.rooms import Due as Unsettled
from proxy.journey.rooms import Rooms
from proxy.journey.start_record import row_of
from proxy.metering import estimated, normalise
from proxy.ownership import Kept, OwnershipUnavailable
from proxy.pricing import price
from proxy.telemetry import AttemptRow, OperationRow, Table
from proxy.upstream import Provider, UpstreamFailed, UpstreamRequest
from proxy.wire.endpoint import Endpoint

NS_PER_S: Final = 1_000_000_000
PATHS: Final = {"response": "/responses/", "batch": "/batches/"}
MOST_AT_ONCE: Final = 8
log = logging.getLogger("flyball.journey")
_encode = msgspec.json.Encoder().encode


async def finish(kept: Kept, answer: bytes, rooms: Rooms) -> bool:
    """Bill an object's work if the provider's answer shows it finished; whether it was billed now.

    Only who takes what is due bills it, so that it is billed once whoever sees it first.
    """
    if not kept.due:
        return False
    provider = rooms.snapshot().providers.get(kept.provider)
    work = None if provider is None else await outputs_of(kept, answer, provider, rooms)
    if provider is None or work is None:
        return False
    try:
        raw = await asyncio.to_thread(rooms.ownership.take_due, kept)
    except OwnershipUnavailable as error:
        log.warning("finished work is billed later", extra={"id": kept.id, "why": str(error)})
        return False
    if not raw:
        return False
    await _bill(read_due(raw), work, provider, rooms)
    return True


async def look_after(rooms: Rooms, every_ns: int) -> None:
    """Ask providers how the work stands that nobody has asked for since; to be called now and again."""
    try:
        waiting = await asyncio.to_thread(rooms.ownership.dues, rooms.clock.now_ns(), MOST_AT_ONCE, every_ns)
    except OwnershipUnavailable:
        return
    for kept in waiting:
        provider = rooms.snapshot().providers.get(kept.provider)
        if provider is None or kept.kind not in PATHS:
            continue
        path = PATHS[kept.kind] + kept.id
        try:
            answer = await _asked(UpstreamRequest(provider=provider, path=path, body=b"", method="GET"), rooms)
        except UpstreamFailed:
            continue
        if answer is not None:
            await finish(kept, answer, rooms)


async def _asked(request: UpstreamRequest, rooms: Rooms) -> bytes | None:
    response = await rooms.transport.send(request)
    try:
        parts: list[bytes] = []
        size = 0
        while (chunk := await response.chunk()) is not None:
            size += len(chunk)
            if size > rooms.settings.metered_answer_bytes:
                return None
            parts.append(chunk)
        return b"".join(parts) if response.status < 300 else None
    finally:
        await response.close()


async def _bill(due: Due, work: Work, provider: Provider, rooms: Rooms) -> None:
    """Write the call's rows, then settle its hold."""
    snapshot = rooms.snapshot()
    at = utc_second(due.arrived_ns // NS_PER_S)
    names = [name for name in (work.model, due.sent_model, due.requested_model) if name]
    entry = snapshot.prices.find(provider.profile.price_provider, names, at)
    usages = [_usage(raw, provider, work) for raw in work.usages]
    if not usages and work.is_billed:
        usages = [estimated(due.input_tokens, due.output_tokens)]
    priced = [price(usage, entry, at) for usage in usages] if entry is not None else []
    cost: Nano | None = Nano(sum(each.cost for each in priced))
    listed: Nano | None = Nano(sum(each.list_cost for each in priced))
    if usages and entry is None:
        cost = listed = Nano(due.held) if due.held > 1 else None
    row, attempt = _rows(due, work, provider, _summed(usages), rooms)
    row.cost_usd, row.list_usd = _usd(cost), _usd(listed)
    attempt.cost_usd, attempt.list_usd = row.cost_usd, row.list_usd
    attempt.price_source = row.price_source = entry.source if entry is not None else ""
    if cost is not None and cost > due.held > 1:
        row.overrun_usd = _usd(Nano(cost - due.held)) or row.overrun_usd
    attempt.price_lines = _encode([line for each in priced[:64] for line in each.lines]).decode()
    rooms.spool.append(Table.ATTEMPTS, attempt)
    rooms.spool.append(Table.OPERATIONS, row)
    rooms.counters.finished(row, [attempt], cost)
    await _settle(due.operation, cost or ZERO, _used(_summed(usages)), rooms)


async def _settle(operation: str, cost: Nano, used: Mapping[Unit, int], rooms: Rooms) -> None:
    try:
        settled = await rooms.ledger.settle(operation, cost, rooms.clock.now_ns(), used=used)
    except LedgerUnavailable:
        rooms.unsettled[operation] = Unsettled(cost, used)
        rooms.open_holds += 1
        rooms.ledger_away = True
        return
    if settled.by:
        rooms.spool.withdraw(operation)
    rooms.spool.settled(operation)


def _usage(raw: bytes, provider: Provider, work: Work) -> Usage:
    arithmetic = provider.profile.arithmetic
    return normalise(raw, arithmetic=arithmetic, endpoint=Endpoint.RESPONSES, service_tier=work.tier, tool_calls={})


def _rows(due: Due, work: Work, provider: Provider, usage: Usage, rooms: Rooms) -> tuple[OperationRow, AttemptRow]:
    row = row_of(due.start)
    row.finished_at = stamp(rooms.clock.now_ns())
    row.outcome, row.status, row.attempts = work.outcome, due.status, 1
    row.error, row.finish_reason = ("" if work.outcome is Outcome.OK else work.status), work.status
    row.provider, row.model = provider.name, (work.model or due.sent_model)[:200]
    row.usage_source, row.service_tier = usage.source, usage.service_tier or ""
    row.held_usd = _usd(Nano(due.held)) or row.held_usd
    row.provider_request_id, row.worker = due.provider_request_id, rooms.worker
    row.reason = f"billed when it was {work.status}"
    attempt = AttemptRow(
        attempt_id=due.attempt,
        operation_id=due.operation,
        started_at=stamp(due.started_at_ns),
        org=row.org,
        team=row.team,
        key_id=row.key_id,
        key_name=row.key_name,
        endpoint=row.endpoint,
        provider=provider.name,
        sent_model=due.sent_model[:200],
        model=row.model,
        outcome=row.outcome,
        status=due.status,
        error=row.error,
        finish_reason=row.finish_reason,
        raw_usage=work.usages[0].decode("utf-8", "replace") if len(work.usages) == 1 else "",
        usage_source=usage.source,
        service_tier=row.service_tier,
        price_version=row.price_version,
        provider_request_id=due.provider_request_id,
        worker=rooms.worker,
    )
    set_tokens(row, usage)
    set_tokens(attempt, usage)
    return row, attempt


def _summed(usages: list[Usage]) -> Usage:
    """The usage of all parts of a work."""
    if len(usages) == 1:
        return usages[0]
    tokens: dict[Bucket, int] = {}
    for usage in usages:
        for bucket, count in usage.tokens.items():
            tokens[bucket] = tokens.get(bucket, 0) + count
    first = usages[0] if usages else Usage()
    return first._replace(tokens=tokens)


def _used(usage: Usage) -> Mapping[Unit, int]:
    return {
        **tokens_used(usage.prompt_tokens, usage.completion_tokens),
        Unit.TOOL_CALLS: sum(usage.tool_calls.values()),
        Unit.REQUESTS: 1,
        Unit.SLOTS: 0,
    }


def _usd(amount: Nano | None) -> str | None:
    return None if amount is None else f"{amount // NANO_PER_USD}.{amount % NANO_PER_USD:09d}"
