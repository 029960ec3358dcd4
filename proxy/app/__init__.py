"""The composition root: the only place that sees all rooms, and plugs one into another."""

from proxy.app.admin import AdminParts
from proxy.app.configuration import Configured, environment, with_sim
from proxy.app.following_reader import FollowingReader
from proxy.app.stores import Stores
from proxy.app.worker import WorkerParts

__all__ = ["AdminParts", "Configured", "FollowingReader", "Stores", "WorkerParts", "environment", "with_sim"]
