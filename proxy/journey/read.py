"""read and runs: what the body asks for, and what the client says the call belongs to."""

from msgspec.structs import replace

from proxy.core.tenant import LITELLM
from proxy.journey.call_facts import find_asks
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.runs import DERIVED, derived_run, read_claims
from proxy.wire.openai.azure import with_deployment
from proxy.wire.openai.dialect import OPENAI
from proxy.wire.openai.litellm import read_litellm
from proxy.wire.openai.media.request import is_form, read_media


async def read(journey: Journey, rooms: Rooms) -> None:
    """Read the body whole and the few fields of it that we act on.

    Raises:
        Refused: REQUEST_TOO_LARGE, INVALID_REQUEST.
    """
    journey.body = journey.original = await journey.exchange.body()
    call = journey.call
    if call.deployment:
        kind = call.headers.get(b"content-type", b"")
        journey.body = journey.original = with_deployment(kind, journey.body, call.deployment)
    if LITELLM in journey.principal.compat and call.dialect is OPENAI and not is_form(journey.body):
        journey.said_elsewhere = read_litellm(journey.body)
        journey.body = journey.said_elsewhere.body
    if call.endpoint.is_media:
        facts = read_media(call.endpoint, call.headers.get(b"content-type", b""), journey.body)
    else:
        facts = call.dialect.read_request(call.endpoint, call.path, journey.body)
    journey.facts = facts
    journey.model = facts.model
    if facts.in_background:
        journey.gate = "none"
    if journey.snapshot.reads_asks:
        await find_asks(journey)
    journey.mark("read", rooms.clock.monotonic_ns())


def claim(journey: Journey) -> None:
    """Attribute the call to a run, an agent, an end user and tags."""
    facts, names = journey.request, journey.snapshot.runs.names
    elsewhere = journey.said_elsewhere
    claims = read_claims(
        journey.call.headers,
        journey.principal,
        body_user=facts.user,
        body_session=facts.session if elsewhere is None else elsewhere.session,
        body_tags={} if elsewhere is None else elsewhere.tags,
        names=names,
    )
    if names.derives and not claims.run:
        run = derived_run(journey.call.endpoint, journey.body, journey.principal.key_id)
        claims = replace(claims, run=run, run_source=DERIVED if run else "")
    journey.claims = claims
