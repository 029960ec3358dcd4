"""How well targets answer: breakers, cooldowns, headroom and pace, learned from real traffic only."""

from proxy.routing.health.breaker import State as State
from proxy.routing.health.ended import Ended as Ended
from proxy.routing.health.ended import EndKind as EndKind
from proxy.routing.health.ended import Headroom as Headroom
from proxy.routing.health.health import Health as Health
from proxy.routing.health.look import Look as Look
from proxy.routing.health.overview import TargetOverview as TargetOverview
from proxy.routing.health.overview import overview as overview
from proxy.routing.health.settings import HealthSettings as HealthSettings
from proxy.routing.health.settings import health_problems as health_problems
from proxy.routing.health.sharing import HEALTH_EVERY_S as HEALTH_EVERY_S
from proxy.routing.health.sharing import Sharing as Sharing
from proxy.routing.health.speaking import TargetNow as TargetNow
from proxy.routing.health.sqlite import SqliteHealthStore as SqliteHealthStore
from proxy.routing.health.store import HealthStore as HealthStore
from proxy.routing.health.store import HealthUnavailable as HealthUnavailable
