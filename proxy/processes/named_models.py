"""Which model names may stand in a metric: those of the configuration and of the price book, never a client's own."""

from collections.abc import Iterable, Iterator, Sequence

from proxy.journey.rooms import Snapshot
from proxy.processes.metric_names import OTHER
from proxy.routing import RouteSettings, TargetNow


class NamedModels:
    """Looked up anew with each generation of the configuration."""

    def __init__(self) -> None:
        self._generation = ""
        self._names: frozenset[str] = frozenset()

    def shown(
        self, targets: Iterable[TargetNow], snapshot: Snapshot, routes: Sequence[RouteSettings]
    ) -> list[TargetNow]:
        """The same targets; a model that only clients name is `other`."""
        if self._generation != snapshot.generation:
            self._generation, self._names = snapshot.generation, frozenset(_names(snapshot, routes))
        return [each if each.model in self._names else each._replace(model=OTHER) for each in targets]


def _names(snapshot: Snapshot, routes: Sequence[RouteSettings]) -> Iterator[str]:
    yield ""
    for route in routes:
        yield route.model
        yield from (target.model for target in route.targets if target.model)
    for provider in snapshot.providers.values():
        yield from snapshot.prices.names(provider.profile.price_provider)
