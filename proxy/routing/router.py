"""From a client's model name to the targets that could serve it."""

import difflib
import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import Struct

from proxy.core.refusal import Refusal, Refused
from proxy.routing.candidate import Candidate
from proxy.routing.globs import is_glob, matches
from proxy.routing.plan import PLAIN, Plan, plan_of
from proxy.routing.settings import RouteSettings, TargetSettings
from proxy.routing.when import CallFacts, Condition

NAME_CHARS = 200
COMPARED = 64
MOST_RESOLVED = 1024
NO_TARGETS: Final[Mapping[Candidate, TargetSettings]] = MappingProxyType({})


class Resolution(Struct, frozen=True):
    """The route that matched, its candidates as listed, and what is set about each."""

    route: str
    candidates: tuple[Candidate, ...]
    plan: Plan = PLAIN
    targets: Mapping[Candidate, TargetSettings] = NO_TARGETS

    def variant_of(self, candidate: Candidate) -> str:
        """What a candidate is called by among the targets of the route."""
        target = self.targets.get(candidate)
        return "" if target is None else target.variant


class _Found(NamedTuple):
    """A route of a model's name, if its condition holds; None always does."""

    condition: Condition | None
    resolution: Resolution


class Router:
    """The routes of one configuration; immutable, shared by all calls of its generation."""

    def __init__(self, routes: Sequence[RouteSettings]) -> None:
        self._routes = tuple(route for route in routes if route.model)
        self._paths = tuple(route for route in routes if route.path)
        self._plans = [plan_of(route) for route in self._routes]
        self._conditions = [None if route.when is None else Condition(route.when) for route in self._routes]
        self._exact: dict[str, list[int]] = {}
        self._globs = [(at, matches(route.model)) for at, route in enumerate(self._routes) if is_glob(route.model)]
        for at, route in enumerate(self._routes):
            self._exact.setdefault(route.model, []).append(at)
        self.reads_asks = any(_reads_asks(route) for route in self._routes)
        """Whether what a request asks of a model decides where it may go: else nobody finds out."""
        self._known: dict[str, tuple[_Found, ...]] = {}

    def resolve(
        self,
        model: str,
        usable: Callable[[], Iterable[str]] = tuple,
        facts: Callable[[], CallFacts] | None = None,
    ) -> Resolution:
        """The candidates for a model name; `usable` lists, for a miss, the names that the caller may use.

        `facts` tells what routes' conditions ask of the call, where there are some; without it none of them holds.

        Raises:
            Refused: MODEL_NOT_FOUND, naming the nearest of those names.
        """
        known = self._known.get(model)
        if known is None:
            known = self._all_of(model)
        if known:
            condition, resolution = known[0]
            if condition is None:
                return resolution
            if (found := _first(known, None if facts is None else facts())) is not None:
                return found
        raise _not_found(model, usable(), is_conditional=bool(known))

    def resolve_path(self, path: str) -> Resolution | None:
        """The candidates for a path that names no model, under the base URL; None where no route is of it."""
        for route in self._paths:
            if path == route.path or path.startswith(route.path.rstrip("/") + "/"):
                return Resolution(route.path, tuple(Candidate(target.provider, "") for target in route.targets))
        return None

    def serves(
        self,
        model: str,
        reached: Callable[[str], bool] = lambda provider: True,
        caller: CallFacts | None = None,
    ) -> bool:
        """Whether some route to a provider that is `reached` has this name; of a caller, one that may be of theirs."""
        known = self._known.get(model)
        if known is None:
            known = self._all_of(model)
        return any(
            _may_hold(condition, caller) and any(reached(each.provider) for each in resolution.candidates)
            for condition, resolution in known
        )

    def names(
        self,
        allowed: Callable[[str], bool],
        known: Callable[[str], Iterable[str]],
        reached: Callable[[str], bool] = lambda provider: True,
        caller: CallFacts | None = None,
    ) -> list[str]:
        """Model names a client may ask for: exact routes, and for globs the names their providers are known to have.

        `allowed` says whether the caller may use a name; `known` lists the model names of a provider; `reached`,
        whether the caller can ask it. Routes whose conditions are never of the caller are passed over.
        """
        found: dict[str, None] = {}
        for route, condition in zip(self._routes, self._conditions, strict=True):
            if not _may_hold(condition, caller):
                continue
            targets = [target for target in route.targets if reached(target.provider)]
            if targets and not is_glob(route.model):
                found[route.model] = None
                continue
            is_of_route = matches(route.model)
            for target in targets:
                names = (target.strip_prefix + name for name in known(target.provider))
                found.update((name, None) for name in names if is_of_route(name))
        return [name for name in found if allowed(name)]

    def _all_of(self, model: str) -> tuple[_Found, ...]:
        """The routes of a name up to the first without a condition; remembered, for they are the same for all calls."""
        places = self._exact.get(model, [])
        places = sorted({*places, *(at for at, is_of_route in self._globs if is_of_route(model))})
        found = []
        for at in places:
            condition = self._conditions[at]
            found.append(_Found(condition, self._resolution(at, model)))
            if condition is None:
                break
        if found:
            if len(self._known) >= MOST_RESOLVED:
                self._known.clear()
            self._known[model] = tuple(found)
        return tuple(found)

    def _resolution(self, at: int, model: str) -> Resolution:
        route = self._routes[at]
        targets: dict[Candidate, TargetSettings] = {}
        for target in route.targets:
            targets.setdefault(Candidate(target.provider, _sent(target, model)), target)
        return Resolution(route.model, tuple(targets), self._plans[at], targets)


def _first(known: Iterable[_Found], facts: CallFacts | None) -> Resolution | None:
    for condition, resolution in known:
        if condition is None or (facts is not None and condition.holds(facts)):
            return resolution
    return None


def _may_hold(condition: Condition | None, caller: CallFacts | None) -> bool:
    return condition is None or caller is None or condition.may_hold(caller)


def _reads_asks(route: RouteSettings) -> bool:
    if route.when is not None and (route.when.asks or route.when.lacks):
        return True
    return any(target.capabilities is not None for target in route.targets)


def _sent(target: TargetSettings, model: str) -> str:
    """The name that a target is sent."""
    return target.model or model.removeprefix(target.strip_prefix)


def _not_found(model: str, usable: Iterable[str], *, is_conditional: bool) -> Refused:
    near = _nearest(model[:NAME_CHARS], usable)
    hint = f"; nearest are {', '.join(near)}" if near else ""
    if is_conditional:
        hint = " for a call like this one: the conditions of its routes do not hold"
    return Refused(
        Refusal.MODEL_NOT_FOUND,
        f"No route serves the model {model[:NAME_CHARS]!r}{hint}. GET /v1/models lists what this key may use.",
        param="model",
        facts={"model": model[:NAME_CHARS], "nearest": list(near)},
    )


def _nearest(model: str, usable: Iterable[str]) -> list[str]:
    """At most three names like this one. Comparing is slow, so only those that begin most alike are compared."""
    alike = heapq.nlargest(COMPARED, dict.fromkeys(usable), key=lambda name: _begun_alike(model, name))
    return difflib.get_close_matches(model, alike, n=3, cutoff=0.5)


def _begun_alike(one: str, other: str) -> int:
    """How many characters two names share at their beginning."""
    length = 0
    for length, (ours, theirs) in enumerate(zip(one, other, strict=False)):  # noqa: B007  the place is what is wanted
        if ours != theirs:
            break
    return length
