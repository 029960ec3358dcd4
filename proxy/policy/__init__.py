"""Policy: a deterministic engine outside the model that allows or denies."""

from proxy.policy.grant import Decision, Point, PolicyEngine, StarterGrant
from proxy.policy.settings import PolicySettings

__all__ = ["Decision", "Point", "PolicyEngine", "PolicySettings", "StarterGrant"]
