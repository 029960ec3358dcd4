"""Rate limits and how they stand."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from proxy.admin.shapes.common import Shape
from proxy.admin.shapes.metered import Enforced, LadderBody, Length, Metered, Models, Scope, Timezone, shown
from proxy.budget import BudgetState, TokenKind


class LimitBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate limit in the words of flyball.yaml; what is left out goes back to its default."""

    scope: Scope
    limit_requests: Annotated[int | None, Meta(description="Exactly one of the three limits is stated.")] = None
    limit_tokens: Annotated[int | None, Meta(description="Tokens that may be used in one window.")] = None
    limit_concurrent: Annotated[int | None, Meta(description="Calls under way at once; it has no window.")] = None
    tokens: Annotated[TokenKind, Meta(description="Which tokens limit_tokens counts.")] = "total"
    window: Annotated[
        Literal["minute", "hour", "day", "rolling"] | None, Meta(description="A minute if not stated.")
    ] = None
    length: Length = ""
    timezone: Timezone = "UTC"
    models: Models = ()
    ladder: LadderBody = ()
    enforcement: Enforced = "enforce"


class RateLimit(Metered, frozen=True, kw_only=True):
    """A rate limit and how it stands now, in requests, tokens or calls at once."""

    limit_concurrent: int | UnsetType = UNSET
    base_limit_concurrent: int | UnsetType = UNSET
    blocks_at_concurrent: int | UnsetType = UNSET
    spent_concurrent: int | UnsetType = UNSET
    held_concurrent: int | UnsetType = UNSET
    overrun_concurrent: int | UnsetType = UNSET
    remaining_concurrent: int | UnsetType = UNSET
    object: Literal["limit"] = "limit"


def show_limit(state: BudgetState) -> RateLimit:
    """A rate limit as it is shown, with the numbers that a refusal shows."""
    return RateLimit(**shown(state))
