"""Spend of two times beside each other: what is asked, and the difference in terms that add up to it."""

from typing import Annotated, Literal

from msgspec import Meta

from proxy.admin.shapes.common import NanoInt, Second, Shape, UsdText
from proxy.admin.shapes.spend import Dimension, SpendFilters


class CompareBody(SpendFilters, frozen=True, kw_only=True):
    """Which two times; the end of each is not in it."""

    start_time: Second
    end_time: Second
    vs_start_time: Second
    vs_end_time: Second
    by: Annotated[Dimension | None, Meta(description="One more dimension whose movers are told.")] = None
    movers: Annotated[int, Meta(ge=1, le=50, description="How many movers of each kind are told.")] = 5


class SpendTerm(Shape, frozen=True, kw_only=True):
    """What one reason made spend change by; all of them add up to the difference exactly."""

    name: Literal["volume", "tokens_per_call", "model_mix", "price", "cache", "retries"]
    delta_usd: UsdText
    delta_nano: NanoInt


class SpendMover(Shape, frozen=True, kw_only=True):
    """One group whose spend changed, and its first call in the later time."""

    group: dict[str, str]
    delta_usd: UsdText
    delta_nano: NanoInt
    cost_usd: UsdText
    vs_cost_usd: UsdText
    calls: int
    vs_calls: int
    first_call_at: str | None
    first_operation: str | None


class SpendMovers(Shape, frozen=True, kw_only=True):
    """The groups of one kind that moved the difference most."""

    by: str
    data: tuple[SpendMover, ...]


class SpendComparison(Shape, frozen=True, kw_only=True):
    """Why spend is another than it was."""

    start_time: Second
    end_time: Second
    vs_start_time: Second
    vs_end_time: Second
    cost_usd: UsdText
    cost_nano: NanoInt
    vs_cost_usd: UsdText
    vs_cost_nano: NanoInt
    delta_usd: UsdText
    delta_nano: NanoInt
    paid_calls: Annotated[int, Meta(description="Calls that a provider answered.")]
    vs_paid_calls: int
    cached_calls: Annotated[int, Meta(description="Calls that our cache answered.")]
    vs_cached_calls: int
    terms: tuple[SpendTerm, ...]
    movers: tuple[SpendMovers, ...]
    object: Literal["spend_comparison"] = "spend_comparison"
