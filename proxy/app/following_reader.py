"""A reader of the telemetry store that finds it again when the embedded one moves to another port."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from proxy.telemetry import (
    EVERYTHING,
    AuditRow,
    CompareQuery,
    Comparison,
    CorrectedQuery,
    CorrectedRow,
    CountedQuery,
    CountedRow,
    DecisionRow,
    DecisionsQuery,
    FileFormat,
    Observed,
    ObservedQuery,
    OperationDetail,
    OperationRow,
    OperationSearch,
    PanelQuery,
    PanelRows,
    Reader,
    RunsQuery,
    RunTotals,
    SegmentRow,
    ServedVersion,
    SpendQuery,
    SpendRow,
    TelemetrySettings,
    TelemetryUnavailable,
    VariantsQuery,
    VariantTotals,
    store_address,
)


class FollowingReader:
    """Asks the store at its address of the moment; `embedded_url` tells the embedded one's, None while it is not up."""

    def __init__(self, settings: TelemetrySettings, home: Path, embedded_url: Callable[[], str | None]) -> None:
        self._settings = settings
        self._home = home
        self._embedded_url = embedded_url
        self._url: str | None = None
        self._reader: Reader | None = None

    async def spend(self, asked: SpendQuery) -> list[SpendRow]:
        """As Reader.spend."""
        return await (await self._at_its_place()).spend(asked)

    async def spend_file(self, asked: SpendQuery, names: Sequence[str], kind: FileFormat) -> bytes:
        """As Reader.spend_file."""
        return await (await self._at_its_place()).spend_file(asked, names, kind)

    async def focus(self, asked: SpendQuery, tags: Sequence[str], kind: FileFormat) -> bytes:
        """As Reader.focus."""
        return await (await self._at_its_place()).focus(asked, tags, kind)

    async def panel(self, asked: PanelQuery) -> PanelRows:
        """As Reader.panel."""
        return await (await self._at_its_place()).panel(asked)

    async def compare(self, asked: CompareQuery) -> Comparison:
        """As Reader.compare."""
        return await (await self._at_its_place()).compare(asked)

    async def operation(self, operation: str, org: str | None) -> OperationDetail | None:
        """As Reader.operation."""
        return await (await self._at_its_place()).operation(operation, org)

    async def corrected(self, asked: CorrectedQuery) -> list[CorrectedRow]:
        """As Reader.corrected."""
        return await (await self._at_its_place()).corrected(asked)

    async def counted(self, asked: CountedQuery) -> list[CountedRow]:
        """As Reader.counted."""
        return await (await self._at_its_place()).counted(asked)

    async def recent(
        self,
        *,
        org: str | None,
        filters: Mapping[str, Sequence[str]] | None = None,
        limit: int = 50,
        before: str | None = None,
        search: OperationSearch = EVERYTHING,
    ) -> list[OperationRow]:
        """As Reader.recent."""
        reader = await self._at_its_place()
        return await reader.recent(org=org, filters=filters, limit=limit, before=before, search=search)

    async def decisions(self, asked: DecisionsQuery) -> list[DecisionRow]:
        """As Reader.decisions."""
        return await (await self._at_its_place()).decisions(asked)

    async def shadowed(self, revision: str, since: datetime) -> tuple[int, int]:
        """As Reader.shadowed."""
        return await (await self._at_its_place()).shadowed(revision, since)

    async def observed(self, asked: ObservedQuery) -> Observed:
        """As Reader.observed."""
        return await (await self._at_its_place()).observed(asked)

    async def runs(self, asked: RunsQuery) -> list[RunTotals]:
        """As Reader.runs."""
        return await (await self._at_its_place()).runs(asked)

    async def variants(self, asked: VariantsQuery, *, with_likeness: bool = True) -> list[VariantTotals]:
        """As Reader.variants."""
        return await (await self._at_its_place()).variants(asked, with_likeness=with_likeness)

    async def served(self, start: datetime, end: datetime) -> list[ServedVersion]:
        """As Reader.served."""
        return await (await self._at_its_place()).served(start, end)

    async def audit(self, after: int, limit: int) -> list[AuditRow]:
        """As Reader.audit."""
        return await (await self._at_its_place()).audit(after, limit)

    async def rows_of_segment(self, segment: int) -> list[OperationRow]:
        """As Reader.rows_of_segment."""
        return await (await self._at_its_place()).rows_of_segment(segment)

    async def segments(self, *, first_ns: int | None = None, spool: str = "", after: int = 0) -> list[SegmentRow]:
        """As Reader.segments."""
        return await (await self._at_its_place()).segments(first_ns=first_ns, spool=spool, after=after)

    async def close(self) -> None:
        """Give the connections back."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    async def _at_its_place(self) -> Reader:
        url = self._settings.url or self._embedded_url()
        if url is None:
            raise TelemetryUnavailable("the embedded ClickHouse is not running yet")
        if self._reader is not None and url == self._url:
            return self._reader
        # Changed before anything is awaited: whoever asks meanwhile must neither close nor open a second time.
        old, self._url = self._reader, url
        new = self._reader = Reader(store_address(self._settings, self._home, url), self._settings)
        if old is not None:
            await old.close()
        return new
