"""A calendar month in a time zone: what is closed."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from proxy.billing.faults import BillingError

_MONTH: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
_QUARTER_S: Final = 900


@dataclass(frozen=True, order=True)
class Period:
    """A month such as 2026-10; it has a beginning and an end only in a time zone."""

    year: int
    month: int

    @classmethod
    def of(cls, text: str) -> "Period":
        """Read `2026-10`.

        Raises:
            BillingError: it is no month.
        """
        match = _MONTH.fullmatch(text)
        if match is None:
            raise BillingError("invalid", f"{text!r} is no month; write it like 2026-10")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year}-{self.month:02d}"

    @property
    def next(self) -> "Period":
        """The month after."""
        return Period(self.year + self.month // 12, self.month % 12 + 1)

    def bounds(self, timezone: str) -> tuple[datetime, datetime]:
        """Its first instant and the first one after it, in UTC.

        Raises:
            BillingError: the zone is none, or its months do not begin on quarter-hours of UTC, as spend is summed.
        """
        try:
            zone = ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise BillingError("invalid", f"{timezone!r} is no IANA time zone") from None
        start, end = (datetime(each.year, each.month, 1, tzinfo=zone).astimezone(UTC) for each in (self, self.next))
        if start.timestamp() % _QUARTER_S or end.timestamp() % _QUARTER_S:
            raise BillingError("invalid", f"{self} does not begin or end on a quarter-hour of UTC in {timezone}")
        return start, end
