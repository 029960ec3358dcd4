"""Approvals: calls that wait for a person, and what became of them."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from proxy.admin.shapes.common import NanoInt, Shape, TenantPageQuery, UsdText, Word, maybe_moment, moment
from proxy.core.money import Nano, to_usd_text
from proxy.policy import Approval as KeptApproval

ApprovalStanding: TypeAlias = Annotated[
    Literal["pending", "approved", "denied", "expired", "used"],
    Meta(description="`approved` lets one call pass; `used` has let it pass."),
]
ApprovalPoint: TypeAlias = Annotated[
    Literal["request", "tool_call"], Meta(description="Whether the call itself waits, or a tool call in its answer.")
]


class ApprovalQuery(TenantPageQuery, frozen=True, kw_only=True):
    """Which approvals, the latest first."""

    key: Annotated[Word | None, Meta(description="Of the key with this name.")] = None
    point: ApprovalPoint | None = None
    state: ApprovalStanding | None = None


class DecideBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it was decided so."""

    note: Annotated[
        str, Meta(max_length=1000, description="Told to the caller where it is denied, and kept in the audit trail.")
    ] = ""


class Approval(Shape, frozen=True, kw_only=True):
    """One call for which a policy wants a person's yes. `estimate_*` is the most that it can cost."""

    id: str
    state: ApprovalStanding
    point: ApprovalPoint
    org: str
    team: str
    key: str
    key_id: str
    owner: Annotated[str, Meta(description="Who answers for the key, and so cannot decide.")]
    run: str
    agent: str
    end_user: str
    endpoint: str
    model: str
    operation: Annotated[str, Meta(description="The call that it was asked for by.")]
    revision: Annotated[str, Meta(description="The policies' revision that asked for it.")]
    reason: str
    tools: Annotated[tuple[str, ...], Meta(description="The tools that the model calls, at `tool_call`.")]
    estimate_usd: UsdText
    estimate_nano: NanoInt
    made_at: datetime
    expires_at: datetime
    decided_by: str
    decided_at: datetime | None
    note: str
    used_by: Annotated[str, Meta(description="The call that it has let pass.")]
    used_at: datetime | None
    object: Literal["approval"] = "approval"


class ToolCall(Shape, frozen=True, kw_only=True):
    """A tool call as the model wrote it; `arguments` is text, mostly JSON."""

    name: str
    arguments: str


class ApprovalExplained(Shape, frozen=True, kw_only=True):
    """An approval with what is to be decided on."""

    approval: Approval
    calls: Annotated[
        tuple[ToolCall, ...] | None,
        Meta(description="The tool calls with their arguments; null for roles that cannot decide."),
    ]
    may_decide: Annotated[bool, Meta(description="Whether the asking person may decide on it now.")]
    why_not: Annotated[str, Meta(description="Why they may not; empty when they may.")]
    object: Literal["approval_explained"] = "approval_explained"


def show_approval(kept: KeptApproval, now_ns: int) -> Approval:
    """An approval as it is shown."""
    return Approval(
        id=kept.id,
        state=kept.standing(now_ns),
        point="request" if kept.point == "request" else "tool_call",
        org=kept.org,
        team=kept.team,
        key=kept.key_name,
        key_id=kept.key_id,
        owner=kept.owner,
        run=kept.run,
        agent=kept.agent,
        end_user=kept.end_user,
        endpoint=kept.endpoint,
        model=kept.model,
        operation=kept.operation,
        revision=kept.revision,
        reason=kept.reason,
        tools=kept.tools,
        estimate_usd=to_usd_text(Nano(kept.estimate)),
        estimate_nano=Nano(kept.estimate),
        made_at=moment(kept.made_ns),
        expires_at=moment(kept.expires_ns),
        decided_by=kept.decided_by,
        decided_at=maybe_moment(kept.decided_ns),
        note=kept.note,
        used_by=kept.used_by,
        used_at=maybe_moment(kept.used_ns),
    )
