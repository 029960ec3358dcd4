"""A route made ready for its calls: what the file says of it, looked up once."""

from msgspec import Struct

from proxy.routing.settings import RouteSettings


class Plan(Struct, frozen=True):
    """How a route chooses among its targets and what it does with them; shared by all its calls."""

    strategy: str = "priority"


PLAIN = Plan()
"""That of a path, or of what a provider keeps: the first candidate that can be asked."""


def plan_of(route: RouteSettings) -> Plan:
    """The plan of a route."""
    return Plan(strategy=route.strategy)
