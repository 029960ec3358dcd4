"""own: whose the objects are that a call names, and so to which provider it goes."""

import asyncio

from msgspec import structs

from proxy.core.refusal import Refusal, Refused
from proxy.journey.call_facts import call_facts
from proxy.journey.kept.passage import Passage
from proxy.journey.resolve import may_use
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.journey.switched import drop_switched, refuse_switched
from proxy.ownership import Kept, OwnershipUnavailable
from proxy.routing import Candidate, Resolution
from proxy.upstream import Provider
from proxy.wire.place import Does, Place


async def own(passage: Passage, rooms: Rooms) -> None:
    """Find the provider, and refuse what is not the org's own there; no upstream is asked.

    Raises:
        Refused: NOT_FOUND for an object that is another org's, and just the same for one that never was; PATH_NOT_FOUND
            where no provider takes the path; MODEL_NOT_ALLOWED by the key's own list; POLICY_DENIED or RUN_STOPPED by
            a kill switch; DEPENDENCY_UNAVAILABLE.
    """
    journey, place = passage.journey, passage.place
    switches = journey.snapshot.switches
    if switches:
        refuse_switched(journey, switches, rooms)
    wanted = [id for _, id in passage.named]
    if place.id:
        wanted.append(place.id)
    if wanted:
        passage.kept = await found(journey, wanted, rooms)
    _check_model(journey)
    journey.resolution = _spoken(journey, _resolution(passage))
    if switches:
        drop_switched(journey, switches, rooms)
    provider = passage.provider
    if provider.shares_state:
        refuse_several(journey, provider)
        if place.does is Does.UNKNOWN and not provider.passthrough:
            raise not_served(journey, place, provider.name)
    else:
        _check_owned(passage, provider)
    journey.mark("own", rooms.clock.monotonic_ns())


async def found(journey: Journey, ids: list[str], rooms: Rooms) -> dict[str, Kept]:
    """Those of the objects that are the caller's org's.

    Raises:
        Refused: DEPENDENCY_UNAVAILABLE.
    """
    org, now_ns = journey.principal.org, rooms.clock.now_ns()
    try:
        return await asyncio.to_thread(rooms.ownership.find, org, ids, now_ns)
    except OwnershipUnavailable as error:
        raise unowned(error) from error


def unowned(error: OwnershipUnavailable) -> Refused:
    """The answer when nobody can say whose an object is."""
    return Refused(
        Refusal.DEPENDENCY_UNAVAILABLE,
        "Whose this is cannot be looked up now, so nobody may have it; try again shortly.",
        facts={"dependency": "ownership", "detail": str(error)},
        retry_after_s=1,
    )


def no_such(id: str, param: str | None = None) -> Refused:
    """The answer for an object that is somebody else's, or nobody's."""
    message = f"No such object: {id[:200]!r}. This key's organisation has made none of that id through here."
    return Refused(Refusal.NOT_FOUND, message, param=param)


def not_served(journey: Journey, place: Place, provider: str = "") -> Refused:
    """The answer for a path that no provider takes."""
    path = journey.call.path
    if place.never and not provider:
        hint = "it governs the provider's account itself"
    elif place.does is Does.UNKNOWN:
        hint = f"set passthrough: true on {f'the provider {provider}' if provider else 'a provider'} to pass it on"
    else:
        hint = "set defaults.provider, or a route with its path"
    return Refused(
        Refusal.PATH_NOT_FOUND,
        f"There is nothing at {path[:100]!r}: {hint}.",
        facts={"path": path[:200], "known": place.does is not Does.UNKNOWN},
    )


def _check_owned(passage: Passage, provider: Provider) -> None:
    journey, place, kept = passage.journey, passage.place, passage.kept
    if place.never:
        raise not_served(journey, place)
    if place.does is Does.UNKNOWN:
        if not provider.passthrough:
            raise not_served(journey, place, provider.name)
        return
    for field, id in [*passage.named, *([("", place.id)] if place.id else [])]:
        record = kept.get(id)
        if record is None or record.provider != provider.name:
            raise no_such(id, field or None)
    if place.id and kept[place.id].kind != place.kind:
        raise no_such(place.id)


