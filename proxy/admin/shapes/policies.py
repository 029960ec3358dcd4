"""Policies: what decides, what is proposed, and the inputs they were asked with."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from proxy.admin.shapes.common import Moment, Shape, TenantPageQuery, Word, maybe_moment, moment
from proxy.policy import PolicySet


class InputQuery(TenantPageQuery, frozen=True, kw_only=True):
    """Which decisions that counted, newest first."""

    limit: Annotated[int, Meta(ge=1, le=200, description="Inputs are large: no more than 200 at once.")] = 100
    point: Literal["request", "route", "tool_call", "response"] | None = None
    operation: Annotated[Word | None, Meta(description="On the operation of this id.")] = None
    start_time: Annotated[Moment | None, Meta(description="From this moment on.")] = None
    end_time: Annotated[Moment | None, Meta(description="Before this moment.")] = None


class CandidateBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole set of policies."""

    modules: Annotated[
        dict[str, str],
        Meta(min_length=1, description="Rego modules by their paths, such as rules/models.rego; tests are left out."),
    ]
    data: Annotated[dict[str, Any], Meta(description="What rules read as `data`.")] = msgspec.field(
        default_factory=dict
    )


class ProposedSet(Shape, frozen=True, kw_only=True):
    """A set of policies that somebody has proposed."""

    revision: str
    modules: Annotated[list[str], Meta(description="The paths of its modules.")]
    proposed_by: str
    proposed_at: datetime
    promoted_by: str
    promoted_at: datetime | None
    object: Literal["policy_set"] = "policy_set"


class Candidate(ProposedSet, frozen=True, kw_only=True):
    """A set of policies with all that is in it."""

    content: Annotated[dict[str, str], Meta(description="Each module's text.")]
    data: dict[str, Any]


class ShadowFigures(Shape, frozen=True, kw_only=True):
    """What a candidate would have done."""

    decisions: Annotated[int, Meta(description="Shadow decisions that it has made since it was proposed.")]
    differ: Annotated[int, Meta(description="Those of them that are not what counted.")]


class Policies(Shape, frozen=True, kw_only=True):
    """What decides, what is tried beside it, and what decided before."""

    managed_by: Annotated[
        Literal["file", "api"], Meta(description="file: flyball.yaml names them, and nothing can be promoted.")
    ]
    source: Annotated[str, Meta(description="Where what decides comes from.")]
    revision: Annotated[str, Meta(description="What this host has taken; the same as of `active` once it has that.")]
    bundle: Annotated[str, Meta(description="The revision that a bundle gives itself.")]
    error: Annotated[str, Meta(description="Why newer policies are not taken; empty where they are.")]
    active: ProposedSet | None
    candidate: Annotated[ProposedSet | None, Meta(description="Tried on every call; its decisions are shadows.")]
    shadow: Annotated[
        ShadowFigures | None, Meta(description="Of the candidate; null without one, or where the store is away.")
    ] = None
    previous: Annotated[ProposedSet | None, Meta(description="What /rollback goes back to.")]
    object: Literal["policies"] = "policies"


def show_set(found: PolicySet) -> ProposedSet:
    """A set as it is shown."""
    return ProposedSet(
        revision=found.bundle.revision,
        modules=sorted(found.bundle.modules),
        proposed_by=found.proposed_by,
        proposed_at=moment(found.proposed_ns),
        promoted_by=found.promoted_by,
        promoted_at=maybe_moment(found.promoted_ns),
    )


def show_whole(found: PolicySet) -> Candidate:
    """A set with all that is in it."""
    return Candidate(
        **msgspec.structs.asdict(show_set(found)), content=dict(found.bundle.modules), data=dict(found.bundle.data)
    )
