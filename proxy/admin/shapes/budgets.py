"""Budgets and how they stand."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from proxy.admin.shapes.common import ManagedBy, NanoInt, Shape, TenantPageQuery, UsdIn, UsdText, maybe_moment
from proxy.budget import BudgetState, WindowKind
from proxy.core.money import Nano, to_usd_text


class BudgetBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A budget in the words of flyball.yaml; what is left out goes back to its default."""

    scope: Annotated[str, Meta(max_length=256, description="org:acme, team:acme/support or key:acme/support/bot.")]
    limit_usd: UsdIn
    window: WindowKind = WindowKind.MONTH
    length: Annotated[str, Meta(max_length=16, description="Of a rolling window, such as 90m, 24h or 30d.")] = ""
    timezone: Annotated[str, Meta(max_length=64, description="The IANA timezone whose calendar cuts it.")] = "UTC"
    hard: Annotated[bool, Meta(description="A soft budget counts and refuses nothing.")] = True
    opening_spent_usd: UsdIn = Decimal(0)


class BudgetQuery(TenantPageQuery, frozen=True, kw_only=True):
    """Which page of the budgets, narrowed to those in an org or a team."""


class Budget(Shape, frozen=True, kw_only=True):
    """A budget and how it stands now; `remaining` is never negative, a `resets_at` of null never resets."""

    id: str
    name: str
    scope: str
    window: WindowKind
    length: str
    timezone: str
    hard: bool
    managed_by: ManagedBy
    current_window: Annotated[
        str, Meta(description="The window the numbers are of, such as 2026-11 or total; a rolling one's newest part.")
    ]
    limit_usd: UsdText
    limit_nano: NanoInt
    spent_usd: UsdText
    spent_nano: NanoInt
    held_usd: UsdText
    held_nano: NanoInt
    overrun_usd: UsdText
    overrun_nano: NanoInt
    remaining_usd: UsdText
    remaining_nano: NanoInt
    opening_spent_usd: UsdText
    opening_spent_nano: NanoInt
    resets_at: datetime | None
    object: Literal["budget"] = "budget"


def show_budget(state: BudgetState) -> Budget:
    """A budget as it is shown, with the numbers that a refusal shows."""
    budget = state.budget
    return Budget(
        id=budget.id,
        name=budget.name,
        scope=budget.scope,
        window=budget.window,
        length=budget.length,
        timezone=budget.timezone,
        hard=budget.hard,
        managed_by=budget.managed_by,
        current_window=state.window,
        limit_usd=to_usd_text(state.limit),
        limit_nano=state.limit,
        spent_usd=to_usd_text(state.spent),
        spent_nano=state.spent,
        held_usd=to_usd_text(state.held),
        held_nano=state.held,
        overrun_usd=to_usd_text(state.overrun),
        overrun_nano=state.overrun,
        remaining_usd=to_usd_text(state.remaining),
        remaining_nano=state.remaining,
        opening_spent_usd=to_usd_text(Nano(budget.opening_spent)),
        opening_spent_nano=budget.opening_spent,
        resets_at=maybe_moment(state.resets_at_ns),
    )
