"""The stretches of time a page can show, cut into equal slots that start on round moments."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """One choice of the range picker: its name on the wire, its words, its length and the length of a slot."""

    name: str
    words: str
    length: timedelta
    slot: timedelta


SPANS: Final = (
    Span(name="1h", words="Last hour", length=timedelta(hours=1), slot=timedelta(minutes=5)),
    Span(name="24h", words="Last 24 hours", length=timedelta(hours=24), slot=timedelta(hours=1)),
    Span(name="7d", words="Last 7 days", length=timedelta(days=7), slot=timedelta(hours=6)),
    Span(name="30d", words="Last 30 days", length=timedelta(days=30), slot=timedelta(days=1)),
)
DEFAULT: Final = SPANS[1]


@dataclass(frozen=True, slots=True)
class Window:
    """A span laid on the clock: `start` included, `end` excluded, both on slot borders, the running slot included."""

    span: Span
    start: datetime
    end: datetime

    @property
    def slots(self) -> tuple[datetime, ...]:
        """The start of every slot, in order."""
        number = (self.end - self.start) // self.span.slot
        return tuple(self.start + self.span.slot * index for index in range(number))

    @property
    def before(self) -> "Window":
        """The window of the same length that ended where this one starts."""
        return Window(self.span, self.start - (self.end - self.start), self.start)


def span_named(name: str | None) -> Span:
    """The span of that name, or the day when there is none."""
    return next((span for span in SPANS if span.name == name), DEFAULT)


def window(span: Span, now: datetime) -> Window:
    """The span that ends with the slot `now` lies in."""
    since_epoch = now - datetime(1970, 1, 1, tzinfo=UTC)
    end = now - since_epoch % span.slot + span.slot
    return Window(span, end - span.length, end)
