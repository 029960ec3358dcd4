"""What policy decided: the question, its SQL, and the place of a row in its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from proxy.core.ids import born_ms
from proxy.core.refusal import Refusal, Refused
from proxy.telemetry.rows import DecisionRow
from proxy.telemetry.spend import Select

_MOST: Final = 10_000
_WORDS: Final = {
    **{name: name for name in ("team", "agent", "run", "point", "engine", "revision", "code", "tool", "model")},
    **{name: name for name in ("end_user", "key_id", "approval_id", "provider")},
    "key": "key_name",
    "decision": "decision_id",
    "operation": "operation_id",
}
"""Filters, and the columns they look at; a code is looked for among all denials."""
_FLAGS: Final = ("allow", "shadow", "differs", "observed")
# Ids carry the time they were made; decisions on an operation lie near it.
_NEAR: Final = timedelta(days=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionsQuery:
    """Decisions of one org or, with None, of all, newest first.

    `filters` by name: team, key, agent, run, end_user, point, engine, revision, code, tool, model, provider,
    operation, decision, …; `flags`: allow, shadow, differs, observed. From `start` (inclusive) to `end` (exclusive).
    `before` is the `decision_cursor` of the last row one has. `whole`: with their inputs.
    """

    org: str | None
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    start: datetime | None = None
    end: datetime | None = None
    limit: int = 100
    before: str | None = None
    whole: bool = False


def select_decisions(asked: DecisionsQuery) -> Select:
    """Its SQL.

    Raises:
        Refused: a filter, limit or cursor that is none (INVALID_REQUEST).
    """
    if not 0 < asked.limit <= _MOST:
        raise Refused(Refusal.INVALID_REQUEST, f"limit lies between 1 and {_MOST}", param="limit")
    parameters: dict[str, Any] = {"limit": asked.limit}
    terms = [*_named(asked, parameters), *_flagged(asked, parameters), *_when(asked, parameters)]
    if asked.before is not None:
        parameters["at"], parameters["id"] = _read_cursor(asked.before)
        terms.append("(t.decided_at, t.decision_id) < (parseDateTime64BestEffort({at:String}, 3, 'UTC'), {id:String})")
    columns = "t.*" if asked.whole else "t.* EXCEPT (input)"
    sql = (
        f"SELECT {columns} FROM decisions AS t WHERE {' AND '.join(terms) or '1'}"  # noqa: S608 - closed lists only
        " ORDER BY t.decided_at DESC, t.decision_id DESC LIMIT {limit:UInt32}"
    )
    return Select(sql=sql, parameters=parameters)


def select_shadowed(revision: str, since: datetime) -> Select:
    """How many shadow decisions policies of this revision have made since then, and how many of them differ."""
    sql = (
        "SELECT count() AS decisions, countIf(t.differs) AS differ FROM decisions AS t"
        " WHERE t.shadow AND t.revision = {revision:String}"
        " AND t.decided_at >= toDateTime64({since:Decimal(18, 3)}, 3, 'UTC')"
    )
    return Select(sql=sql, parameters={"revision": revision, "since": f"{since.timestamp():.3f}"})


def decision_cursor(row: DecisionRow) -> str:
    """The place of a row in `Reader.decisions`."""
    return f"{row.decided_at}/{row.decision_id}"


def _named(asked: DecisionsQuery, parameters: dict[str, Any]) -> list[str]:
    terms = []
    if asked.org is not None:
        parameters["org"] = asked.org
        terms.append("t.org = {org:String}")
    for number, (name, wanted) in enumerate(asked.filters.items()):
        if name not in _WORDS:
            known = ", ".join(sorted(_WORDS))
            raise Refused(Refusal.INVALID_REQUEST, f"{name!r} is none of {known}", param="filters")
        parameters[f"wanted{number}"] = list(wanted)
        column, values = f"t.{_WORDS[name]}", f"{{wanted{number}:Array(String)}}"
        terms.append(
            f"({column} IN {values} OR hasAny(t.denials, {values}))" if name == "code" else f"{column} IN {values}"
        )
    return terms


def _flagged(asked: DecisionsQuery, parameters: dict[str, Any]) -> list[str]:
    for name, wanted in asked.flags.items():
        if name not in _FLAGS:
            raise Refused(Refusal.INVALID_REQUEST, f"{name!r} is none of {', '.join(_FLAGS)}", param="flags")
        parameters[name] = int(wanted)
    return [f"t.{name} = {{{name}:UInt8}}" for name in asked.flags]


def _when(asked: DecisionsQuery, parameters: dict[str, Any]) -> list[str]:
    terms = []
    for name, sign, moment in (("start", ">=", asked.start), ("end", "<", asked.end)):
        if moment is not None:
            parameters[name] = f"{moment.timestamp():.3f}"
            terms.append(f"t.decided_at {sign} toDateTime64({{{name}:Decimal(18, 3)}}, 3, 'UTC')")
    born = _born(asked)
    if born is not None:
        parameters |= {"from": str(born - _NEAR)[:19], "to": str(born + _NEAR)[:19]}
        terms.append("t.decided_at BETWEEN toDateTime({from:String}, 'UTC') AND toDateTime({to:String}, 'UTC')")
    return terms


def _born(asked: DecisionsQuery) -> datetime | None:
    """When the one decision or operation that is asked for was made; None where none is, or its id does not tell."""
    for name in ("decision", "operation"):
        wanted = asked.filters.get(name, ())
        millis = born_ms(wanted[0]) if len(wanted) == 1 else None
        if millis is not None:
            try:
                return datetime.fromtimestamp(millis / 1000, UTC)
            except (ValueError, OverflowError, OSError):
                return None
    return None


def _read_cursor(text: str) -> tuple[str, str]:
    at, slash, decision = text.partition("/")
    try:
        datetime.fromisoformat(at)
    except ValueError:
        slash = ""
    if not slash:
        raise Refused(Refusal.INVALID_REQUEST, "this is no cursor of ours", param="before")
    return at, decision
