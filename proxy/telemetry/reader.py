"""Asks ClickHouse for the console, the spend API and `explain`; every answer is bound to an org where one is given."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.query import QueryResult

from proxy.core.money import to_usd_text
from proxy.core.refusal import Refusal, Refused
from proxy.telemetry.compare import compare
from proxy.telemetry.comparing import CompareQuery, Comparison
from proxy.telemetry.corrections import CorrectedQuery, CorrectedRow, read_sums, select_sums
from proxy.telemetry.counted import CountedQuery, CountedRow, read_counted, select_counted
from proxy.telemetry.decided import DecisionsQuery, select_decisions, select_shadowed
from proxy.telemetry.focus import select_focus
from proxy.telemetry.observed import Observed, ObservedQuery, read_observed, select_observed
from proxy.telemetry.panel import MOST_ROWS as MOST_PANEL_ROWS
from proxy.telemetry.panel import PanelQuery, PanelRows, row_filters, select_panel
from proxy.telemetry.rows import AttemptRow, AuditRow, DecisionRow, OperationRow, SegmentRow
from proxy.telemetry.runs import RunsQuery, RunTotals, read_runs, select_runs
from proxy.telemetry.searching import EVERYTHING, OperationSearch, search_terms
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.showing import name_each, name_last, select_provider_ids, with_stages
from proxy.telemetry.spend import (
    Select,
    SpendQuery,
    SpendRow,
    conditions,
    exact_nano,
    read_spend,
    select_spend,
)
from proxy.telemetry.spend_file import FORMATS, FileFormat, select_spend_file
from proxy.telemetry.store import StoreAddress, StoreRefused, TelemetryUnavailable, as_store_failures, open_client
from proxy.telemetry.variants import (
    ServedVersion,
    VariantsQuery,
    VariantTotals,
    read_variants,
    select_likeness,
    select_served,
    select_variants,
)

_Row = TypeVar("_Row", OperationRow, AttemptRow, DecisionRow)
_TOO_MUCH: Final = 396
_TOO_MANY_GROUPS: Final = 158
_MOST_GROUPED: Final = 2_000_000
_WHOLE_FILES: Final = {
    "result_overflow_mode": "throw",
    # A server would have begun to send before it knew.
    "wait_end_of_query": 1,
    "date_time_output_format": "iso",
    "format_csv_null_representation": "",
}
_GRACE_S: Final = 2  # ClickHouse ends a query at its own limit, and says so
_MOST_RECENT: Final = 1000
_MOST_ATTEMPTS: Final = 100
# Ids carry the time they were made; a row's own times lie near it, except for what was settled late.
_NEAR: Final = timedelta(days=2)
_LONGEST_CALL: Final = timedelta(days=8)


class _TooMuch(Refused):
    """The answer has more rows or bytes than were allowed."""

    def __init__(self) -> None:
        super().__init__(Refusal.INVALID_REQUEST, "the answer is too large; ask for less at once")


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationDetail:
    """One operation with its attempts in the order they were made."""

    operation: OperationRow
    attempts: tuple[AttemptRow, ...]


class Reader:
    """A reading connection to the store; opened at the first question, opened anew after a failure."""

    def __init__(self, address: StoreAddress, settings: TelemetrySettings | None = None) -> None:
        self._address = address
        self._settings = settings or TelemetrySettings()
        self._client: AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def spend(self, asked: SpendQuery) -> list[SpendRow]:
        """What was spent, by bucket and group, dearest first within a bucket.

        Raises:
            Refused: the question is wrong, or its answer too large (INVALID_REQUEST).
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        answer = await self._ask(select_spend(asked))
        return read_spend(asked, answer.result_rows)

    async def spend_file(self, asked: SpendQuery, names: Sequence[str], kind: FileFormat) -> bytes:
        """The same as a file, its groups under `names`; never cut short.

        Raises:
            Refused: the question is wrong, or its answer has more than `asked.limit` rows (INVALID_REQUEST).
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        # One row more than allowed, so that too many are refused and not left out.
        select = select_spend_file(replace(asked, limit=asked.limit + 1), names)
        return await self._file(select, FORMATS[kind], asked.limit)

    async def focus(self, asked: SpendQuery, tags: Sequence[str], kind: FileFormat) -> bytes:
        """Spend by day as a FOCUS file, with these tags in it; never cut short. Bucket and groups are not looked at.

        Raises:
            Refused, TelemetryUnavailable: as `spend_file`.
        """
        select = select_focus(replace(asked, limit=asked.limit + 1), tags)
        return await self._file(select, FORMATS[kind], asked.limit)

    async def panel(self, asked: PanelQuery) -> PanelRows:
        """What a panel of a board shows; who is bound to an org or team is shown its rows only.

        Raises:
            Refused: it cannot be asked here, or its answer is too large (INVALID_REQUEST).
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        select = select_panel(asked)
        limits = {**self._limits(), "max_result_rows": MOST_PANEL_ROWS, "result_overflow_mode": "throw"}
        if asked.org is not None:
            limits["additional_table_filters"] = row_filters(await self._tables(), asked.org, asked.team)
        async with self._asking() as client:
            answer = await client.query(select.sql, parameters=select.parameters, settings=limits)
        kinds = tuple(kind.name for kind in answer.column_types)
        return PanelRows(names=tuple(answer.column_names), types=kinds, rows=answer.result_rows)

    async def compare(self, asked: CompareQuery) -> Comparison:
        """What two times came to, why they differ to the nano-dollar, and who moved it.

        Raises:
            Refused: the question is wrong, or its answer too large (INVALID_REQUEST).
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        return await compare(self._ask, asked)

    async def operation(self, operation: str, org: str | None) -> OperationDetail | None:
        """One operation of this org (None = any org); None when there is no such operation there."""
        row = await self._first(OperationRow, "operations", "charged_at", operation, org)
        if row is None:
            return None
        attempts = await self._of_operation(AttemptRow, "attempts", "started_at", operation, row.org, near=True)
        if not attempts and row.attempts:
            attempts = await self._of_operation(AttemptRow, "attempts", "started_at", operation, row.org, near=False)
        name_last(row, attempts)
        return OperationDetail(operation=with_stages(row), attempts=tuple(attempts))

    async def corrected(self, asked: CorrectedQuery) -> list[CorrectedRow]:
        """What an org's calls were corrected by since they were made, by team, cost center, key, provider and model.

        Raises:
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        return read_sums((await self._ask(select_sums(asked))).result_rows)

    async def counted(self, asked: CountedQuery) -> list[CountedRow]:
        """What an org's calls came to by scope and model.

        Raises:
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        answer = await self._ask(select_counted(asked))
        return list(read_counted(answer.result_rows))

    async def recent(
        self,
        *,
        org: str | None,
        filters: Mapping[str, Sequence[str]] | None = None,
        limit: int = 50,
        before: str | None = None,
        search: OperationSearch = EVERYTHING,
    ) -> list[OperationRow]:
        """The latest operations, newest first; `before` is the `cursor` of the last row one already has.

        Raises:
            Refused: a filter, limit or cursor that is none (INVALID_REQUEST).
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        if not 0 < limit <= _MOST_RECENT:
            raise Refused(Refusal.INVALID_REQUEST, f"limit lies between 1 and {_MOST_RECENT}", param="limit")
        parameters: dict[str, Any] = {"limit": limit}
        terms = [*conditions(filters or {}, org, parameters), *search_terms(search, parameters)]
        if before is not None:
            parameters["at"], parameters["id"] = _read_cursor(before)
            terms.append(
                "(t.charged_at, t.operation_id) < (parseDateTime64BestEffort({at:String}, 3, 'UTC'), {id:String})"
            )
        sql = (
            f"SELECT t.* FROM operations AS t WHERE {' AND '.join(terms) or '1'}"  # noqa: S608 - closed lists only
            " ORDER BY t.charged_at DESC, t.operation_id DESC LIMIT {limit:UInt32}"
        )
        answer = await self._ask(Select(sql=sql, parameters=parameters))
        rows = [with_stages(_row(OperationRow, each)) for each in answer.named_results()]
        if (ids := select_provider_ids(rows)) is not None:
            name_each(rows, {row[0]: row[1] for row in (await self._ask(ids)).result_rows})
        return rows

    async def decisions(self, asked: DecisionsQuery) -> list[DecisionRow]:
        """What policy decided, newest first.

        Raises:
            Refused: a filter, limit or cursor that is none, or an answer too large (INVALID_REQUEST).
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        answer = await self._ask(select_decisions(asked))
        return [_row(DecisionRow, each) for each in answer.named_results()]

    async def shadowed(self, revision: str, since: datetime) -> tuple[int, int]:
        """How many shadow decisions policies of this revision have made since then, and how many of them differ.

        Raises:
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        answer = await self._ask(select_shadowed(revision, since))
        return answer.result_rows[0][0], answer.result_rows[0][1]

    async def observed(self, asked: ObservedQuery) -> Observed:
        """What would have been refused where enforcement is `observe`, by whom and by what, most calls first.

        Raises:
            Refused: the question is wrong, or its answer too large (INVALID_REQUEST).
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        sums, groups = select_observed(asked)
        found = await self._ask(sums), await self._ask(groups)
        return read_observed(found[0].named_results(), found[1].named_results())

    async def variants(self, asked: VariantsQuery, *, with_likeness: bool = True) -> list[VariantTotals]:
        """What requests to targets with names came to, and how alike copies were if that is asked for.

        Raises:
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        rows = (await self._ask(select_variants(asked))).result_rows
        alike = (await self._ask(select_likeness(asked))).result_rows if with_likeness else ()
        return read_variants(rows, alike)

    async def served(self, start: datetime, end: datetime) -> list[ServedVersion]:
        """Which versions of models answered in a span, by target, the first seen first.

        Raises:
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        return [ServedVersion(*row) for row in (await self._ask(select_served(start, end))).result_rows]

    async def runs(self, asked: RunsQuery) -> list[RunTotals]:
        """What runs did, the latest first.

        Raises:
            Refused: a limit or cursor that is none, or an answer too large (INVALID_REQUEST).
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        answer = await self._ask(select_runs(asked))
        return read_runs(answer.named_results())

    async def audit(self, after: int, limit: int) -> list[AuditRow]:
        """Entries of the audit chain behind a number, in order; of one number several where they differ.

        Raises:
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        parameters = {"after": after, "limit": limit}
        sql = (
            "SELECT * REPLACE (toString(at) AS at) FROM audit FINAL WHERE number > {after:UInt64}"
            " ORDER BY number, hash LIMIT {limit:UInt32}"
        )
        answer = await self._ask(Select(sql=sql, parameters=parameters))
        return [AuditRow(**each) for each in answer.named_results()]

    async def rows_of_segment(self, segment: int) -> list[OperationRow]:
        """All operations that were shipped in one segment, of whichever org.

        Raises:
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        first = datetime.fromtimestamp(segment // 1_000_000_000, UTC)
        parameters = {"segment": segment, "from": str(first - _LONGEST_CALL)[:19], "to": str(first + _NEAR)[:19]}
        sql = (
            "SELECT t.* FROM operations AS t WHERE t.segment = {segment:UInt64} AND t.charged_at"
            " BETWEEN toDateTime({from:String}, 'UTC') AND toDateTime({to:String}, 'UTC')"
        )
        answer = await self._ask(Select(sql=sql, parameters=parameters))
        return [_row(OperationRow, each) for each in answer.named_results()]

    async def segments(self, *, first_ns: int | None = None, spool: str = "", after: int = 0) -> list[SegmentRow]:
        """Shipped segments: those of one name's time, or up to 5,000 of a spool behind a number, in order.

        Raises:
            TelemetryUnavailable: ClickHouse cannot answer now.
        """
        parameters: dict[str, Any] = {"first": first_ns or 0, "spool": spool, "after": after}
        which = (
            "spool = {spool:String} AND number > {after:UInt64}" if first_ns is None else "first_ns = {first:UInt64}"
        )
        sql = (
            "SELECT * REPLACE (toString(shipped_at) AS shipped_at)"  # noqa: S608 - one of two texts of ours
            f" FROM shipped_segments FINAL WHERE {which} ORDER BY spool, number, hash LIMIT 5000"
        )
        answer = await self._ask(Select(sql=sql, parameters=parameters))
        return [SegmentRow(**each) for each in answer.named_results()]

    async def close(self) -> None:
        """Give the connections back."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _first(self, kind: type[_Row], table: str, time: str, operation: str, org: str | None) -> _Row | None:
        for near in (True, False):
            rows = await self._of_operation(kind, table, time, operation, org, near=near)
            if rows or _born(operation) is None:
                return rows[0] if rows else None
        return None

    async def _of_operation(
        self, kind: type[_Row], table: str, time: str, operation: str, org: str | None, *, near: bool
    ) -> list[_Row]:
        """The rows of one operation; `near` looks only around the time that its id tells."""
        parameters: dict[str, Any] = {"id": operation, "most": _MOST_ATTEMPTS}
        terms = ["t.operation_id = {id:String}", *conditions({}, org, parameters)]
        at = _born(operation)
        if near and at is not None:
            parameters |= {"from": str(at - _NEAR)[:19], "to": str(at + _NEAR)[:19]}
            terms.append(f"t.{time} BETWEEN toDateTime({{from:String}}, 'UTC') AND toDateTime({{to:String}}, 'UTC')")
        sql = (
            f"SELECT t.* FROM {table} AS t WHERE {' AND '.join(terms)}"  # noqa: S608 - closed lists only
            f" ORDER BY t.{time} LIMIT {{most:UInt32}}"
        )
        answer = await self._ask(Select(sql=sql, parameters=parameters))
        return [_row(kind, each) for each in answer.named_results()]

    async def _tables(self) -> dict[str, frozenset[str]]:
        """The tables of our database with their columns; asked each time, for there may be a new one."""
        sql = "SELECT table, groupArray(name) FROM system.columns WHERE database = currentDatabase() GROUP BY table"
        answer = await self._ask(Select(sql=sql, parameters={}))
        return {table: frozenset(columns) for table, columns in answer.result_rows}

    async def _ask(self, select: Select) -> QueryResult:
        async with self._asking() as client:
            return await client.query(select.sql, parameters=select.parameters, settings=self._limits())

    async def _file(self, select: Select, kind: str, most: int) -> bytes:
        limits = {**self._limits(), **_WHOLE_FILES, "max_result_rows": most}
        try:
            async with self._asking() as client:
                return await client.raw_query(select.sql, select.parameters, settings=limits, fmt=kind)
        except _TooMuch:
            words = f"the file would have more than {most} rows; ask for less time, fewer groups or wider buckets"
            raise Refused(Refusal.INVALID_REQUEST, words, param="limit") from None

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[AsyncClient]:
        """A client for one question, within its time; what goes wrong comes out as `spend` says."""
        try:
            async with asyncio.timeout(self._settings.query_timeout_s + _GRACE_S):
                client = await self._connected()
                with as_store_failures():
                    yield client
        except TimeoutError:
            await self.close()
            raise TelemetryUnavailable("it took too long") from None
        except TelemetryUnavailable:
            await self.close()
            raise
        except StoreRefused as refused:
            if refused.code == _TOO_MUCH:
                raise _TooMuch from None
            if refused.code == _TOO_MANY_GROUPS:
                words = f"the answer has more than {_MOST_GROUPED} groups; ask for less time or fewer groups"
                raise Refused(Refusal.INVALID_REQUEST, words, param="group_by") from None
            raise TelemetryUnavailable(str(refused)) from None

    def _limits(self) -> dict[str, int | str]:
        return {
            "max_execution_time": self._settings.query_timeout_s,
            "max_result_bytes": self._settings.result_mb * 1024 * 1024,
            "max_rows_to_group_by": _MOST_GROUPED,
            "group_by_overflow_mode": "throw",
            # On a cluster: a question inside a question is asked of all shards, once.
            "distributed_product_mode": "global",
        }

    async def _connected(self) -> AsyncClient:
        async with self._opening:
            if self._client is None:
                self._client = await open_client(self._address, timeout_s=self._settings.query_timeout_s + _GRACE_S)
            return self._client


def cursor(row: OperationRow) -> str:
    """The place of a row in `Reader.recent`."""
    return f"{row.charged_at}/{row.operation_id}"


def _born(operation: str) -> datetime | None:
    """When an id of ours was made (its first 48 bits are milliseconds, core.ids); None when it is none of ours."""
    digits = operation.partition("_")[2]
    try:
        return datetime.fromtimestamp((int(digits, 16) >> 80) / 1000, UTC) if len(digits) == 32 else None
    except (ValueError, OverflowError, OSError):
        return None


def _read_cursor(text: str) -> tuple[str, str]:
    at, slash, operation = text.partition("/")
    try:
        datetime.fromisoformat(at)
    except ValueError:
        slash = ""
    if not slash:
        raise Refused(Refusal.INVALID_REQUEST, "this is no cursor of ours", param="before")
    return at, operation


def _row(kind: type[_Row], found: Mapping[str, Any]) -> _Row:
    """A stored row as it was written; columns of a newer schema are left out."""
    return kind(**{name: _as_written(found[name]) for name in kind.__struct_fields__ if name in found})


def _as_written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    if isinstance(value, Decimal):
        return to_usd_text(exact_nano(value))
    return value