def refuse_several(journey: Journey, provider: Provider) -> None:
    """A provider whose objects all share is one org's only; the start looks at the file, this at keys made since."""
    if not journey.snapshot.keyring.is_of_one_org:
        raise Refused(
            Refusal.CAPABILITY_MISSING,
            f"The provider {provider.name!r} keeps its state shared, which only one organisation may reach, and there "
            "are keys of several: set its provider_state to owned.",
            facts={"provider": provider.name},
        )


def _check_model(journey: Journey) -> None:
    if journey.model and not may_use(journey.principal.models, journey.model):
        raise Refused(
            Refusal.MODEL_NOT_ALLOWED,
            f"This key may not use the model {journey.model[:200]!r}; it may use "
            f"{', '.join(journey.principal.models)}.",
            param="model",
            facts={"model": journey.model[:200], "allowed": list(journey.principal.models)},
            by=f"{journey.principal.scopes[-1]}/models",
        )


def _resolution(passage: Passage) -> Resolution:
    """Where what the call names is, else where its path is routed, else its model, else the default.

    Raises:
        Refused: PATH_NOT_FOUND.
    """
    journey, place = passage.journey, passage.place
    snapshot, path = journey.snapshot, journey.call.path
    names = [*([place.id] if place.id else []), *(id for _, id in passage.named)]
    for id in names:
        if id in passage.kept and passage.kept[id].provider in snapshot.providers:
            return Resolution(path_of(place), (Candidate(passage.kept[id].provider, journey.model),))
    if (routed := snapshot.router.resolve_path(path)) is not None:
        return Resolution(routed.route, tuple(Candidate(each.provider, journey.model) for each in routed.candidates))
    if journey.model and (served := _of_model(journey)) is not None:
        return served
    if (name := _default(journey)) != "":
        return Resolution(path_of(place), (Candidate(name, journey.model),))
    raise not_served(journey, place)


def _of_model(journey: Journey) -> Resolution | None:
    """Where the model is served in the client's dialect; None for one of no route, such as one that was fine-tuned."""
    try:
        served = journey.snapshot.router.resolve(journey.model, facts=lambda: call_facts(journey))
    except Refused:
        return None
    dialects = [journey.snapshot.providers[each.provider].dialect for each in served.candidates]
    return served if journey.call.dialect.name in dialects else None


def _default(journey: Journey) -> str:
    """The default provider, else the only one that speaks the client's dialect; empty where there is none."""
    snapshot, dialect = journey.snapshot, journey.call.dialect.name
    default = snapshot.providers.get(snapshot.default_provider)
    if default is not None and default.dialect == dialect:
        return default.name
    speaking = [name for name, each in snapshot.providers.items() if each.dialect == dialect and name != "sim"]
    return speaking[0] if len(speaking) == 1 else snapshot.default_provider


def _spoken(journey: Journey, resolution: Resolution) -> Resolution:
    """The candidates that speak the client's dialect: what is passed on as it came is translated to no other.

    Raises:
        Refused: CAPABILITY_MISSING where none does.
    """
    providers, name = journey.snapshot.providers, journey.call.dialect.name
    left = tuple(each for each in resolution.candidates if providers[each.provider].dialect == name)
    if not left:
        first = resolution.candidates[0].provider
        raise Refused(
            Refusal.CAPABILITY_MISSING,
            f"The provider {first!r} speaks {providers[first].dialect}, and {journey.call.path[:100]!r} is of {name}; "
            "it is passed on as it is or not at all.",
            facts={"provider": first},
        )
    return structs.replace(resolution, candidates=left)


def path_of(place: Place) -> str:
    """What stands in a row where calls of models have their route."""
    return f"/{place.endpoint.value}"
