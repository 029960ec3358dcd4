"""What runs did: the question, its SQL with bound values only, and the answer with money in whole nano-dollars."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from proxy.core.money import Nano
from proxy.core.refusal import Refusal, Refused
from proxy.core.usage import Bucket
from proxy.telemetry.spend import Select, conditions, exact_nano

MOST_RUNS: Final = 1000
_SEP: Final = "\x1f"
"""Stands between the parts of a run's identity where many are bound as one list; no org or key id holds it."""


class RunIdentity(NamedTuple):
    """A run is its org's and its key's alone, whatever its name."""

    org: str
    key_id: str
    run: str

    @property
    def digest(self) -> str:
        """32 digits that stand for it where its name cannot: the first 128 bits of SHA-256 over all three."""
        return sha256(_SEP.join(self).encode()).hexdigest()[:32]


RunEnd: TypeAlias = Literal["stopped", "open"]
"""Whether the last call of a run was refused because of the run (`stopped`), or not (`open`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunsQuery:
    """Which runs, the latest first; of one org or, with None, of all.

    `agent` keeps the runs in which that agent made a call. `since` bounds what is counted (None: everything kept).
    `digest` is a run's own, `only` and `but` are runs by identity. `before` is the `run_cursor` of the last run one
    already has.
    """

    org: str | None
    team: str | None = None
    key: str | None = None
    agent: str | None = None
    run: str | None = None
    digest: str | None = None
    since: datetime | None = None
    end: RunEnd | None = None
    only: tuple[RunIdentity, ...] | None = None
    but: tuple[RunIdentity, ...] = ()
    limit: int = 100
    before: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTotals:
    """What one run did. Its times are text in UTC; its team, key and parent are those of its last call."""

    identity: RunIdentity
    team: str
    key_name: str
    source: str
    parent: str
    depth: int
    agents: tuple[str, ...]
    calls: int
    refused: int
    unpriced: int
    tool_calls: int
    cost: Nano
    tokens: Mapping[Bucket, int]
    outcomes: Mapping[str, int]
    last_code: str
    began_at: str
    last_at: str


_TOKENS: Final = tuple(f"{bucket.value}_tokens" for bucket in Bucket)
_COLUMNS: Final = (
    "t.org AS org",
    "t.key_id AS key_id",
    "t.run AS run",
    "argMax(t.team, t.charged_at) AS last_team",
    "argMax(t.key_name, t.charged_at) AS last_key",
    "argMin(t.run_source, t.charged_at) AS first_source",
    "argMax(t.parent_run, t.charged_at) AS last_parent",
    "max(t.run_depth) AS deepest",
    "arraySort(groupUniqArrayIf(16)(t.agent, t.agent != '')) AS agents",
    "count() AS calls",
    "countIf(t.outcome = 'refused') AS refused",
    "countIf(t.cost_usd IS NULL AND t.outcome NOT IN ('refused', 'cached')) AS unpriced",
    "sum(t.tool_calls) AS tools",
    "sum(toDecimal128(ifNull(t.cost_usd, 0), 9)) AS cost",
    "sumMap(map(toString(t.outcome), toUInt64(1))) AS outcomes",
    "argMax(t.code, (t.charged_at, t.operation_id)) AS last_code",
    "min(t.charged_at) AS began",
    "max(t.finished_at) AS last",
    *(f"sum(t.{name}) AS sum_{name}" for name in _TOKENS),
)
_IDENTITY: Final = f"concat(t.org, '{_SEP}', t.key_id, '{_SEP}', t.run)"


def select_runs(asked: RunsQuery) -> Select:
    """The SQL of a question about runs.

    Raises:
        Refused: a limit or cursor that is none (INVALID_REQUEST).
    """
    if not 0 < asked.limit <= MOST_RUNS:
        raise Refused(Refusal.INVALID_REQUEST, f"limit lies between 1 and {MOST_RUNS}", param="limit")
    parameters: dict[str, Any] = {"limit": asked.limit}
    having = _having(asked, parameters)
    sql = (
        f"SELECT {', '.join(_COLUMNS)} FROM operations AS t"  # noqa: S608 - closed lists only
        f" WHERE {' AND '.join(_where(asked, parameters))}"
        f" GROUP BY org, key_id, run HAVING {' AND '.join(having) or '1'}"
        " ORDER BY last DESC, org DESC, key_id DESC, run DESC LIMIT {limit:UInt32}"
    )
    return Select(sql=sql, parameters=parameters)


def read_runs(rows: Iterable[Mapping[str, Any]]) -> list[RunTotals]:
    """The lines of ClickHouse's answer as ours."""
    return [
        RunTotals(
            identity=RunIdentity(row["org"], row["key_id"], row["run"]),
            team=row["last_team"],
            key_name=row["last_key"],
            source=row["first_source"],
            parent=row["last_parent"],
            depth=row["deepest"],
            agents=tuple(row["agents"]),
            calls=row["calls"],
            refused=row["refused"],
            unpriced=row["unpriced"],
            tool_calls=row["tools"],
            cost=exact_nano(row["cost"]),
            tokens={bucket: row[f"sum_{bucket.value}_tokens"] for bucket in Bucket},
            outcomes=dict(row["outcomes"]),
            last_code=row["last_code"],
            began_at=_text(row["began"]),
            last_at=_text(row["last"]),
        )
        for row in rows
    ]


