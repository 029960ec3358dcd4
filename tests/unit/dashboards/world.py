"""What a board must say, reckoned in Python from the rows themselves."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from dashboards.sql.names import DIMENSIONS, NAMELESS
from proxy.telemetry.rows import (
    AttemptRow,
    AuditRow,
    BudgetStateRow,
    DecisionRow,
    OperationRow,
    PipelineStateRow,
    PriceRow,
    ToolCallRow,
)
from tests.unit.dashboards.seed import moment

T = TypeVar("T")
K = TypeVar("K")
QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Near:
    """A number that is told roughly: anything between."""

    low: float
    high: float


@dataclass(frozen=True)
class OneOf:
    """A text that may be any of these."""

    texts: tuple[str, ...]


Cell: TypeAlias = OneOf | str | int | float | Decimal | Near | None
Rows: TypeAlias = list[list[Cell]]


@dataclass(frozen=True)
class World:
    """Rows, and what is asked about them; `labels` is what is chosen, as people see it."""

    start: datetime
    end: datetime
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    timezone: str = "UTC"
    interval_s: int = 3600
    operations: Sequence[OperationRow] = ()
    attempts: Sequence[AttemptRow] = ()
    decisions: Sequence[DecisionRow] = ()
    budget_states: Sequence[BudgetStateRow] = ()
    pipeline_states: Sequence[PipelineStateRow] = ()
    audit: Sequence[AuditRow] = ()
    tools: Sequence[ToolCallRow] = ()
    price_book: Sequence[PriceRow] = ()

    @property
    def is_long(self) -> bool:
        return self.end - self.start > timedelta(days=2)

    def calls(self) -> list[OperationRow]:
        """Those that were made in the range."""
        return [row for row in self.chosen() if self.start <= at(row) <= self.end]

    def spend(self, start: datetime | None = None, end: datetime | None = None) -> list[OperationRow]:
        """Those of the quarter-hours that the range touches."""
        start, end = start or self.start, end or self.end
        return [row for row in self.chosen() if start < quarter(at(row)) + QUARTER and quarter(at(row)) <= end]

    def tries(self) -> list[AttemptRow]:
        """Requests to providers that began in the range."""
        return [row for row in self.attempts if self.start <= moment(row.started_at) <= self.end and self._is_of(row)]

    def tool_calls(self) -> list[ToolCallRow]:
        """Calls of tools in the answers to calls that were made in the range."""
        return [row for row in self.tools if self._was(row.called_at) and self._is_of(row)]

    def decided(self) -> list[DecisionRow]:
        """Decisions that were made in the range."""
        return [row for row in self.decisions if self.start <= moment(row.decided_at) <= self.end and self._is_of(row)]

    def budgets(self) -> list[BudgetStateRow]:
        """What was told in the range of budgets of the chosen orgs."""
        return [row for row in self.budget_states if self._was(row.at) and row.org in self.labels.get("org", [row.org])]

    def told(self) -> list[PipelineStateRow]:
        """What hosts told of their telemetry in the range."""
        return [row for row in self.pipeline_states if self._was(row.at)]

    def changes(self) -> list[AuditRow]:
        """Entries of the trail in the range that concern the chosen orgs or all, each once."""
        found = {row.number: row for row in self.audit if self._was(row.at[:-6])}
        return [row for row in found.values() if row.org in ("", *self.labels.get("org", [row.org]))]

    def _was(self, told_at: str) -> bool:
        return self.start <= moment(told_at) <= self.end

    def _is_of(self, row: AttemptRow | DecisionRow | ToolCallRow) -> bool:
        """Whether it is of a call that is chosen: what it was for, and who made it, are the call's."""
        return row.operation_id in self._chosen_ids

    @cached_property
    def _chosen_ids(self) -> frozenset[str]:
        return frozenset(row.operation_id for row in self.chosen())

    def chosen(self) -> list[OperationRow]:
        return [row for row in self.operations if self._is_chosen(row)]

    def _is_chosen(self, row: OperationRow) -> bool:
        tags = [f"{name}={value}" for name, value in row.tags.items()]
        wanted = self.labels.get("tag", ())
        if wanted and not set(tags) & set(wanted):
            return False
        return all(shown(getattr(row, column)) in self.labels.get(name, [shown(getattr(row, column))])
            for name, column in DIMENSIONS.items())  # fmt: skip

    def interval(self, moment: datetime) -> str:
        """The panel's interval that it lies in."""
        return text(datetime.fromtimestamp(moment.timestamp() // self.interval_s * self.interval_s, UTC))

    def bucket(self, moment: datetime) -> str:
        """The interval it lies in, or its UTC day."""
        step = 86400 if self.is_long else self.interval_s
        return text(datetime.fromtimestamp(moment.timestamp() // step * step, UTC))

    def local_bucket(self, moment: datetime) -> str:
        """The interval its quarter-hour begins in, or its day in the chosen time zone, told in UTC."""
        if not self.is_long:
            return self.bucket(quarter(moment))
        midnight = moment.astimezone(ZoneInfo(self.timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
        return text(midnight.astimezone(UTC))


def at(row: OperationRow) -> datetime:
    return moment(row.charged_at)


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def quarter(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def shown(name: str) -> str:
    return name or NAMELESS


def team(row: OperationRow | AttemptRow | DecisionRow) -> str:
    return f"{row.org}/{shown(row.team)}"


def key(row: OperationRow | AttemptRow | DecisionRow) -> str:
    return f"{team(row)}/{shown(row.key_name)}"


def cost(rows: Iterable[OperationRow | AttemptRow]) -> Decimal:
    return sum((Decimal(row.cost_usd) for row in rows if row.cost_usd), Decimal(0))


def tokens(rows: Iterable[OperationRow | AttemptRow]) -> int:
    return sum(
        row.input_tokens + row.cache_read_tokens + row.cache_write_tokens + row.output_tokens + row.reasoning_tokens
        for row in rows
    )


def unpriced(rows: Iterable[OperationRow]) -> int:
    return sum(row.cost_usd is None and row.outcome not in {"refused", "cached"} for row in rows)


def grouped(rows: Iterable[T], by: Callable[[T], K]) -> dict[K, list[T]]:
    """The rows under each name."""
    found: dict[K, list[T]] = {}
    for row in rows:
        found.setdefault(by(row), []).append(row)
    return found


def ratio(part: Decimal | int | float, whole: Decimal | int | float) -> float | None:
    return float(part) / float(whole) if whole else None


def outputs(rows: Iterable[OperationRow]) -> int:
    return sum(row.output_tokens + row.reasoning_tokens for row in rows)


def inputs(rows: Iterable[OperationRow]) -> int:
    return sum(row.input_tokens + row.cache_read_tokens + row.cache_write_tokens for row in rows)


def quantile(values: Sequence[float], level: float) -> Near:
    """Where the quantile of binned values must lie: by its neighbours in rank, and 2.5 % for the bins."""
    ordered = sorted(max(value, 0.001) for value in values)
    rank = level * (len(ordered) - 1)
    low, high = ordered[max(math.floor(rank) - 1, 0)], ordered[min(math.ceil(rank) + 1, len(ordered) - 1)]
    return Near(low / 1.0255, high * 1.0255)


def is_same(told: object, wanted: Cell) -> bool:
    """Whether a cell says what it must: money to the last digit, shares and means as floats are."""
    if isinstance(wanted, Near):
        return told is not None and wanted.low <= float(str(told)) <= wanted.high
    if isinstance(wanted, OneOf):
        return told in wanted.texts
    if isinstance(wanted, Decimal):
        return told is not None and Decimal(str(told)) == wanted
    if isinstance(wanted, float):
        return told is not None and math.isclose(float(str(told)), wanted, rel_tol=1e-6, abs_tol=1e-9)
    return told == wanted
