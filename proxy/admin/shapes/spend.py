"""Spend by time and dimension, in the words of OpenAI's Costs API where it has them."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

from proxy.admin.shapes.common import NanoInt, Page, Second, Shape, UsdText

DIMENSIONS: Final = (
    "org",
    "team",
    "key",
    "model",
    "provider",
    "agent",
    "end_user",
    "run",
    "cost_center",
    "endpoint",
    "outcome",
    "key_id",
    "owner",
    "requested_model",
    "code",
    "service_tier",
    "route",
    "dialect",
    "client",
    "finish_reason",
    "usage_source",
    "price_version",
    "price_source",
    "purpose",
    "variant",
    "would_code",
    "refused_by",
)
MOST_ROWS: Final = 10_000
MOST_FILE_ROWS: Final = 500_000
GROUP_PATTERN: Final = rf"^({'|'.join(DIMENSIONS)}|tag:[^\x00-\x20]{{1,64}})$"
Dimension: TypeAlias = Annotated[
    str, Meta(pattern=GROUP_PATTERN, description=f"One of {', '.join(DIMENSIONS)}, or tag:<name>.")
]
Values: TypeAlias = Annotated[
    tuple[Annotated[str, Meta(max_length=256)], ...],
    Meta(max_length=100, description="Only these; the parameter is repeated."),
]
Width: TypeAlias = Annotated[
    Literal["15m", "1h", "1d", "1w", "1mo", "all"],
    Meta(description="How long one bucket is by the calendar of `timezone`; weeks begin on Monday."),
]
Format: TypeAlias = Annotated[
    Literal["json", "csv", "parquet", "focus", "focus-parquet"],
    Meta(
        description="What the answer is written as; as the Accept header says when left out. `focus` is FOCUS 1.2 as "
        "CSV, by days of `timezone`; group_by then names tags only."
    ),
]


class SpendFilters(Shape, frozen=True, kw_only=True):
    """Which calls: those that have one of the given values in each place for which any are given."""

    org: Values = ()
    team: Values = ()
    key: Annotated[Values, Meta(description="Keys by name.")] = ()
    key_id: Values = ()
    model: Values = ()
    provider: Values = ()
    agent: Values = ()
    end_user: Values = ()
    run: Values = ()
    cost_center: Values = ()
    endpoint: Values = ()
    outcome: Values = ()
    owner: Values = ()
    requested_model: Values = ()
    code: Values = ()
    service_tier: Values = ()
    route: Values = ()
    dialect: Values = ()
    client: Values = ()
    finish_reason: Values = ()
    usage_source: Values = ()
    price_version: Values = ()
    price_source: Values = ()
    purpose: Values = ()
    variant: Values = ()
    would_code: Values = ()
    refused_by: Annotated[Values, Meta(description="Budgets, limits or key settings by name.")] = ()
    tag: Annotated[Values, Meta(description="Tags as name=value.")] = ()


class SpendQueryBody(SpendFilters, frozen=True, kw_only=True):
    """Which spend: from `start_time` up to, not including, `end_time`."""

    start_time: Second
    end_time: Annotated[Second | None, Meta(description="Unix seconds; now when left out.")] = None
    bucket_width: Width = "1d"
    timezone: Annotated[str, Meta(max_length=64, description="IANA name; where days and hours begin.")] = "UTC"
    group_by: Annotated[tuple[Dimension, ...], Meta(max_length=6, description="Also written group_by[].")] = ()
    format: Format | None = None
    limit: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description=f"How many rows a page has at most: 1,000 if left out, {MOST_ROWS:,} at most. A file has no "
            f"pages: more rows than this (100,000 if left out, {MOST_FILE_ROWS:,} at most) are refused."
        ),
    ] = None
    page: Page | None = None


class SpendGroup(Shape, frozen=True, kw_only=True):
    """One row of spend: what one group cost and used in the bucket that begins at `start_time`."""

    start_time: Second
    group: dict[str, str]
    cost_usd: UsdText
    cost_nano: NanoInt
    list_usd: Annotated[UsdText, Meta(description="What it would have cost at list prices.")]
    list_nano: NanoInt
    calls: int
    unpriced_calls: Annotated[int, Meta(description="Calls whose price nobody knew; their cost is not in the sum.")]
    refused_calls: int
    tokens: Annotated[Mapping[str, int], Meta(description="By disjoint bucket; those without any are left out.")]
    object: Literal["spend"] = "spend"
