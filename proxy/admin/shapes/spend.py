"""Spend by time and dimension, in the words of OpenAI's Costs API where it has them."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta

from proxy.admin.shapes.common import NanoInt, Page, Shape, UsdText

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
)
MOST_ROWS: Final = 10_000
GROUP_PATTERN: Final = rf"^({'|'.join(DIMENSIONS)}|tag:[^\x00-\x20]{{1,64}})$"
Dimension: TypeAlias = Annotated[
    str, Meta(pattern=GROUP_PATTERN, description=f"One of {', '.join(DIMENSIONS)}, or tag:<name>.")
]
Values: TypeAlias = Annotated[
    tuple[Annotated[str, Meta(max_length=256)], ...],
    Meta(max_length=100, description="Only these; the parameter is repeated."),
]
Second: TypeAlias = Annotated[int, Meta(ge=0, le=253402300799, description="Unix seconds.")]
Width: TypeAlias = Annotated[
    Literal["1h", "1d", "all"], Meta(description="How long one bucket is by the calendar of `timezone`.")
]


class SpendQueryBody(Shape, frozen=True, kw_only=True):
    """Which spend: from `start_time` up to, not including, `end_time`."""

    start_time: Second
    end_time: Annotated[Second | None, Meta(description="Unix seconds; now when left out.")] = None
    bucket_width: Width = "1d"
    timezone: Annotated[str, Meta(max_length=64, description="IANA name; where days and hours begin.")] = "UTC"
    group_by: Annotated[tuple[Dimension, ...], Meta(max_length=6, description="Also written group_by[].")] = ()
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
    tag: Annotated[Values, Meta(description="Tags as name=value.")] = ()
    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS, description="How many rows a page has at most.")] = 1000
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