def run_cursor(run: RunTotals) -> str:
    """The place of a run in `Reader.runs`."""
    return _SEP.join((run.last_at, *run.identity))


def _where(asked: RunsQuery, parameters: dict[str, Any]) -> list[str]:
    named = {"team": asked.team, "key": asked.key, "run": asked.run}
    terms = ["t.run != ''", *conditions({n: (v,) for n, v in named.items() if v is not None}, asked.org, parameters)]
    if asked.since is not None:
        parameters["since"] = f"{asked.since.timestamp():.3f}"
        terms.append("t.charged_at >= toDateTime64({since:Decimal(18, 3)}, 3, 'UTC')")
    if asked.only is not None:
        parameters["only"] = _joined(asked.only)
        parameters["names"] = [each.run for each in asked.only]
        terms += ["t.run IN {names:Array(String)}", f"{_IDENTITY} IN {{only:Array(String)}}"]
    if asked.but:
        parameters["but"] = _joined(asked.but)
        terms.append(f"{_IDENTITY} NOT IN {{but:Array(String)}}")
    return terms


def _having(asked: RunsQuery, parameters: dict[str, Any]) -> list[str]:
    terms = []
    if asked.agent is not None:
        parameters["agent"] = asked.agent
        terms.append("countIf(t.agent = {agent:String}) > 0")
    if asked.digest is not None:
        parameters["digest"] = asked.digest
        whole = _IDENTITY.replace("t.", "")
        terms.append(f"substring(lower(hex(SHA256({whole}))), 1, 32) = {{digest:String}}")
    if asked.end is not None:
        terms.append(f"last_code {'=' if asked.end == 'stopped' else '!='} 'run_stopped'")
    if asked.before is not None:
        parameters["at"], parameters["o"], parameters["k"], parameters["r"] = _read_cursor(asked.before)
        at = "parseDateTime64BestEffort({at:String}, 3, 'UTC')"
        terms.append(f"(last, org, key_id, run) < ({at}, {{o:String}}, {{k:String}}, {{r:String}})")
    return terms


def _joined(runs: Sequence[RunIdentity]) -> list[str]:
    return [_SEP.join(each) for each in runs]


def _read_cursor(text: str) -> list[str]:
    parts = text.split(_SEP, 3)
    try:
        datetime.fromisoformat(parts[0])
    except ValueError:
        parts = []
    if len(parts) != 4:
        raise Refused(Refusal.INVALID_REQUEST, "this is no cursor of ours", param="before")
    return parts


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
