"""Alerts: what budgets and limits had to tell, and who has been told."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from proxy.admin.shapes.common import Moment, PageQuery, Shape, UsdText, Word, maybe_moment, moment
from proxy.budget import Delivery as StoredDelivery
from proxy.budget import Kept, LineKind, amounts_of, fraction_text, sentence

Kind: TypeAlias = Literal[
    "alert", "downgrade", "cache_only", "throttle", "block", "overrun", "policy", "approval", "routing"
]
Count: TypeAlias = int | UnsetType
Usd: TypeAlias = UsdText | UnsetType


class AlertQuery(PageQuery, frozen=True, kw_only=True):
    """Which alerts, the last raised first."""

    org: Word | None = None
    team: Word | None = None
    budget: Annotated[Word | None, Meta(description="Of the budget or limit of this name.")] = None
    kind: Kind | None = None
    state: Literal["pending", "sent", "failed", "untold"] | None = None
    start_time: Annotated[Moment | None, Meta(description="Raised then or later.")] = None
    end_time: Annotated[Moment | None, Meta(description="Raised before then.")] = None


class Delivery(Shape, frozen=True, kw_only=True):
    """How far one receiver has been told; `next_at` is when it is tried again, `status` what it answered last."""

    receiver: str
    state: Literal["pending", "sent", "failed"]
    attempts: int
    next_at: datetime | None
    status: int | None
    error: str


class Alert(Shape, frozen=True, kw_only=True):
    """One alert with the numbers as they stood then.

    `kind` is the rung that was reached, at the `fraction` of the limit, `overrun`, or `policy` for what a rule says.
    `state` is `untold` where no receiver wants it.
    """

    id: str
    at: datetime
    kind: Kind
    message: str
    limit_kind: Annotated[
        Literal["budget", "rate_limit", "none"],
        Meta(description="Whether `budget` names a budget or a rate limit; none for what a policy says."),
    ]
    budget: str
    org: str
    scope: str
    window: str
    resets_at: datetime | None
    fraction: Annotated[str, Meta(description="Of the limit, as decimal text.")]
    unit: str
    state: Literal["pending", "sent", "failed", "untold"]
    deliveries: tuple[Delivery, ...]
    operation: Annotated[str, Meta(description="Of a policy's alert: the call it was first about in that hour.")]
    limit_usd: Usd = UNSET
    spent_usd: Usd = UNSET
    held_usd: Usd = UNSET
    overrun_usd: Usd = UNSET
    limit_tokens: Count = UNSET
    spent_tokens: Count = UNSET
    held_tokens: Count = UNSET
    overrun_tokens: Count = UNSET
    limit_requests: Count = UNSET
    spent_requests: Count = UNSET
    held_requests: Count = UNSET
    overrun_requests: Count = UNSET
    limit_concurrent: Count = UNSET
    spent_concurrent: Count = UNSET
    held_concurrent: Count = UNSET
    overrun_concurrent: Count = UNSET
    object: Literal["alert"] = "alert"


class AlertTestBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to send a test alert."""

    receiver: Annotated[str, Meta(max_length=64, description="The name of a receiver in flyball.yaml.")]


class AlertTest(Shape, frozen=True, kw_only=True):
    """What a receiver answered to a test alert; `status` is null where no answer came, `error` says why then."""

    receiver: str
    delivered: bool
    status: int | None
    answer: Annotated[str, Meta(description="The beginning of what it answered.")]
    error: str
    duration_ms: int
    object: Literal["alert_test"] = "alert_test"


def show_alert(kept: Kept) -> Alert:
    """An alert as it is shown."""
    alert = kept.alert
    return Alert(
        id=alert.id,
        at=moment(alert.at_ns),
        kind=alert.kind,  # type: ignore[arg-type]  # tests are not kept
        message=sentence(alert),
        limit_kind=_limit_kind(kept),
        budget=alert.budget,
        org=alert.org,
        scope=alert.scope,
        window=alert.window,
        resets_at=maybe_moment(alert.resets_at_ns),
        fraction=fraction_text(alert.fraction_millionths),
        unit=alert.unit.value,
        state=kept.state,
        deliveries=tuple(_delivery(each) for each in kept.deliveries),
        operation=alert.operation,
        **amounts_of(alert),  # type: ignore[arg-type]  # named as the fields are
    )


def _limit_kind(kept: Kept) -> Literal["budget", "rate_limit", "none"]:
    if kept.alert.kind in ("policy", "approval", "routing"):
        return "none"
    return "rate_limit" if kept.alert.subject is LineKind.RATE else "budget"


def _delivery(told: StoredDelivery) -> Delivery:
    return Delivery(
        receiver=told.receiver,
        state=told.state,
        attempts=told.attempts,
        next_at=moment(told.next_ns) if told.state == "pending" else None,
        status=told.status,
        error=told.error,
    )
