"""An answer in one piece: read whole, settled, and only then sent, so that its headers tell what it cost."""

from proxy.core.outcome import Outcome
from proxy.core.refusal import Refusal, Refused
from proxy.journey.account import account
from proxy.journey.answer_headers import answer_headers
from proxy.journey.bill import Evidence, bill
from proxy.journey.inflating import inflated
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt, Journey
from proxy.upstream import UpstreamFailed, UpstreamResponse
from proxy.wire.openai.response import UnaryFacts, read_response


async def relay_unary(journey: Journey, response: UpstreamResponse, rooms: Rooms) -> None:
    """Relay a JSON answer or an error. A client that hung up is still billed: the provider made the whole answer.

    Raises:
        Refused: UPSTREAM_TRUNCATED when the upstream stops early and nothing was sent yet.
    """
    attempt = journey.attempts[-1]
    held: list[bytes] = []
    try:
        whole = await _collect(journey, response, rooms, held)
    except UpstreamFailed as failure:
        await _cut(journey, attempt, failure, rooms)
        return
    attempt.ended_ns = rooms.clock.monotonic_ns()
    journey.mark("upstream", attempt.ended_ns)
    await _settle(journey, response, attempt, whole, rooms)
    exchange = journey.exchange
    if not exchange.started:
        headers = answer_headers(journey, response, rooms)
        await exchange.answer(response.status, _with_length(headers, len(whole)), whole)
    else:
        await exchange.finish()


async def _collect(journey: Journey, response: UpstreamResponse, rooms: Rooms, held: list[bytes]) -> bytes:
    """Read the answer; past the bound for holding it back it is relayed as it comes."""
    settings, exchange, attempt = rooms.settings, journey.exchange, journey.attempts[-1]
    size = 0
    while (chunk := await response.chunk()) is not None:
        size += len(chunk)
        attempt.response_bytes = size
        if size <= settings.metered_answer_bytes:
            held.append(chunk)
        if exchange.started:
            await exchange.send(chunk)
        elif size > settings.buffered_answer_bytes:
            await exchange.start(response.status, answer_headers(journey, response, rooms))
            for early in held:
                await exchange.send(early)
    return b"".join(held) if size <= settings.metered_answer_bytes else b""


async def _settle(journey: Journey, response: UpstreamResponse, attempt: Attempt, whole: bytes, rooms: Rooms) -> None:
    body = inflated(response, whole)
    facts = read_response(journey.call.endpoint, body)
    journey.status = response.status
    journey.outcome = attempt.outcome = _outcome(journey, response, facts)
    attempt.model = facts.model or ""
    attempt.finish_reason = facts.finish_reason or ""
    attempt.tool_call_count = facts.tool_call_count
    if response.status >= 400:
        attempt.error = journey.error = f"http_{response.status}"
    evidence = Evidence(
        raw_usage=facts.raw_usage,
        service_tier=facts.service_tier,
        tool_calls=facts.tool_calls,
        delivered=facts.delivered,
        output_chars=facts.output_chars,
        billable=response.status < 400,
        # Not kept, or not readable: what was delivered is not known, so it is billed at the hold.
        complete=bool(body) or not attempt.response_bytes,
    )
    await bill(journey, attempt, evidence, rooms)
    await account(journey, rooms)


def _outcome(journey: Journey, response: UpstreamResponse, facts: UnaryFacts) -> Outcome:
    if response.status >= 400 or facts.is_error:
        return Outcome.UPSTREAM_ERROR
    return Outcome.CANCELLED if journey.exchange.gone() else Outcome.OK


async def _cut(journey: Journey, attempt: Attempt, failure: UpstreamFailed, rooms: Rooms) -> None:
    """The upstream stopped in the middle: billed at the hold, since it had made its answer before sending it."""
    attempt.ended_ns = rooms.clock.monotonic_ns()
    attempt.error = journey.error = failure.kind
    journey.outcome = attempt.outcome = Outcome.TRUNCATED
    journey.status = 502
    await bill(journey, attempt, Evidence(billable=attempt.status < 400, complete=False), rooms)
    if journey.exchange.started:
        raise failure
    raise Refused(
        Refusal.UPSTREAM_TRUNCATED,
        f"The provider {attempt.provider.name!r} broke off in the middle of its answer ({failure.kind}).",
        facts={"provider": attempt.provider.name, "failure": failure.kind},
    ) from failure


def _with_length(headers: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    if any(name == b"content-length" for name, _ in headers):
        return headers
    return [*headers, (b"content-length", str(length).encode())]
