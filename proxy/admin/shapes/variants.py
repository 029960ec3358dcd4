"""Targets of routes beside each other."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from proxy.admin.shapes.common import Moment, Name, NanoInt, Shape, UsdText, Word
from proxy.core.money import to_usd_text
from proxy.telemetry import VariantTotals

Milliseconds: TypeAlias = Annotated[float | None, Meta(description="Of what was answered, in milliseconds.")]


class VariantsQuery(Shape, frozen=True, kw_only=True):
    """Of which route and whom, and from when to when; the last day if nothing is said."""

    route: Word | None = None
    org: Name | None = None
    team: Name | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None


class Variant(Shape, frozen=True, kw_only=True):
    """What the requests to one target with a name came to; one that failed and was made up for elsewhere is among
    them. `copy` tells of copies of calls that others answered."""

    route: str
    variant: str
    copy: bool
    calls: int
    failed: int
    p50_ms: Milliseconds
    p95_ms: Milliseconds
    ttft_ms: Milliseconds
    cost_usd: Annotated[UsdText, Meta(description="What the answered ones cost whose price is known.")]
    cost_nano: NanoInt
    priced_calls: int
    output_tokens: int
    cut_calls: Annotated[int, Meta(description="Those that ended at their output limit.")]
    similarity: Annotated[float | None, Meta(description="How alike copies' answers were on average, 0 to 1.")]
    copied_cost_usd: Annotated[UsdText | None, Meta(description="What the calls cost that were copied.")]
    rolled_back: Annotated[str, Meta(description="The kill switch that keeps calls from it; empty for none.")]
    reason: Annotated[str, Meta(description="Why it was rolled back.")]


class Variants(Shape, frozen=True, kw_only=True):
    """Targets with names, by route; those that serve before those that get copies."""

    start_time: datetime
    end_time: datetime
    data: tuple[Variant, ...]
    object: Literal["variants"] = "variants"


def show_variant(found: VariantTotals, switch: str, reason: str) -> Variant:
    """One target; `switch` is the id of what keeps calls from it."""
    return Variant(
        route=found.route,
        variant=found.variant,
        copy=found.is_copy,
        calls=found.calls,
        failed=found.failed,
        p50_ms=found.p50_ms,
        p95_ms=found.p95_ms,
        ttft_ms=found.ttft_ms,
        cost_usd=to_usd_text(found.cost),
        cost_nano=found.cost,
        priced_calls=found.priced,
        output_tokens=found.output_tokens,
        cut_calls=found.cut,
        similarity=found.similarity,
        copied_cost_usd=None if found.beside_cost is None else to_usd_text(found.beside_cost),
        rolled_back=switch,
        reason=reason,
    )
