"""Runs: which agent run, step, user and tags a call belongs to, and what one run may use."""

from proxy.runs.claims import CLAIM_HEADERS, Claims, read_claims
from proxy.runs.derive import DERIVED as DERIVED
from proxy.runs.derive import derived_run as derived_run
from proxy.runs.limits import NO_BOUNDS as NO_BOUNDS
from proxy.runs.limits import BadRunLimit as BadRunLimit
from proxy.runs.limits import RunBound as RunBound
from proxy.runs.limits import RunBounds as RunBounds
from proxy.runs.limits import RunLimits
from proxy.runs.limits import read_limit as read_limit
from proxy.runs.names import BadAlias as BadAlias
from proxy.runs.names import RunNames
from proxy.runs.names import read_alias as read_alias
from proxy.runs.settings import RunLimitEntry as RunLimitEntry
from proxy.runs.settings import RunSettings

__all__ = ["CLAIM_HEADERS", "Claims", "RunLimits", "RunNames", "RunSettings", "read_claims"]
