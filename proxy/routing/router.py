"""From a client's model name to the targets that could serve it."""

import difflib
import heapq
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from proxy.core.refusal import Refusal, Refused
from proxy.routing.candidate import Candidate
from proxy.routing.plan import PLAIN, Plan, plan_of
from proxy.routing.settings import RouteSettings, TargetSettings

GLOB_SIGNS = frozenset("*?[")
NAME_CHARS = 200
COMPARED = 64
MOST_RESOLVED = 1024


class Resolution(Struct, frozen=True):
    """The route that matched and its candidates, best first."""

    route: str
    candidates: tuple[Candidate, ...]
    plan: Plan = PLAIN


def is_glob(pattern: str) -> bool:
    """Whether a route's model is a pattern rather than one name."""
    return not GLOB_SIGNS.isdisjoint(pattern)


class Router:
    """The routes of one configuration; immutable, shared by all calls of its generation."""

    def __init__(self, routes: Sequence[RouteSettings]) -> None:
        self._routes = tuple(route for route in routes if route.model)
        self._paths = tuple(route for route in routes if route.path)
        self._exact = {route.model: at for at, route in reversed([*enumerate(self._routes)])}
        self._plans = {route.model: plan_of(route) for route in reversed(self._routes)}
        self._resolved: dict[str, Resolution] = {}
        self._globs = [(at, route) for at, route in enumerate(self._routes) if is_glob(route.model)]

    def resolve(self, model: str, usable: Callable[[], Iterable[str]] = tuple) -> Resolution:
        """The candidates for a model name; `usable` lists, for a miss, the names that the caller may use.

        Raises:
            Refused: MODEL_NOT_FOUND, naming the nearest of those names.
        """
        known = self._resolved.get(model)
        if known is not None:
            return known
        route = self._match(model)
        if route is None:
            raise _not_found(model, usable())
        if len(self._resolved) >= MOST_RESOLVED:
            self._resolved.clear()
        found = self._resolved[model] = Resolution(
            route=route.model,
            candidates=tuple(Candidate(target.provider, _sent(target, model)) for target in route.targets),
            plan=self._plans[route.model],
        )
        return found

    def resolve_path(self, path: str) -> Resolution | None:
        """The candidates for a path that names no model, under the base URL; None where no route is of it."""
        for route in self._paths:
            if path == route.path or path.startswith(route.path.rstrip("/") + "/"):
                return Resolution(route.path, tuple(Candidate(target.provider, "") for target in route.targets))
        return None

    def names(
        self,
        allowed: Callable[[str], bool],
        known: Callable[[str], Iterable[str]],
        reached: Callable[[str], bool] = lambda provider: True,
    ) -> list[str]:
        """Model names a client may ask for: exact routes, and for globs the names their providers are known to have.

        `allowed` says whether the caller may use a name; `known` lists the model names of a provider; `reached`,
        whether the caller can ask it.
        """
        found: dict[str, None] = {}
        for route in self._routes:
            targets = [target for target in route.targets if reached(target.provider)]
            if targets and not is_glob(route.model):
                found[route.model] = None
                continue
            for target in targets:
                names = (target.strip_prefix + name for name in known(target.provider))
                found.update((name, None) for name in names if fnmatchcase(name, route.model))
        return [name for name in found if allowed(name)]

    def _match(self, model: str) -> RouteSettings | None:
        exact = self._exact.get(model)
        for at, route in self._globs:
            if exact is not None and at > exact:
                break
            if fnmatchcase(model, route.model):
                return route
        return None if exact is None else self._routes[exact]


def _sent(target: TargetSettings, model: str) -> str:
    """The name that a target is sent."""
    return target.model or model.removeprefix(target.strip_prefix)


def _not_found(model: str, usable: Iterable[str]) -> Refused:
    near = _nearest(model[:NAME_CHARS], usable)
    hint = f"; nearest are {', '.join(near)}" if near else ""
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
