"""Decisions of policy: as a list, and one of them with what it was decided by."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from proxy.admin.shapes.common import Moment, Shape, TenantPageQuery, Word
from proxy.telemetry import DecisionRow


class DecisionQuery(TenantPageQuery, frozen=True, kw_only=True):
    """Which decisions, newest first."""

    key: Annotated[Word | None, Meta(description="On calls of the key with this name.")] = None
    agent: Word | None = None
    run: Word | None = None
    end_user: Word | None = None
    point: Literal["request", "route", "tool_call", "response"] | None = None
    code: Annotated[Word | None, Meta(description="With this code among those that said no.")] = None
    tool: Word | None = None
    operation: Annotated[Word | None, Meta(description="On the operation of this id.")] = None
    revision: Word | None = None
    allow: bool | None = None
    shadow: Annotated[bool | None, Meta(description="Made by rules that are only tried.")] = None
    differs: Annotated[bool | None, Meta(description="Tried, and not what counted.")] = None
    start_time: Annotated[Moment | None, Meta(description="From this moment on.")] = None
    end_time: Annotated[Moment | None, Meta(description="Before this moment.")] = None


class Decision(Shape, frozen=True, kw_only=True):
    """What policy said at one point of a call, by which rules, and what it obliged to."""

    id: str
    operation_id: str
    decided_at: str
    org: str
    team: str
    key_id: str
    key_name: str
    end_user: str
    agent: str
    run: str
    point: str
    engine: Annotated[str, Meta(description="embedded, opa, or flyball for a no that needs no rule.")]
    revision: str
    shadow: Annotated[bool, Meta(description="Made by rules that are only tried: nothing was done about it.")]
    live_id: Annotated[str, Meta(description="Of a shadow decision: the one that counted; empty for the plain grant.")]
    differs: Annotated[bool, Meta(description="Of a shadow decision: it is not what counted.")]
    observed: Annotated[bool, Meta(description="A no that was only observed.")]
    allow: bool
    code: str
    message: str
    internal: Annotated[str, Meta(description="What the rule says, and the client is not told.")]
    denials: Annotated[list[str], Meta(description="The codes of all that said no; a route's as code:candidate.")]
    obligations: list[dict[str, Any]]
    tool: str
    model: str
    provider: str
    approval_id: str
    latency_us: Annotated[float, Meta(description="Microseconds.")]
    worker: str
    object: Literal["decision"] = "decision"


class DecisionExplained(Shape, frozen=True, kw_only=True):
    """One decision, and what it was decided by."""

    decision: Decision
    input: Annotated[
        dict[str, Any] | None, Meta(description="The facts without anybody's words; null where none were kept.")
    ]
    unread: Annotated[list[str], Meta(description="Members of the input that are not as a rule may have seen them.")]
    object: Literal["decision_explained"] = "decision_explained"


def show_decision(row: DecisionRow) -> Decision:
    """A decision as it is shown."""
    columns = msgspec.structs.asdict(row)
    columns |= {
        "id": row.decision_id,
        "decided_at": row.decided_at.replace(" ", "T") + "Z",  # the store writes UTC as ClickHouse does
        "obligations": msgspec.json.decode(row.obligations or "[]"),
        "latency_us": round(row.latency_us, 3),
    }
    shown: Decision = msgspec.convert(columns, Decision)
    return shown


def explain(row: DecisionRow) -> DecisionExplained:
    """A decision with what it was decided by."""
    facts = msgspec.json.decode(row.input) if row.input else None
    return DecisionExplained(decision=show_decision(row), input=facts, unread=list(row.unread))
