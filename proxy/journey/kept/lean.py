"""lean: a call of a model may lean on what a provider keeps where that is its org's own."""

from msgspec.structs import replace

from proxy.core.refusal import Refusal, Refused
from proxy.journey.kept.own import found, no_such, refuse_several
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.ownership import Kept
from proxy.routing import Candidate
from proxy.wire.anthropic.dialect import ANTHROPIC
from proxy.wire.openai.dialect import OPENAI
from proxy.wire.openai.references import references_in
from proxy.wire.openai.stateful import UNOWNED


async def lean_on_own(journey: Journey, rooms: Rooms) -> None:
    """Leave out the candidates that have not what the call names; an id means something at one provider only.

    Raises:
        Refused: NOT_FOUND for what is another org's, and just the same for what never was; CAPABILITY_MISSING for
            what has no owner that is known; INVALID_REQUEST where it is kept elsewhere than the model is served.
    """
    resolution = journey.resolution
    if resolution is None:
        raise RuntimeError("state is leaned on before the route was resolved")
    named = references_in(journey.body, b"application/json")
    kept = await found(journey, [id for _, id in named], rooms) if named else {}
    providers = journey.snapshot.providers
    left = []
    for candidate in resolution.candidates:
        provider = providers[candidate.provider]
        if provider.shares_state:
            refuse_several(journey, provider)
            left.append(candidate)
        elif not _unowned(journey) and all(_is_at(kept.get(id), candidate) for _, id in named):
            left.append(candidate)
    if not left:
        raise _refusal(journey, named, kept)
    journey.resolution = replace(resolution, candidates=tuple(left))


def _is_at(kept: Kept | None, candidate: Candidate) -> bool:
    return kept is not None and kept.provider == candidate.provider


def _unowned(journey: Journey) -> str:
    # Of what is kept in other dialects no ownership is recorded yet.
    is_recorded = journey.call.dialect in (OPENAI, ANTHROPIC)
    return next((field for field in journey.request.stateful if not is_recorded or field in UNOWNED), "")


def _refusal(journey: Journey, named: list[tuple[str, str]], kept: dict[str, Kept]) -> Refused:
    if field := _unowned(journey):
        return Refused(
            Refusal.CAPABILITY_MISSING,
            f"Whose `{field}` is cannot be known here; send what it stands for in the request instead.",
            param=field,
        )
    for field, id in named:
        if id not in kept:
            return no_such(id, field)
    field, id = named[0]
    return Refused(
        Refusal.INVALID_REQUEST,
        f"{id[:200]!r} is kept by the provider {kept[id].provider!r}, which does not serve the model "
        f"{journey.model[:200]!r} here.",
        param=field,
        facts={"provider": kept[id].provider},
    )
