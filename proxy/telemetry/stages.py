"""A call's stages as a row keeps them, in whole microseconds, and as they are shown, in milliseconds.

They are rounded up, so that a stage that was passed is never 0. `upstream`, by far the longest, is kept as what the
call took beside it: that is short, and takes half the room on disk.
"""

from collections.abc import Mapping
from typing import Final

STAGES: Final = (
    *("identity", "read", "findings", "policy", "estimate", "hold", "throttle", "approval", "dispatch"),
    *("upstream", "relay", "settle"),
)
"""All there are, in the order in which a call passes them first."""
UPSTREAM: Final = "upstream"
BESIDE: Final = "beside_upstream"


def kept_stages(spent_ns: Mapping[str, int], total_us: int) -> dict[str, int]:
    """What the column `stages_us` keeps of a call that took so long altogether."""
    stages = {stage: spent // 1000 + 1 for stage, spent in spent_ns.items()}
    if (upstream := stages.pop(UPSTREAM, None)) is not None:
        stages[BESIDE] = max(total_us - upstream, 1)
    return stages


def shown_stages(kept_us: Mapping[str, int], duration_ms: float) -> dict[str, float]:
    """Milliseconds by stage, of the stages that were passed."""
    told = dict(kept_us)
    if beside := told.get(BESIDE):
        told[UPSTREAM] = max(round(duration_ms * 1000) - beside, 0)
    return {stage: told[stage] / 1000 for stage in STAGES if told.get(stage)}
