"""Budgets and how they stand."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from proxy.admin.shapes.common import NanoInt, Shape, UsdIn, UsdText
from proxy.admin.shapes.forecasts import BudgetForecast, amounts
from proxy.admin.shapes.metered import Enforced, LadderBody, Length, Metered, Models, Scope, Timezone, shown
from proxy.budget import BudgetState, TokenKind, Unit, WindowKind


class BudgetBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A budget in the words of flyball.yaml; what is left out goes back to its default."""

    scope: Scope
    limit_usd: Annotated[UsdIn | None, Meta(description="Exactly one of the three limits is stated.")] = None
    limit_tokens: Annotated[int | None, Meta(description="Tokens that may be used in one window.")] = None
    limit_requests: Annotated[int | None, Meta(description="Calls that may be made in one window.")] = None
    tokens: Annotated[TokenKind, Meta(description="Which tokens limit_tokens counts.")] = "total"
    window: WindowKind = WindowKind.MONTH
    length: Length = ""
    timezone: Timezone = "UTC"
    hard: Annotated[bool, Meta(description="A soft budget counts and refuses nothing, unless its ladder blocks.")] = (
        True
    )
    opening_spent_usd: UsdIn = Decimal(0)
    models: Models = ()
    ladder: LadderBody = ()
    clamp: Annotated[bool, Meta(description="Whether a call that does not fit may be given less output.")] = False
    enforcement: Enforced = "enforce"


class Budget(Metered, frozen=True, kw_only=True):
    """A budget and how it stands now, in dollars, tokens or requests.

    `warnings` are what its owner should know, such as teams' budgets that add up to more than their org's.
    """

    hard: bool
    clamp: bool
    warnings: tuple[str, ...] = ()
    limit_usd: UsdText | UnsetType = UNSET
    limit_nano: NanoInt | UnsetType = UNSET
    base_limit_usd: UsdText | UnsetType = UNSET
    base_limit_nano: NanoInt | UnsetType = UNSET
    blocks_at_usd: UsdText | UnsetType = UNSET
    blocks_at_nano: NanoInt | UnsetType = UNSET
    spent_usd: UsdText | UnsetType = UNSET
    spent_nano: NanoInt | UnsetType = UNSET
    held_usd: UsdText | UnsetType = UNSET
    held_nano: NanoInt | UnsetType = UNSET
    overrun_usd: UsdText | UnsetType = UNSET
    overrun_nano: NanoInt | UnsetType = UNSET
    remaining_usd: UsdText | UnsetType = UNSET
    remaining_nano: NanoInt | UnsetType = UNSET
    opening_spent_usd: UsdText | UnsetType = UNSET
    opening_spent_nano: NanoInt | UnsetType = UNSET
    forecast: Annotated[BudgetForecast | UnsetType, Meta(description="Of one budget; a list has none.")] = UNSET
    object: Literal["budget"] = "budget"


def show_budget(state: BudgetState, warnings: tuple[str, ...] = ()) -> Budget:
    """A budget as it is shown, with the numbers that a refusal shows."""
    budget = state.budget
    opening = amounts(Unit.USD, opening_spent=budget.opening_spent) if budget.unit is Unit.USD else {}
    return Budget(**shown(state), **opening, hard=budget.hard, clamp=budget.clamp, warnings=warnings)
