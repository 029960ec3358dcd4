"""What is kept beside a hold: enough of the call to write its row if its worker dies."""

from typing import Final

import msgspec

from proxy.core.clock import stamp
from proxy.core.outcome import Purpose
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.telemetry import OperationRow


class StartRecord(msgspec.Struct, array_like=True):
    """The columns known when a hold is asked for; written as an array, since one is made for every call."""

    operation_id: str
    charged_at: str
    org: str
    team: str
    key_id: str
    key_name: str
    cost_center: str
    owner: str
    end_user: str
    agent: str
    run: str
    run_source: str
    parent_run: str
    step: str
    tags: dict[str, str]
    endpoint: str
    streamed: bool
    requested_model: str
    route: str
    provider: str
    price_version: str
    request_bytes: int
    config_generation: str
    worker: str
    purpose: str = "serve"
    beside: str = ""


_SERVE: Final = Purpose.SERVE
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(StartRecord).decode


def start_record(journey: Journey, rooms: Rooms) -> bytes:
    """The call as far as it is known before its money is asked for."""
    call, principal, claims, facts = journey.call, journey.principal, journey.claims, journey.request
    resolution = journey.resolution
    record = StartRecord(
        call.operation,
        stamp(call.arrived_ns),
        principal.org,
        principal.team,
        principal.key_id,
        principal.key_name,
        principal.cost_center,
        principal.owner,
        claims.end_user,
        claims.agent,
        claims.run,
        claims.run_source,
        claims.parent_run,
        claims.step,
        dict(claims.tags),
        call.endpoint,
        facts.streamed,
        facts.model[:200],
        resolution.route if resolution else "",
        resolution.candidates[0].provider if resolution else "",
        journey.snapshot.prices.version,
        len(journey.body),
        journey.snapshot.generation,
        rooms.worker,
        *(() if journey.purpose is _SERVE else (journey.purpose, journey.beside)),
    )
    return _encode(record)


def row_of(start: bytes) -> OperationRow:
    """The operation row that a start record begins; how it ended is for the caller to say."""
    record = _decode(start)
    return OperationRow(finished_at=record.charged_at, **msgspec.structs.asdict(record))
