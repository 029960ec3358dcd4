"""How well targets answer: breakers, cooldowns, headroom and pace, learned from real traffic only."""

from proxy.routing.health.ended import Ended as Ended
from proxy.routing.health.ended import EndKind as EndKind
from proxy.routing.health.ended import Headroom as Headroom
from proxy.routing.health.health import Health as Health
from proxy.routing.health.look import Look as Look
from proxy.routing.health.settings import HealthSettings as HealthSettings
from proxy.routing.health.settings import health_problems as health_problems
