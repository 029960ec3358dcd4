"""What a batch is held for: the worst case of each line of its input file, at the price of batches."""

from typing import Final

from proxy.budget import HoldLine, LineKind, Unit
from proxy.core.money import Nano
from proxy.core.refusal import Refusal, Refused
from proxy.journey.dearest import MEDIA_MARKS
from proxy.journey.kept.passage import Passage
from proxy.journey.observe import named, refuse_unless_observed
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.pricing import Price, worst_case
from proxy.upstream import UpstreamFailed, UpstreamRequest
from proxy.wire.openai.batch import BATCH_TIER, BatchLine, read_line

COUNTED: Final = frozenset({Unit.USD, Unit.TOKENS, Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS})
LONGEST_LINE: Final = 16 * 1024 * 1024
MOST: Final = 10**18


async def batch_worst(passage: Passage, rooms: Rooms) -> tuple[Nano, int, int]:
    """The worst case of a batch's input file, in nano-dollars, and its tokens in and out.

    Raises:
        Refused: INVALID_REQUEST for a file that cannot be read, UNPRICED_MODEL, CAPABILITY_MISSING for what has no
            price by tokens, UPSTREAM_ERROR where the provider does not give the file.
    """
    file = next((id for field, id in passage.named if field == "input_file_id"), "")
    if not file:
        raise Refused(Refusal.INVALID_REQUEST, "`input_file_id` is missing.", param="input_file_id")
    total, total_in, total_out = 0, 0, 0
    request = UpstreamRequest(
        provider=passage.provider, path=f"/files/{file}/content", body=b"", method="GET", streamed=True
    )
    try:
        response = await rooms.transport.send(request)
    except UpstreamFailed as failure:
        raise _unread(failure.kind) from failure
    try:
        if response.status >= 300:
            raise _unread(f"http_{response.status}")
        rest = b""
        while True:
            chunk = await response.chunk()
            *lines, rest = (rest + (chunk or b"\n")).split(b"\n")
            for line in lines:
                amount, tokens_in, tokens_out = await _of_line(passage, line, rooms)
                total, total_in, total_out = total + amount, total_in + tokens_in, total_out + tokens_out
            if chunk is None:
                break
            if len(rest) > LONGEST_LINE:
                raise Refused(Refusal.INVALID_REQUEST, "A line of the batch's input file is too long to be read.")
    except UpstreamFailed as failure:
        raise _unread(failure.kind) from failure
    finally:
        await response.close()
    if total > MOST:
        raise Refused(Refusal.INVALID_REQUEST, "This one batch could cost more than can be accounted for.")
    return Nano(max(1, total)), total_in, total_out


def binding_lines(journey: Journey) -> list[HoldLine]:
    """The lines of a call that refuse what costs more than there is; a rate is made up for by the calls after it."""
    return [
        line
        for line in journey.lines
        if (line.hard or line.observed) and line.unit in COUNTED and line.kind is not LineKind.RATE
    ]


async def _of_line(passage: Passage, line: bytes, rooms: Rooms) -> tuple[Nano, int, int]:
    asked = read_line(line)
    if asked is None:
        return Nano(0), 0, 0
    journey, facts = passage.journey, asked.facts
    counted = await rooms.counter.count_input(facts.model, asked.endpoint, asked.body)
    price = _price(passage, facts.model)
    output = _output(asked, price, rooms)
    if price is None:
        return Nano(0), counted.tokens, output
    amount = worst_case(
        price,
        journey.at,
        input_tokens=counted.tokens,
        output_tokens=output,
        service_tier=BATCH_TIER,
        media=lambda: any(mark in asked.body for mark in MEDIA_MARKS),
        is_certain=True,
    )
    return amount, counted.tokens, output


def _output(asked: BatchLine, price: Price | None, rooms: Rooms) -> int:
    """Output tokens of a line: what it asks for, else all that its model can say, for no hold can grow with it."""
    facts = asked.facts
    bound = facts.max_output_tokens
    if price is not None and price.max_output is not None:
        bound = price.max_output if bound is None else min(bound, price.max_output)
    if bound is None:
        bound = rooms.holding.first_hold_output_tokens
    return bound * facts.choices if asked.endpoint.has_output else 0


def _price(passage: Passage, model: str) -> Price | None:
    journey = passage.journey
    price = journey.snapshot.prices.find(passage.provider.profile.price_provider, (model,), journey.at)
    if price is not None:
        return price
    binding = binding_lines(journey)
    refused = Refused(
        Refusal.UNPRICED_MODEL,
        f"The model {model[:200]!r} has no price, and the hard budget {binding[0].name!r} needs one. Add it to the "
        "price overlay, or set prices.assume_usd_per_mtok.",
        param="input_file_id",
        facts={"model": model[:200], "provider": passage.provider.name},
        by=named(binding[0]),
    )
    refuse_unless_observed(journey, refused, allowed=not any(line.hard for line in binding))
    return None


def _unread(why: str) -> Refused:
    return Refused(
        Refusal.UPSTREAM_ERROR,
        f"The batch's input file could not be read at the provider ({why}), so nothing can be held for it.",
        facts={"failure": why},
    )
