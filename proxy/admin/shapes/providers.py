"""How well targets answer."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from proxy.admin.shapes.common import Shape
from proxy.routing import TargetOverview


class TargetHealth(Shape, frozen=True, kw_only=True):
    """One target: a provider under one model name."""

    provider: str
    model: Annotated[str | None, Meta(description="null: the connections to the provider, whatever the model.")]
    state: Annotated[
        str, Meta(description="The severest that any worker has: `closed`, `returning`, `half_open` or `open`.")
    ]
    workers: Annotated[Mapping[str, int], Meta(description="How many workers have which state.")]
    calls: Annotated[int, Meta(description="Calls that were counted within `health.window_s`.")]
    failed: int
    slow: int
    under_way: int
    cooldown_s: Annotated[float, Meta(description="For how long it asked to be left alone yet, in seconds.")]
    headroom: Annotated[float, Meta(description="What is left of its tightest rate limit, from 0 to 1.")]
    ttft_ms: Annotated[float | None, Meta(description="A mean that fades with time; null: not known.")]
    tokens_per_s: Annotated[float | None, Meta(description="The same of tokens a second after the first.")]


def show_target(found: TargetOverview) -> TargetHealth:
    """A target as it is listed."""
    return TargetHealth(
        provider=found.provider,
        model=found.model,
        state=found.state,
        workers=dict(found.workers),
        calls=found.calls,
        failed=found.faults,
        slow=found.slow,
        under_way=found.busy,
        cooldown_s=round(found.cools_s, 1),
        headroom=round(found.headroom, 3),
        ttft_ms=None if found.ttft_ms is None else round(found.ttft_ms, 1),
        tokens_per_s=None if found.tokens_per_s is None else round(found.tokens_per_s, 1),
    )
