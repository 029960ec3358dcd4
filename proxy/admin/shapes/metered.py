"""What budgets and rate limits have in common: how they stand, their ladders, their raises."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.admin.shapes.common import (
    Limit,
    ManagedBy,
    Moment,
    NanoInt,
    Shape,
    TenantPageQuery,
    UsdIn,
    UsdText,
    maybe_moment,
    moment,
)
from proxy.admin.shapes.forecasts import amounts
from proxy.budget import Budget as StoredBudget
from proxy.budget import (
    BudgetState,
    Enforcement,
    Raise,
    Rung,
    RungEntry,
    TokenKind,
    WindowKind,
    fraction_text,
    refuses_above,
    token_kind,
)

Action: TypeAlias = Literal["alert", "downgrade", "cache_only", "throttle", "block"]
_SCOPE: Final = (
    "org:acme, overhead:acme (what Flyball itself asks of providers), team:acme/support, key:acme/support/bot, "
    "agent:acme/a, user:acme/u1, run:acme/r or tag:acme/k=v; "
    "a `*` as the last name gives every one of them one of its own."
)
Scope: TypeAlias = Annotated[str, Meta(max_length=400, description=_SCOPE)]
Length: TypeAlias = Annotated[str, Meta(max_length=16, description="Of a rolling window, such as 90m, 24h or 30d.")]
Timezone: TypeAlias = Annotated[str, Meta(max_length=64, description="The IANA timezone whose calendar cuts it.")]
Models: TypeAlias = Annotated[tuple[str, ...], Meta(description="Patterns of the models it counts; empty counts all.")]
Enforced: TypeAlias = Annotated[Enforcement, Meta(description="`observe` counts and refuses nothing.")]


class RungBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a ladder, in the words of flyball.yaml."""

    at: Annotated[Decimal, Meta(description="The fraction of the limit above which it happens, such as 0.8.")]
    do: Action
    to: Annotated[dict[str, str], Meta(description="For a downgrade: patterns of models asked for → models.")] = (
        msgspec.field(default_factory=dict)
    )
    delay_ms: Annotated[int | None, Meta(description="For a throttle: 1 to 10000.")] = None


LadderBody: TypeAlias = Annotated[tuple[RungBody, ...], Meta(description="What happens at which fraction, ascending.")]


class RungShown(Shape, frozen=True, kw_only=True):
    """One step of a ladder."""

    at: str
    do: Action
    to: Mapping[str, str] | UnsetType = UNSET
    delay_ms: int | UnsetType = UNSET


class RaiseBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By how much a limit is raised, in what it counts; until when, and why."""

    until: Annotated[Moment, Meta(description="When the limit is again what it was.")]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    by_usd: UsdIn | None = None
    by_tokens: int | None = None
    by_requests: int | None = None
    by_concurrent: int | None = None


class RaiseShown(Shape, frozen=True, kw_only=True):
    """A raise that holds: who made it, and why."""

    id: str
    until: datetime
    reason: str
    made_by: str
    made_at: datetime
    by_usd: UsdText | UnsetType = UNSET
    by_nano: NanoInt | UnsetType = UNSET
    by_tokens: int | UnsetType = UNSET
    by_requests: int | UnsetType = UNSET
    by_concurrent: int | UnsetType = UNSET
    object: Literal["raise"] = "raise"


class MeteredQuery(TenantPageQuery, frozen=True, kw_only=True):
    """Which page of a list, narrowed to those in an org or a team."""


class ScopeQuery(Shape, frozen=True, kw_only=True):
    """Which of the scopes that one for `*` stands for."""

    scope: (
        Annotated[str, Meta(max_length=400, description="Such as user:acme/u1; the fullest if not given.")] | None
    ) = None


class EachQuery(Shape, frozen=True, kw_only=True):
    """How many counters."""

    limit: Limit = 100


class Metered(Shape, frozen=True, kw_only=True):
    """How something limited stands now; `remaining` is never negative, a `resets_at` of null never resets.

    It has the amounts of what it counts, and no others. `limit` is what holds now, `base_limit` what was stated; they
    differ while there are `raises`. Where a ladder blocks below the limit, `blocks_at` says where. One whose scope ends
    with `*` is one for each of many: the amounts are of `counted_scope`, the fullest unless another was asked for.
    """

    id: str
    name: str
    scope: str
    window: WindowKind
    length: str
    timezone: str
    models: tuple[str, ...]
    ladder: tuple[RungShown, ...]
    enforcement: Enforced
    managed_by: ManagedBy
    current_window: Annotated[
        str, Meta(description="The window the numbers are of, such as 2026-11 or total; a rolling one's newest part.")
    ]
    exceeded: Annotated[bool, Meta(description="Whether more was spent or is held than the limit.")]
    fraction: Annotated[
        str | None, Meta(description="What is spent or held of the limit, rounded down; null of a limit of nothing.")
    ]
    rungs_reached: Annotated[tuple[RungShown, ...], Meta(description="The steps of the ladder that it stands on.")]
    raises: tuple[RaiseShown, ...]
    resets_at: datetime | None
    counted_scope: Annotated[str | UnsetType, Meta(description="Whose amounts these are, of one for `*`.")] = UNSET
    counted_scopes: Annotated[int | UnsetType, Meta(description="How many have counted in this window.")] = UNSET
    tokens: Annotated[TokenKind | UnsetType, Meta(description="Which tokens it counts.")] = UNSET
    limit_tokens: int | UnsetType = UNSET
    base_limit_tokens: int | UnsetType = UNSET
    blocks_at_tokens: int | UnsetType = UNSET
    spent_tokens: int | UnsetType = UNSET
    held_tokens: int | UnsetType = UNSET
    overrun_tokens: int | UnsetType = UNSET
    remaining_tokens: int | UnsetType = UNSET
    limit_requests: int | UnsetType = UNSET
    base_limit_requests: int | UnsetType = UNSET
    blocks_at_requests: int | UnsetType = UNSET
    spent_requests: int | UnsetType = UNSET
    held_requests: int | UnsetType = UNSET
    overrun_requests: int | UnsetType = UNSET
    remaining_requests: int | UnsetType = UNSET


def rung_entries(ladder: tuple[RungBody, ...]) -> tuple[RungEntry, ...]:
    """A ladder of a body as one of the file."""
    return tuple(RungEntry(at=each.at, do=each.do, to=each.to, delay_ms=each.delay_ms) for each in ladder)


def show_raise(budget: StoredBudget, made: Raise) -> RaiseShown:
    """A raise as it is shown."""
    return RaiseShown(
        id=made.id,
        until=moment(made.until_ns),
        reason=made.reason,
        made_by=made.made_by,
        made_at=moment(made.made_ns),
        **amounts(budget.unit, by=made.amount),
    )


def shown(state: BudgetState) -> dict[str, Any]:
    """What Metered says of a state, and its amounts, by field."""
    budget = state.budget
    return {
        "id": budget.id,
        "name": budget.name,
        "scope": budget.scope,
        "window": budget.window,
        "length": budget.length,
        "timezone": budget.timezone,
        "models": budget.models,
        "ladder": tuple(map(_rung, budget.ladder)),
        "enforcement": budget.enforcement,
        "managed_by": budget.managed_by,
        "current_window": state.window,
        "exceeded": state.spent + state.held > state.limit,
        "fraction": _fraction(state.spent + state.held, state.limit),
        "rungs_reached": tuple(map(_rung, state.rungs)),
        "raises": tuple(show_raise(budget, each) for each in budget.raises),
        "resets_at": maybe_moment(state.resets_at_ns),
        "tokens": token_kind(budget.unit) or UNSET,
        "counted_scope": state.scope if budget.is_pattern else UNSET,
        "counted_scopes": state.scopes if budget.is_pattern else UNSET,
        **amounts(budget.unit, **_amounts(state)),
    }


def _amounts(state: BudgetState) -> dict[str, int]:
    blocks_at = refuses_above(state.budget.ladder, state.limit)
    return {
        "limit": state.limit,
        "base_limit": state.budget.limit,
        **({} if blocks_at == state.limit else {"blocks_at": blocks_at}),
        "spent": state.spent,
        "held": state.held,
        "overrun": state.overrun,
        "remaining": state.remaining,
    }


def _fraction(used: int, limit: int) -> str | None:
    return fraction_text(used * 10_000 // limit * 100) if limit else None


def _rung(rung: Rung) -> RungShown:
    return RungShown(
        at=fraction_text(rung.at_millionths),
        do=rung.do,
        to=dict(rung.to) if rung.to else UNSET,
        delay_ms=rung.delay_ms or UNSET,
    )
