"""settle: what a carried call used and cost, where its answer tells it, or what was held for it."""

from proxy.core.money import ZERO
from proxy.journey.bill import Evidence, bill
from proxy.journey.kept.passage import Passage
from proxy.journey.kept.price import LEAST
from proxy.journey.rooms import Rooms
from proxy.metering import estimated
from proxy.upstream import UpstreamResponse
from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.response import read_response
from proxy.wire.place import Spends


async def settle(passage: Passage, response: UpstreamResponse | None, answer: bytes, rooms: Rooms) -> None:
    """Set the attempt's cost: nothing for what is free or was refused; by its usage, where the answer tells it; else
    what was held under a hard budget, and an unknown price where nothing was."""
    journey = passage.journey
    if journey.is_deferred:
        return
    attempt = journey.attempts[-1]
    is_billed = passage.place.spends is not Spends.NOTHING and attempt.status < 400
    told = read_response(Endpoint.CHAT, answer) if answer and is_billed else None
    if told is not None and told.raw_usage is not None:
        attempt.model = told.model or ""
        await bill(journey, attempt, Evidence(raw_usage=told.raw_usage, service_tier=told.service_tier), rooms)
        return
    close_bill(passage, rooms)


def close_bill(passage: Passage, rooms: Rooms) -> None:
    """Set the cost of an attempt whose answer tells none, or never came: what was not sent costs nothing."""
    journey = passage.journey
    attempt = journey.attempts[-1] if journey.attempts else None
    if attempt is None or not attempt.is_unbilled or journey.is_deferred:
        return
    if passage.place.spends is Spends.NOTHING or attempt.status >= 400 or attempt.error.endswith("(not sent)"):
        attempt.cost = attempt.list_cost = ZERO
        return
    attempt.usage = estimated(0, 0)
    is_bounded = passage.holds_ceiling or passage.place.spends is Spends.BATCH
    if is_bounded and journey.granted is not None and journey.granted.amount > LEAST:
        attempt.cost = attempt.list_cost = journey.granted.amount
        attempt.price_source = "assumed"
    else:
        attempt.cost = attempt.list_cost = None
        rooms.counters.unpriced(attempt.sent_model or passage.place.endpoint.value)
