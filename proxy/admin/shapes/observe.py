"""What would have been refused where enforcement is `observe`."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from proxy.admin.shapes.common import Moment, Name, NanoInt, Shape, UsdText
from proxy.core.money import to_usd_text
from proxy.telemetry import WouldRefuse as FoundWouldRefuse


class ObserveQuery(Shape, frozen=True, kw_only=True):
    """Of whom, and from when to when; the last seven days if nothing is said."""

    org: Name | None = None
    team: Name | None = None
    start_time: Moment | None = None
    end_time: Moment | None = None
    limit: Annotated[int, Meta(ge=1, le=500, description="How many lines the report has at most.")] = 100


class Observing(Shape, frozen=True, kw_only=True):
    """What is observed now, of what the token reaches: everything, or some orgs, budgets and rate limits."""

    everyone: bool
    orgs: tuple[str, ...]
    budgets: tuple[str, ...]
    limits: tuple[str, ...]


class WouldRefuse(Shape, frozen=True, kw_only=True):
    """Calls of one key and agent that one thing would have refused, and what they cost."""

    org: str
    team: str
    key: str
    agent: str
    would_code: Annotated[str, Meta(description="The code they would have been refused with.")]
    would_by: Annotated[str, Meta(description="Scope and name of what would have refused them.")]
    calls: int
    cost_usd: UsdText
    cost_nano: NanoInt
    first_at: datetime
    last_at: datetime


class ObserveReport(Shape, frozen=True, kw_only=True):
    """Who would have been refused, how often and by what; most calls first."""

    start_time: datetime
    end_time: datetime
    observing: Observing
    calls: Annotated[int, Meta(description="All calls of that time.")]
    would_refuse: Annotated[int, Meta(description="Those of them that would have been refused.")]
    cost_usd: Annotated[str, Meta(description="What those cost, in US dollars.")]
    cost_nano: NanoInt
    data: tuple[WouldRefuse, ...]
    has_more: bool
    object: Literal["observe_report"] = "observe_report"


def show_would_refuse(found: FoundWouldRefuse) -> WouldRefuse:
    """A line of the report."""
    return WouldRefuse(
        org=found.org,
        team=found.team,
        key=found.key,
        agent=found.agent,
        would_code=found.code,
        would_by=found.by,
        calls=found.calls,
        cost_usd=to_usd_text(found.cost),
        cost_nano=found.cost,
        first_at=found.first,
        last_at=found.last,
    )
