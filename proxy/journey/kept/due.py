"""due: work that a provider goes on with after its call was answered, and what must be known to bill it then.

The call's money stays held, under a name of its own that no worker's end touches, until the provider shows the work
finished; its row is written then. What nobody sees finished lapses, and becomes a lost call billed at its hold.
"""

import logging
from typing import Final

import msgspec

from proxy.budget import LedgerUnavailable
from proxy.core.refusal import Refused
from proxy.journey.kept.note import remember
from proxy.journey.rooms import Rooms
from proxy.journey.start_record import start_record
from proxy.journey.state import Attempt, Journey
from proxy.wire.openai.yielded import Named

NS_PER_HOUR: Final = 3_600_000_000_000
LATER: Final = "due_"
"""How the names begin that unfinished work is held by, in the place of a worker's."""
log = logging.getLogger("flyball.journey")


class Due(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call's unfinished work: its row as far as it is known, its attempt, and what is held for it."""

    operation: str
    start: bytes
    attempt: str
    started_at_ns: int
    sent_model: str
    requested_model: str
    endpoint: str
    arrived_ns: int
    held: int
    input_tokens: int
    output_tokens: int
    status: int
    provider_request_id: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Due).decode


def read_due(raw: bytes) -> Due:
    """What was written of a call's unfinished work."""
    return _decode(raw)


async def defer(journey: Journey, attempt: Attempt, named: list[Named], rooms: Rooms) -> bool:
    """Leave the call to be billed when its work is finished, the first of the objects named; whether it is left.

    Where that cannot be noted the call is to be billed now, as it was held.
    """
    if journey.granted is None or not journey.dispatched or not named:
        return False
    operation, record = journey.call.operation, start_record(journey, rooms)
    holder, until_ns = LATER + operation, rooms.clock.now_ns() + rooms.settings.unfinished_hours * NS_PER_HOUR
    due = Due(
        operation=operation,
        start=record,
        attempt=attempt.id,
        started_at_ns=attempt.started_at_ns,
        sent_model=attempt.sent_model,
        requested_model=journey.request.model,
        endpoint=journey.call.endpoint.value,
        arrived_ns=journey.call.arrived_ns,
        held=journey.granted.amount,
        input_tokens=journey.estimate.input_tokens,
        output_tokens=journey.estimate.output_tokens,
        status=attempt.status,
        provider_request_id=attempt.provider_request_id,
    )
    try:
        await rooms.ledger.renew(holder, until_ns)
        await remember(journey, attempt.provider.name, named, rooms, due=_encode(due))
        await rooms.ledger.dispatch(operation, holder, start_record=record)
    except (LedgerUnavailable, Refused) as error:
        log.warning("unfinished work is billed as it was held", extra={"operation": operation, "why": str(error)})
        return False
    journey.is_deferred = True
    return True
