"""Budgets and how they stand."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from proxy.admin.shapes.common import Limit, ManagedBy, NanoInt, Shape, TenantPageQuery, UsdIn, UsdText, maybe_moment
from proxy.admin.shapes.forecasts import BudgetForecast
from proxy.budget import WORDS, BudgetState, TokenKind, Unit, WindowKind, token_kind
from proxy.core.money import to_usd_text

_SCOPE = (
    "org:acme, team:acme/support, key:acme/support/bot, agent:acme/a, user:acme/u1, run:acme/r or tag:acme/k=v; a `*` "
    "as the last name gives every one of them such a budget of its own."
)


class BudgetBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A budget in the words of flyball.yaml; what is left out goes back to its default."""

    scope: Annotated[str, Meta(max_length=400, description=_SCOPE)]
    limit_usd: Annotated[UsdIn | None, Meta(description="Exactly one of the three limits is stated.")] = None
    limit_tokens: Annotated[int | None, Meta(description="Tokens that may be used in one window.")] = None
    limit_requests: Annotated[int | None, Meta(description="Calls that may be made in one window.")] = None
    tokens: Annotated[TokenKind, Meta(description="Which tokens limit_tokens counts.")] = "total"
    window: WindowKind = WindowKind.MONTH
    length: Annotated[str, Meta(max_length=16, description="Of a rolling window, such as 90m, 24h or 30d.")] = ""
    timezone: Annotated[str, Meta(max_length=64, description="The IANA timezone whose calendar cuts it.")] = "UTC"
    hard: Annotated[bool, Meta(description="A soft budget counts and refuses nothing.")] = True
    opening_spent_usd: UsdIn = Decimal(0)
    models: Annotated[tuple[str, ...], Meta(description="Patterns of the models it counts; empty counts all.")] = ()


class BudgetQuery(TenantPageQuery, frozen=True, kw_only=True):
    """Which page of the budgets, narrowed to those in an org or a team."""


class BudgetOfQuery(Shape, frozen=True, kw_only=True):
    """Which of the scopes that a budget for `*` stands for."""

    scope: (
        Annotated[str, Meta(max_length=400, description="Such as user:acme/u1; the fullest if not given.")] | None
    ) = None


class EachQuery(Shape, frozen=True, kw_only=True):
    """How many counters."""

    limit: Limit = 100


class Budget(Shape, frozen=True, kw_only=True):
    """A budget and how it stands now; `remaining` is never negative, a `resets_at` of null never resets.

    It has the amounts of what it counts, and no others: dollars, tokens or requests. One whose scope ends with `*` is
    a budget for each of many: the amounts are of `counted_scope`, the fullest unless another was asked for.
    """

    id: str
    name: str
    scope: str
    window: WindowKind
    length: str
    timezone: str
    models: tuple[str, ...]
    hard: bool
    managed_by: ManagedBy
    current_window: Annotated[
        str, Meta(description="The window the numbers are of, such as 2026-11 or total; a rolling one's newest part.")
    ]
    exceeded: Annotated[bool, Meta(description="Whether more was spent or is held than the limit.")]
    resets_at: datetime | None
    counted_scope: Annotated[str | UnsetType, Meta(description="Whose amounts these are, of a budget for `*`.")] = UNSET
    counted_scopes: Annotated[int | UnsetType, Meta(description="How many have counted in this window.")] = UNSET
    tokens: Annotated[TokenKind | UnsetType, Meta(description="Which tokens it counts.")] = UNSET
    limit_usd: UsdText | UnsetType = UNSET
    limit_nano: NanoInt | UnsetType = UNSET
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
    limit_tokens: int | UnsetType = UNSET
    spent_tokens: int | UnsetType = UNSET
    held_tokens: int | UnsetType = UNSET
    overrun_tokens: int | UnsetType = UNSET
    remaining_tokens: int | UnsetType = UNSET
    limit_requests: int | UnsetType = UNSET
    spent_requests: int | UnsetType = UNSET
    held_requests: int | UnsetType = UNSET
    overrun_requests: int | UnsetType = UNSET
    remaining_requests: int | UnsetType = UNSET
    forecast: Annotated[BudgetForecast | UnsetType, Meta(description="Of one budget; a list has none.")] = UNSET
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
        models=budget.models,
        hard=budget.hard,
        managed_by=budget.managed_by,
        current_window=state.window,
        exceeded=state.spent + state.held > state.limit,
        resets_at=maybe_moment(state.resets_at_ns),
        tokens=token_kind(budget.unit) or UNSET,
        counted_scope=state.scope if budget.is_pattern else UNSET,
        counted_scopes=state.scopes if budget.is_pattern else UNSET,
        **_amounts(state),
    )


def _amounts(state: BudgetState) -> dict[str, Any]:
    unit, names = state.budget.unit, ("limit", "spent", "held", "overrun", "remaining")
    amounts = {name: getattr(state, name) for name in names}
    if unit is not Unit.USD:
        return {f"{name}_{WORDS[unit]}": amount for name, amount in amounts.items()}
    amounts["opening_spent"] = state.budget.opening_spent
    told = {f"{name}_usd": to_usd_text(amount) for name, amount in amounts.items()}
    return told | {f"{name}_nano": amount for name, amount in amounts.items()}
