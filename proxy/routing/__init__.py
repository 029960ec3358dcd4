"""Routes: which provider and model serve a client's model name."""

from typing import TYPE_CHECKING

from proxy.routing.agents import AgentBook as AgentBook
from proxy.routing.agents import agent_problems as agent_problems
from proxy.routing.agents import models_of as models_of
from proxy.routing.allowance import Allowances as Allowances
from proxy.routing.attempt_settings import FallbackSettings as FallbackSettings
from proxy.routing.attempt_settings import Trigger as Trigger
from proxy.routing.attempt_settings import attempt_problems as attempt_problems
from proxy.routing.candidate import Candidate
from proxy.routing.course import AttemptSettings as AttemptSettings
from proxy.routing.course import Course as Course
from proxy.routing.course import Fault as Fault
from proxy.routing.course import Step as Step
from proxy.routing.globs import is_glob
from proxy.routing.health import HEALTH_EVERY_S as HEALTH_EVERY_S
from proxy.routing.health import Ended as Ended
from proxy.routing.health import EndKind as EndKind
from proxy.routing.health import Headroom as Headroom
from proxy.routing.health import Health as Health
from proxy.routing.health import HealthSettings as HealthSettings
from proxy.routing.health import HealthStore as HealthStore
from proxy.routing.health import HealthUnavailable as HealthUnavailable
from proxy.routing.health import Look as Look
from proxy.routing.health import Sharing as Sharing
from proxy.routing.health import SqliteHealthStore as SqliteHealthStore
from proxy.routing.health import TargetNow as TargetNow
from proxy.routing.health import TargetOverview as TargetOverview
from proxy.routing.health import health_problems as health_problems
from proxy.routing.health import overview as overview
from proxy.routing.option import Option as Option
from proxy.routing.option import Turn as Turn
from proxy.routing.pins import Pin as Pin
from proxy.routing.pins import Pins as Pins
from proxy.routing.plan import Plan as Plan
from proxy.routing.ranking import LeftOut as LeftOut
from proxy.routing.ranking import Ranked as Ranked
from proxy.routing.ranking import Ranking as Ranking
from proxy.routing.ranking import as_listed as as_listed
from proxy.routing.roll_back import Tried as Tried
from proxy.routing.roll_back import why_roll_back as why_roll_back
from proxy.routing.rollout import RollBackSettings as RollBackSettings
from proxy.routing.rollout import ShadowSettings as ShadowSettings
from proxy.routing.rollout import rollout_problems as rollout_problems
from proxy.routing.router import Resolution, Router
from proxy.routing.settings import AgentSettings as AgentSettings
from proxy.routing.settings import Capability as Capability
from proxy.routing.settings import RouteSettings, TargetSettings
from proxy.routing.settings import WhenSettings as WhenSettings
from proxy.routing.strategies import ranked as ranked
from proxy.routing.versions import Version as Version
from proxy.routing.versions import Versions as Versions
from proxy.routing.when import CallFacts as CallFacts
from proxy.routing.when import when_problems as when_problems

if TYPE_CHECKING:
    from proxy.routing.health.redis import RedisHealthStore as RedisHealthStore
else:

    def __getattr__(name: str) -> object:
        """`RedisHealthStore`, when first asked for: `redis` is an optional dependency."""
        if name != "RedisHealthStore":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from proxy.routing.health.redis import RedisHealthStore  # noqa: PLC0415 - see above

        return RedisHealthStore


__all__ = ["Candidate", "Resolution", "RouteSettings", "Router", "TargetSettings", "is_glob"]
