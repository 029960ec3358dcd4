"""Statements of closed months, and the negotiated adjustments that stand on them."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from proxy.admin.shapes.common import CostCenter, Limit, Name, NanoInt, Page, Shape, UsdIn, UsdText

Month: TypeAlias = Annotated[str, Meta(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="A month such as 2026-10.")]
AdjustmentKind: TypeAlias = Literal["credit", "discount", "commitment", "other"]


class CloseBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a month is to be closed."""

    timezone: Annotated[
        Annotated[str, Meta(max_length=64)] | None,
        Meta(description="IANA name of the zone whose months are closed; fixed by an org's first one."),
    ] = None
    allow_unpriced: Annotated[bool, Meta(description="Close although calls have no price; statements say so.")] = False
    dry_run: Annotated[bool, Meta(description="Only show the statements as they would be.")] = False


class StatementQuery(Shape, frozen=True, kw_only=True):
    """Which statements are asked for."""

    org: Name | None = None
    team: Name | None = None
    period: Month | None = None
    limit: Limit = 100
    page: Page | None = None


class StatementFileQuery(Shape, frozen=True, kw_only=True):
    """In which form."""

    format: Literal["json", "csv"] | None = None


class UsageLine(Shape, frozen=True, kw_only=True):
    """What one key used of one model in the period."""

    cost_center: str
    key: str
    provider: str
    model: str
    calls: int
    unpriced_calls: int
    tokens: Annotated[dict[str, int], Meta(description="By disjoint bucket; those without any are left out.")]
    list_usd: UsdText
    list_nano: NanoInt
    cost_usd: UsdText
    cost_nano: NanoInt
    recorded_nano: Annotated[int, Meta(description="What of it the calls cost when made; the rest came by reprices.")]


class CorrectionLine(Shape, frozen=True, kw_only=True):
    """What became known of a closed period after it was closed."""

    of_period: str
    why: Literal["late", "reprice"]
    cost_center: str
    key: str
    provider: str
    model: str
    calls: int
    amount_usd: UsdText
    amount_nano: NanoInt


class NegotiatedLine(Shape, frozen=True, kw_only=True):
    """A line that people agreed on."""

    id: str
    kind: str
    cost_center: str
    note: str
    amount_usd: UsdText
    amount_nano: NanoInt


class StatementSums(Shape, frozen=True, kw_only=True):
    """A statement without its lines. Team "" has what is the org's as a whole."""

    version: int
    number: Annotated[int, Meta(description="Counts the statements of an org from 1, without a gap.")]
    org: str
    team: str
    period: str
    timezone: str
    starts_at: str
    ends_at: str
    closed_at: str
    closed_by: str
    usage_usd: UsdText
    usage_nano: NanoInt
    adjustments_usd: UsdText
    adjustments_nano: NanoInt
    negotiated_usd: UsdText
    negotiated_nano: NanoInt
    total_usd: UsdText
    total_nano: NanoInt
    unpriced_calls: int
    allow_unpriced: bool
    price_versions: tuple[str, ...]
    previous_hash: Annotated[str, Meta(description="The hash of the team's statement before; empty for the first.")]
    hash: Annotated[
        str,
        Meta(
            description="SHA-256 of the whole statement as JSON without `hash` and `object`: keys sorted, no spaces, "
            "UTF-8."
        ),
    ]
    object: Literal["statement"] = "statement"


class StatementOut(StatementSums, frozen=True, kw_only=True):
    """What one team is charged for a month. It never changes."""

    usage: tuple[UsageLine, ...]
    adjustments: tuple[CorrectionLine, ...]
    negotiated: tuple[NegotiatedLine, ...]


class PeriodClosed(Shape, frozen=True, kw_only=True):
    """A month with its statements, closed; or as they would be, after a dry run."""

    org: str
    period: str
    timezone: str
    total_usd: UsdText
    total_nano: NanoInt
    statements: tuple[StatementSums, ...]
    dry_run: bool
    object: Literal["period"] = "period"


class AdjustmentBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A negotiated line to be added to the statements of a month that is open."""

    org: Name
    team: Annotated[Name | None, Meta(description="Whose statement it stands on; null for the org as a whole.")] = None
    cost_center: CostCenter = ""
    period: Month
    kind: AdjustmentKind
    amount_usd: Annotated[UsdIn, Meta(description="Signed: below 0 is for the team's good.")]
    note: Annotated[str, Meta(max_length=500, description="Stands on the statement.")] = ""


class AdjustmentQuery(Shape, frozen=True, kw_only=True):
    """Which lines are asked for."""

    org: Name | None = None
    team: Name | None = None
    period: Month | None = None
    limit: Limit = 100
    page: Page | None = None


class AdjustmentOut(Shape, frozen=True, kw_only=True):
    """A negotiated line."""

    id: str
    org: str
    team: str
    cost_center: str
    period: str
    kind: str
    amount_usd: UsdText
    amount_nano: NanoInt
    note: str
    by: str
    at: datetime
    object: Literal["adjustment"] = "adjustment"
