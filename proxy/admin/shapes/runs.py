"""Runs: what they did, what they may use, and stopping one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from proxy.admin.run_search import FoundRun
from proxy.admin.shapes.common import NanoInt, Shape, TenantPageQuery, UsdText, Word, maybe_moment
from proxy.admin.shapes.operations import Operation
from proxy.core.money import ZERO, to_usd_text

RunStanding: TypeAlias = Annotated[
    Literal["open", "stopped", "killed"],
    Meta(description="`killed` by a person, `stopped` when a limit refused its last call, else `open`."),
]


class RunQuery(TenantPageQuery, frozen=True, kw_only=True):
    """Which runs, the latest first; `days` bounds what is looked at and counted."""

    key: Annotated[Word | None, Meta(description="Of the key with this name.")] = None
    agent: Annotated[Word | None, Meta(description="In which this agent made a call.")] = None
    name: Annotated[Word | None, Meta(description="With this name; one for each key that used it.")] = None
    state: RunStanding | None = None
    days: Annotated[int, Meta(ge=1, le=400, description="Of so many days back.")] = 30


class RunOfQuery(Shape, frozen=True, kw_only=True):
    """Whose run, where several keys used the name."""

    org: Word | None = None
    team: Word | None = None
    key: Annotated[Word | None, Meta(description="The key's name, or its id.")] = None


class KillBody(Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it is stopped."""

    reason: Annotated[str, Meta(max_length=1000, description="Kept in the audit trail.")] = ""


class Run(Shape, frozen=True, kw_only=True):
    """One run: its org's and its key's alone. `calls` are all that were made, refused ones among them.

    Rows reach the store about a second after a call's end; a run without any yet has no times of its own.
    """

    id: Annotated[str, Meta(description="Stands for the run in paths, whatever is in its name.")]
    name: str
    org: str
    team: str
    key: str
    key_id: str
    state: RunStanding
    source: Annotated[str, Meta(description="Where its name was read: `header`, an alias, `derived` and so on.")]
    parent: str
    depth: Annotated[int, Meta(description="1 without a parent; 0 where no limit asked for it.")]
    agents: tuple[str, ...]
    calls: int
    refused_calls: int
    unpriced_calls: int
    tool_calls: int
    tokens: Annotated[Mapping[str, int], Meta(description="By disjoint bucket; those without any are left out.")]
    cost_usd: UsdText
    cost_nano: NanoInt
    outcomes: Mapping[str, int]
    last_code: str
    began_at: datetime | None
    last_at: datetime | None
    object: Literal["run"] = "run"


class RunLimit(Shape, frozen=True, kw_only=True):
    """One limit that holds for the run, with the ledger's own count; dollars where it counts dollars."""

    what: Literal["calls", "tool_calls", "tokens", "usd", "seconds", "depth"]
    said_of: Annotated[str, Meta(description="The scope in `runs.limits` that it comes from.")]
    agent: Annotated[str, Meta(description="Whose calls it counts; empty counts all of the run's.")] = ""
    limit: int | UnsetType = UNSET
    used: int | UnsetType = UNSET
    held: int | UnsetType = UNSET
    remaining: int | UnsetType = UNSET
    limit_usd: UsdText | UnsetType = UNSET
    limit_nano: NanoInt | UnsetType = UNSET
    used_usd: UsdText | UnsetType = UNSET
    used_nano: NanoInt | UnsetType = UNSET
    held_usd: UsdText | UnsetType = UNSET
    held_nano: NanoInt | UnsetType = UNSET
    remaining_usd: UsdText | UnsetType = UNSET
    remaining_nano: NanoInt | UnsetType = UNSET


class RunExplained(Shape, frozen=True, kw_only=True):
    """A run, how it stands against its limits, and its last calls."""

    run: Run
    limits: tuple[RunLimit, ...]
    last_calls: tuple[Operation, ...]
    object: Literal["run_explained"] = "run_explained"


class RunKilled(Shape, frozen=True, kw_only=True):
    """A run that takes no more calls, and whose open streams are ended within a second."""

    id: str
    name: str
    org: str
    team: str
    key: str
    key_id: str
    reason: str
    object: Literal["run_killed"] = "run_killed"


def show_run(found: FoundRun) -> Run:
    """A run as it is shown; one without rows has done nothing yet that anybody could count."""
    totals, live = found.totals, found.live
    began_ns = None if live is None else live.started_ns or None
    return Run(
        id=found.id,
        name=found.identity.run,
        org=found.identity.org,
        team=found.team,
        key=found.key,
        key_id=found.identity.key_id,
        state=_standing(found),
        source=totals.source if totals else "",
        parent=totals.parent if totals else "",
        depth=max(totals.depth if totals else 0, live.depth if live else 0),
        agents=totals.agents if totals else (),
        calls=totals.calls if totals else 0,
        refused_calls=totals.refused if totals else 0,
        unpriced_calls=totals.unpriced if totals else 0,
        tool_calls=totals.tool_calls if totals else 0,
        tokens={bucket.value: count for bucket, count in totals.tokens.items() if count} if totals else {},
        cost_usd=to_usd_text(totals.cost if totals else ZERO),
        cost_nano=totals.cost if totals else ZERO,
        outcomes=totals.outcomes if totals else {},
        last_code=totals.last_code if totals else "",
        began_at=_moment(totals.began_at) if totals else maybe_moment(began_ns),
        last_at=_moment(totals.last_at) if totals else None,
    )


def _standing(found: FoundRun) -> RunStanding:
    if found.is_killed:
        return "killed"
    return "stopped" if found.totals is not None and found.totals.last_code == "run_stopped" else "open"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
