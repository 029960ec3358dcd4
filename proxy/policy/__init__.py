"""Policy: a deterministic engine outside the model that allows, denies and obliges (DESIGN §7)."""

from proxy.policy.bundle import Bundle as Bundle
from proxy.policy.bundle import read_bundle as read_bundle
from proxy.policy.decision import Decision, Denial
from proxy.policy.engine import PolicyEngine
from proxy.policy.errors import BadPolicy as BadPolicy
from proxy.policy.errors import PolicyUnavailable
from proxy.policy.obligations import Duties
from proxy.policy.obligations import obligations_of as obligations_of
from proxy.policy.opening import open_policy
from proxy.policy.opening import take_policy as take_policy
from proxy.policy.point import Point
from proxy.policy.reading import EVERYTHING as EVERYTHING
from proxy.policy.reading import Reads as Reads
from proxy.policy.reading import both as both
from proxy.policy.rego import EmbeddedRego as EmbeddedRego
from proxy.policy.settings import PolicySettings
from proxy.policy.trying import run_tests as run_tests
from proxy.policy.watching import fingerprint as fingerprint

# The names a call or a configuration needs; the others are what these take, give and raise.
__all__ = [
    "Decision",
    "Denial",
    "Duties",
    "Point",
    "PolicyEngine",
    "PolicySettings",
    "PolicyUnavailable",
    "open_policy",
]
