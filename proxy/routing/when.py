"""Conditions of a route, on what is known of a call before it is decided where it goes."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from proxy.routing.globs import any_of, matches
from proxy.routing.settings import Capability, WhenSettings

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NS_PER_MINUTE: Final = 60_000_000_000


class CallFacts(Struct, frozen=True, kw_only=True):
    """What a condition may look at. `tags` are those pinned on the key, `claimed_tags` those and the client's own.

    `at_ns` is wall-clock. `asks` is what the request asks of a model, found out where some route needs to know.
    """

    org: str = ""
    team: str = ""
    agent: str = ""
    step: str = ""
    tags: Mapping[str, str] = {}
    claimed_tags: Mapping[str, str] = {}
    request_bytes: int = 0
    at_ns: int = 0
    asks: frozenset[Capability] = frozenset()


Holds: TypeAlias = Callable[[CallFacts], bool]


class Condition:
    """A route's `when`, made ready: all that it says must hold."""

    __slots__ = ("_every", "_of_caller")

    def __init__(self, when: WhenSettings) -> None:
        self._of_caller = tuple(_of_caller(when))
        self._every = (*self._of_caller, *_of_call(when))

    def holds(self, facts: CallFacts) -> bool:
        """Whether the call is one of those that are meant."""
        for each in self._every:  # noqa: SIM110  a generator would double what it costs
            if not each(facts):
                return False
        return True

    def may_hold(self, facts: CallFacts) -> bool:
        """Whether a call of this caller could be one of them: by org, team and pinned tags alone."""
        return all(each(facts) for each in self._of_caller)


def when_problems(when: WhenSettings) -> Iterator[tuple[str, str]]:
    """What of a condition cannot be meant so: the key, and what is wrong with it."""
    try:
        ZoneInfo(when.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield "timezone", f"is no IANA timezone: {when.timezone!r}"
    for at, hours in enumerate(when.hours):
        try:
            _minutes(hours)
        except ValueError:
            yield f"hours[{at}]", f"must be like 09:00-17:00 or 22:00-06:00; it is {hours!r}"
    if when.min_bytes is not None and when.max_bytes is not None and when.min_bytes > when.max_bytes:
        yield "min_bytes", "is above max_bytes, so no request could match"


def _of_caller(when: WhenSettings) -> Iterator[Holds]:
    if when.orgs:
        is_org = any_of(when.orgs)
        yield lambda facts: is_org(facts.org)
    if when.teams:
        is_team = any_of(when.teams)
        yield lambda facts: is_team(f"{facts.org}/{facts.team}")
    for key, pattern in when.tags.items():
        yield _tagged(key, pattern, claimed=False)


def _of_call(when: WhenSettings) -> Iterator[Holds]:
    if when.agents:
        is_agent = any_of(when.agents)
        yield lambda facts: is_agent(facts.agent)
    if when.steps:
        is_step = any_of(when.steps)
        yield lambda facts: is_step(facts.step)
    for key, pattern in when.claimed_tags.items():
        yield _tagged(key, pattern, claimed=True)
    if when.min_bytes is not None:
        least = when.min_bytes
        yield lambda facts: facts.request_bytes >= least
    if when.max_bytes is not None:
        most = when.max_bytes
        yield lambda facts: facts.request_bytes <= most
    if when.hours or when.days:
        yield _within(when)
    if when.asks:
        wanted = frozenset(when.asks)
        yield lambda facts: wanted <= facts.asks
    if when.lacks:
        unwanted = frozenset(when.lacks)
        yield lambda facts: unwanted.isdisjoint(facts.asks)


def _tagged(key: str, pattern: str, *, claimed: bool) -> Holds:
    is_value = matches(pattern)
    if claimed:
        return lambda facts: key in facts.claimed_tags and is_value(facts.claimed_tags[key])
    return lambda facts: key in facts.tags and is_value(facts.tags[key])


def _within(when: WhenSettings) -> Holds:
    """Whether a moment is within the hours of the days, by the clocks of the timezone; remembered by the minute."""
    zone = ZoneInfo(when.timezone)
    days = frozenset(DAYS.index(day) for day in when.days) or frozenset(range(7))
    spans = [_minutes(hours) for hours in when.hours] or [(0, 24 * 60)]
    known: dict[int, bool] = {}

    def holds(facts: CallFacts) -> bool:
        minute = facts.at_ns // _NS_PER_MINUTE
        if minute not in known:
            known.clear()
            known[minute] = any(_is_within(_local(minute, zone), days, span) for span in spans)
        return known[minute]

    return holds


def _local(minute: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC).astimezone(zone)


def _is_within(at: datetime, days: frozenset[int], span: tuple[int, int]) -> bool:
    """A span over midnight belongs to the day that it begins on."""
    start, end = span
    minute = at.hour * 60 + at.minute
    if start < end:
        return at.weekday() in days and start <= minute < end
    if minute >= start:
        return at.weekday() in days
    return minute < end and (at - timedelta(days=1)).weekday() in days


def _minutes(hours: str) -> tuple[int, int]:
    start, dash, end = hours.partition("-")
    if not dash:
        raise ValueError(hours)
    span = _minute(start), _minute(end)
    if span[0] == span[1]:
        raise ValueError(hours)
    return span


def _minute(text: str) -> int:
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2):
        raise ValueError(text)
    minute = int(hours) * 60 + int(minutes)
    if minute > 24 * 60 or int(minutes) > 59:
        raise ValueError(text)
    return minute
