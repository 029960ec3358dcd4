"""Routes: which provider and model serve a client's model name."""

from proxy.routing.router import Candidate, Resolution, Router, is_glob
from proxy.routing.settings import RouteSettings, TargetSettings

__all__ = ["Candidate", "Resolution", "RouteSettings", "Router", "TargetSettings", "is_glob"]
