"""What of a board is asked for: the time, and the values chosen; read from an address, written into one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from proxy.admin.console.boards.shipped import Board, Choice

RANGES: Final[Mapping[str, tuple[str, timedelta]]] = {
    "1h": ("Last hour", timedelta(hours=1)),
    "6h": ("Last 6 hours", timedelta(hours=6)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "90d": ("Last 90 days", timedelta(days=90)),
}
DEFAULT: Final = "24h"
MOST_SLOTS: Final = 60
LONGEST: Final = timedelta(days=400)
_STEPS_S: Final = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 7 * 86400)
_MOST_TEXT: Final = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardAsked:
    """A range of time and the chosen values. `problem` says what could not be read, and was not heeded."""

    range: str
    start: datetime
    end: datetime
    chosen: Mapping[str, Sequence[str]]
    problem: str = ""

    def interval_s(self, shortest_s: int) -> int:
        """How long a bar stands for, so that there are not too many."""
        length_s = (self.end - self.start).total_seconds()
        fitting = (step for step in _STEPS_S if step >= shortest_s and length_s / step <= MOST_SLOTS)
        return next(fitting, _STEPS_S[-1])

    @property
    def query(self) -> dict[str, str]:
        """The same as the parameters of an address."""
        custom = {"since": f"{self.start:%Y-%m-%dT%H:%M}", "until": f"{self.end:%Y-%m-%dT%H:%M}"}
        values = {name: values[0] for name, values in self.chosen.items() if values}
        return {**({"range": self.range} if self.range else custom), **values}


def read_asked(board: Board, given: Mapping[str, str], now: datetime) -> BoardAsked:
    """What an address asks of a board; what is none is left out and told."""
    chosen, problem = _chosen(board.choices, given)
    since, until = _moment(given.get("since", "")), _moment(given.get("until", ""))
    if since is not None or until is not None:
        end = until or now
        start = since or end - RANGES[DEFAULT][1]
        if start < end <= start + LONGEST:
            return BoardAsked(range="", start=start, end=end, chosen=chosen, problem=problem)
        problem = f"From must lie before Until, by {LONGEST.days} days at most; the last 24 hours are shown."
    name = given.get("range", "") if given.get("range", "") in RANGES else DEFAULT
    return BoardAsked(range=name, start=now - RANGES[name][1], end=now, chosen=chosen, problem=problem)


def _chosen(choices: Sequence[Choice], given: Mapping[str, str]) -> tuple[dict[str, Sequence[str]], str]:
    chosen, problem = dict[str, Sequence[str]](), ""
    for choice in choices:
        text = given.get(choice.name, "").strip()[:_MOST_TEXT] or choice.default or ""
        if choice.name == "timezone" and text and not _is_zone(text):
            problem, text = f"“{text}” is no IANA time zone; days are those of UTC.", choice.default or "UTC"
        if text:
            chosen[choice.name] = (text,)
    return chosen, problem


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
