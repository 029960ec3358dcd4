"""Kill switches: what is turned off, by whom, why and since when."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from proxy.admin.shapes.common import Limit, Moment, Page, Shape, maybe_moment, moment
from proxy.policy import LONGEST_REASON, Switch

Reason: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=LONGEST_REASON, description="Why; those who are refused are told.")
]
TargetText: TypeAlias = Annotated[
    str,
    Meta(
        max_length=400,
        description="What is turned off: `org:acme`, `team:acme/support`, `key:acme/support/bot`, `agent:acme/triage`, "
        "`run:acme/r1`, `model:gpt-*`, `provider:openai`, `tool:delete_*`, `writes` or `writes:acme`.",
    ),
]


class SwitchBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kill switch to be set."""

    target: TargetText
    reason: Reason
    expires_at: Annotated[Moment | None, Meta(description="When it ends by itself; null for never.")] = None


class SwitchQuery(Shape, frozen=True, kw_only=True):
    """Which kill switches are asked for."""

    state: Annotated[Literal["on", "ended"] | None, Meta(description="Set now, or not.")] = None
    limit: Limit = 100
    page: Page | None = None


class KillSwitch(Shape, frozen=True, kw_only=True):
    """A kill switch. `warnings` say what about it may not be meant so; a list leaves them out."""

    id: str
    target: TargetText
    kind: Annotated[str, Meta(description="The word that the target begins with.")]
    org: Annotated[str | None, Meta(description="Whose thing it turns off; null is everybody's.")]
    team: str | None
    reason: str
    by: str
    since: datetime
    expires_at: datetime | None
    state: Literal["on", "lifted", "expired"]
    lifted_at: datetime | None
    lifted_by: str | None
    warnings: tuple[str, ...] = ()
    object: Literal["kill_switch"] = "kill_switch"


def show_switch(switch: Switch, now_ns: int, warnings: tuple[str, ...] = ()) -> KillSwitch:
    """A kill switch as it is shown."""
    target = switch.target
    lifted = switch.lifted_ns is not None
    return KillSwitch(
        id=switch.id,
        target=target.text,
        kind=target.kind.value,
        org=target.org,
        team=target.team,
        reason=switch.reason,
        by=switch.by,
        since=moment(switch.since_ns),
        expires_at=maybe_moment(switch.expires_ns),
        state="on" if switch.is_on(now_ns) else "lifted" if lifted else "expired",
        lifted_at=maybe_moment(switch.lifted_ns),
        lifted_by=switch.lifted_by or None,
        warnings=warnings,
    )
