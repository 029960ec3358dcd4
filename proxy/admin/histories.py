"""What many scopes used, hour by hour: those asked for at once are read together, in one question to the store."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from proxy.core.clock import utc
from proxy.core.refusal import Refused
from proxy.telemetry import SpendQuery, SpendRow

MOST_TOGETHER: Final = 64
GATHER_S: Final = 0.005
"""How long the first to ask waits for others."""
MOST_LINES: Final = 50_000


class SumsReader(Protocol):
    """Who knows what was spent: telemetry's Reader."""

    async def spend(self, asked: SpendQuery) -> list[SpendRow]:
        """What was spent, by bucket and group."""
        ...


class Place(NamedTuple):
    """Where a scope's rows are: within its org, by these dimensions, with these values."""

    org: str
    dimensions: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def filters(self) -> dict[str, Sequence[str]]:
        """The scope's rows alone."""
        return {name: [value] for name, value in zip(self.dimensions, self.values, strict=True)}


class _Batch:
    """Scopes of one org and kind that wait for the same question."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, ...], Place] = {}
        self.answer: asyncio.Future[Mapping[tuple[str, ...], list[SpendRow]]] = asyncio.Future()


class Histories:
    """Hours of scopes. The first to ask of a kind asks for all who come within some milliseconds."""

    def __init__(self, reader: SumsReader) -> None:
        self._reader = reader
        self._open: dict[tuple[str, tuple[str, ...], int, int], _Batch] = {}

    async def rows(self, place: Place, starts_ns: int, ends_ns: int) -> list[SpendRow]:
        """A scope's rows by hours of UTC, in a span of whole hours.

        Raises:
            Refused: the store does not answer.
        """
        key = (place.org, place.dimensions, starts_ns, ends_ns)
        batch = self._open.get(key)
        if batch is None or len(batch.places) >= MOST_TOGETHER:
            return await self._lead(key, place, utc(starts_ns), utc(ends_ns))
        batch.places[place.values] = place
        # Whoever leads may be cancelled; the others are not, and neither may they cancel it for each other.
        await asyncio.wait([batch.answer])
        if batch.answer.cancelled():
            return await self._alone(place, utc(starts_ns), utc(ends_ns))
        return list(batch.answer.result().get(place.values, ()))

    async def _lead(
        self, key: tuple[str, tuple[str, ...], int, int], place: Place, start: datetime, end: datetime
    ) -> list[SpendRow]:
        batch = self._open[key] = _Batch()
        batch.places[place.values] = place
        try:
            await asyncio.sleep(GATHER_S)
            if self._open.get(key) is batch:
                del self._open[key]
            found = await self._together(batch, place, start, end)
            batch.answer.set_result(found)
            return list(found.get(place.values, ()))
        except Refused as refused:
            batch.answer.set_exception(refused)
            batch.answer.exception()  # seen, even where nobody else asked
            raise
        finally:
            if self._open.get(key) is batch:
                del self._open[key]
            if not batch.answer.done():
                batch.answer.cancel()

    async def _together(
        self, batch: _Batch, place: Place, start: datetime, end: datetime
    ) -> Mapping[tuple[str, ...], list[SpendRow]]:
        wanted = {
            name: sorted({values[number] for values in batch.places}) for number, name in enumerate(place.dimensions)
        }
        rows = await self._reader.spend(_query(place, start, end, wanted))
        if len(rows) >= MOST_LINES:
            # Teams and keys that nobody asked for share these names; there are too many to read along.
            return {each.values: await self._alone(each, start, end) for each in batch.places.values()}
        found: dict[tuple[str, ...], list[SpendRow]] = {}
        for row in rows:
            found.setdefault(tuple(row.group[name] for name in place.dimensions), []).append(row)
        return found

    async def _alone(self, place: Place, start: datetime, end: datetime) -> list[SpendRow]:
        return await self._reader.spend(_query(place, start, end, place.filters))


def _query(place: Place, start: datetime, end: datetime, filters: Mapping[str, Sequence[str]]) -> SpendQuery:
    return SpendQuery(
        org=place.org,
        start=start,
        end=end,
        bucket="hour",
        group_by=place.dimensions,
        filters=filters,
        limit=MOST_LINES,
    )
