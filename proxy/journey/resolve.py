"""resolve and select: which targets could serve the call, and which one does."""

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from proxy.core.refusal import Refusal, Refused
from proxy.core.tenant import Principal
from proxy.journey.call_facts import call_facts, caller_facts
from proxy.journey.fit import drop_incapable
from proxy.journey.observe import refuse_unless_observed
from proxy.journey.rank import rank
from proxy.journey.rooms import Rooms, Snapshot
from proxy.journey.state import Journey
from proxy.journey.switched import drop_switched, look_again, refuse_switched
from proxy.journey.translated import choose, is_spoken
from proxy.routing import AgentBook, Candidate, Resolution
from proxy.wire.translate import is_reached

_OWN_KEY: Final = b"x-flyball-key"


@lru_cache(maxsize=1024)
def may_use(patterns: tuple[str, ...], model: str) -> bool:
    """Whether a key's model patterns allow a model; no patterns allow all."""
    return not patterns or any(fnmatchcase(model, pattern) for pattern in patterns)


def usable_models(snapshot: Snapshot, principal: Principal, dialect: str = "") -> list[str]:
    """The model names a key may ask for, from the routes and the price book; no upstream is asked.

    `dialect`: only those that a client of it can call.
    """

    def known(provider: str) -> list[str]:
        return snapshot.prices.names(snapshot.providers[provider].profile.price_provider)

    def reached(provider: str) -> bool:
        return not dialect or is_reached(dialect, snapshot.providers[provider].dialect)

    return snapshot.router.names(lambda name: may_use(principal.models, name), known, reached, caller_facts(principal))


def is_routed(snapshot: Snapshot, principal: Principal, model: str, dialect: str) -> bool:
    """Whether a key may ask for a model by a name that no list has, because a pattern of the routes serves it."""

    def reached(provider: str) -> bool:
        return is_reached(dialect, snapshot.providers[provider].dialect)

    return may_use(principal.models, model) and snapshot.router.serves(model, reached, caller_facts(principal))


def resolve(journey: Journey, rooms: Rooms) -> None:
    """Find the candidates for the model the client named, or that its agent's step or a ladder gave it instead.

    The key's own list is of what its client may name.

    Raises:
        Refused: MODEL_NOT_ALLOWED by the key's own list, MODEL_NOT_FOUND when no route matches, POLICY_DENIED or
            RUN_STOPPED by a kill switch, CAPABILITY_MISSING where no candidate takes what is asked.
    """
    model, switches = journey.model, journey.snapshot.switches
    journey.left_out = ()
    if switches:
        refuse_switched(journey, switches, rooms)
    if model == journey.request.model and not may_use(journey.principal.models, model):
        refused = Refused(
            Refusal.MODEL_NOT_ALLOWED,
            f"This key may not use the model {model[:200]!r}; it may use {', '.join(journey.principal.models)}.",
            param="model",
            facts={"model": model[:200], "allowed": list(journey.principal.models)},
            by=f"{journey.principal.scopes[-1]}/models",
        )
        refuse_unless_observed(journey, refused)
    agents = journey.snapshot.agents
    if agents is not None and journey.resolution is None and model == journey.request.model:
        model = _take_step(journey, agents)
    if model:
        journey.resolution = journey.snapshot.router.resolve(
            model,
            lambda: usable_models(journey.snapshot, journey.principal, journey.call.dialect.name),
            lambda: call_facts(journey),
        )
    else:
        journey.resolution = _without_model(journey)
    _drop_strangers(journey)
    if journey.resolution.plan.is_choosy:
        drop_incapable(journey)
    _refuse_our_key(journey)
    if switches:
        drop_switched(journey, switches, rooms)


def _take_step(journey: Journey, agents: AgentBook) -> str:
    """Give an agent's call the model of its step; the model that it is routed by."""
    asked, facts = journey.model, call_facts(journey)
    choice = agents.model_for(asked, facts)
    if choice is not None and choice.model != asked:
        journey.model = choice.model
        journey.say(f"{choice.model} in the place of {asked[:200]}: {choice.why} of agent {facts.agent}")
    return journey.model


def _without_model(journey: Journey) -> Resolution:
    """Where a call goes that leaves its model to what the provider keeps: to a provider that shares it, and passes on
    what is not known here.

    Raises:
        Refused: INVALID_REQUEST.
    """
    snapshot = journey.snapshot
    routed = snapshot.router.resolve_path(journey.call.path)
    name = routed.candidates[0].provider if routed is not None else snapshot.default_provider
    provider = snapshot.providers.get(name)
    if provider is None or not (provider.shares_state and provider.passthrough):
        raise Refused(Refusal.INVALID_REQUEST, "`model` is missing; name the model to call", param="model")
    return Resolution(journey.call.path, (Candidate(name, ""),))


def _drop_strangers(journey: Journey) -> None:
    """Leave the candidates out whose provider speaks neither the client's dialect nor one that it is translated to."""
    resolution, name = journey.resolution, journey.call.dialect.name
    providers = journey.snapshot.providers
    if resolution is None:
        return
    for each in resolution.candidates:
        if not is_spoken(journey, providers[each.provider]):
            break
    else:
        return
    mute = {
        each: f"no translation from {name} to {providers[each.provider].dialect}"
        for each in resolution.candidates
        if not is_spoken(journey, providers[each.provider])
    }
    if len(mute) == len(resolution.candidates):
        others = sorted({providers[each.provider].dialect for each in resolution.candidates})
        raise Refused(
            Refusal.CAPABILITY_MISSING,
            f"The model {journey.model[:200]!r} is served in the dialect {', '.join(others)} and called in {name}: "
            "ask for it at that dialect's path, or for another model.",
            param="model",
            facts={"model": journey.model[:200], "dialects": list(others)},
        )
    journey.leave_out(mute)


def _refuse_our_key(journey: Journey) -> None:
    """See to it that a client's own credential is one: where it is sent on, its key for Flyball must stand apart."""
    resolution, providers = journey.resolution, journey.snapshot.providers
    if resolution is None or _OWN_KEY in journey.call.headers:
        return
    for each in resolution.candidates:
        if not providers[each.provider].passes_credentials:
            continue
        raise Refused(
            Refusal.INVALID_REQUEST,
            f"The model {journey.model[:200]!r} is called with a credential of your own: send it as its provider's SDK "
            "does, and your key for Flyball in `x-flyball-key`.",
            param="x-flyball-key",
        )


async def select(journey: Journey, rooms: Rooms) -> None:
    """Rank the candidates, and take the best.

    Raises:
        Refused: POLICY_DENIED or RUN_STOPPED by a kill switch that was set while the call waited; CAPABILITY_MISSING
            where the request cannot be carried to any candidate's dialect.
    """
    look_again(journey, rooms)
    await take_best(journey, rooms)


async def take_best(journey: Journey, rooms: Rooms) -> None:
    """Rank the candidates, and take the best that the request can be carried to.

    Raises:
        Refused: CAPABILITY_MISSING where there is none.
    """
    if journey.resolution is None:
        raise RuntimeError("a target is selected before the route was resolved")
    candidates = journey.resolution.candidates
    if len(candidates) == 1 and not journey.left_out:
        journey.candidate = await choose(journey, candidates)
        return
    journey.ranking = ranking = rank(journey, journey.resolution, rooms)
    journey.candidate = chosen = await choose(journey, ranking.candidates)
    if ranking.order[0].candidate != chosen:
        before = ranking.candidates[: ranking.candidates.index(chosen)]
        journey.ranking = ranking.without(before, "the request cannot be put into its dialect")
