"""Routes: which provider and model serve a client's model name."""

from proxy.routing.candidate import Candidate
from proxy.routing.plan import Plan as Plan
from proxy.routing.ranking import LeftOut as LeftOut
from proxy.routing.ranking import Ranked as Ranked
from proxy.routing.ranking import Ranking as Ranking
from proxy.routing.ranking import as_listed as as_listed
from proxy.routing.router import Resolution, Router, is_glob
from proxy.routing.settings import RouteSettings, TargetSettings

__all__ = ["Candidate", "Resolution", "RouteSettings", "Router", "TargetSettings", "is_glob"]
