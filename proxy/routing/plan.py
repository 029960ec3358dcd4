"""A route made ready for its calls: what the file says of it, looked up once."""

from msgspec import Struct

from proxy.routing.course import AttemptSettings
from proxy.routing.rollout import ShadowSettings
from proxy.routing.settings import Affinity, RouteSettings, Strategy

_NS_PER_S = 1_000_000_000
_MILLIONTHS = 1_000_000


class Plan(Struct, frozen=True):
    """How a route chooses among its targets and what it does with them; shared by all its calls.

    Times in nanoseconds; `eases_from` in millionths.
    """

    strategy: Strategy = "priority"
    is_choosy: bool = False
    """Whether something is set of what targets take."""
    affinity: tuple[Affinity, ...] = ()
    affinity_ns: int = 0
    prompt_cache_ns: int = 0
    expected_output_tokens: int = 0
    eases_from: int = 0
    attempts: AttemptSettings = AttemptSettings()
    has_variants: bool = False
    shadows: tuple[ShadowSettings, ...] = ()


PLAIN = Plan()
"""That of a path, or of what a provider keeps: the first candidate that can be asked."""


def plan_of(route: RouteSettings) -> Plan:
    """The plan of a route."""
    return Plan(
        strategy=route.strategy,
        is_choosy=any(each.capabilities is not None or each.context_tokens is not None for each in route.targets),
        affinity=route.affinity,
        affinity_ns=route.affinity_ttl_s * _NS_PER_S,
        prompt_cache_ns=route.prompt_cache_s * _NS_PER_S,
        expected_output_tokens=route.expected_output_tokens,
        eases_from=int(route.eases_from * _MILLIONTHS),
        attempts=AttemptSettings(route.fallback, route.retry, route.hedge),
        has_variants=any(each.variant for each in route.targets),
        shadows=route.shadows,
    )
