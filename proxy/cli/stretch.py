"""Stretches of time as they are typed: `2026-11-17`, `2026-11-01..2026-11-15`, `7d`."""

import argparse
import re
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_LENGTH: Final = re.compile(r"([1-9][0-9]{0,3})([hdw])")
_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}
WRITTEN: Final = "a day such as 2026-11-17, or a moment such as 2026-11-17T09:30"


class Stretch(NamedTuple):
    """From a moment up to, not including, another."""

    start: datetime
    end: datetime


def zone(text: str) -> ZoneInfo:
    """An IANA time zone, for argparse."""
    try:
        return ZoneInfo(text)
    except (ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is no IANA time zone such as Europe/Berlin") from None


def moment(text: str, where: ZoneInfo) -> datetime:
    """A moment as it is typed; a day is its midnight, and what names no zone is of this one.

    Raises:
        SystemExit: it is neither.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SystemExit(f"flyball: {text!r} is not {WRITTEN}") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=where)


def length(text: str) -> timedelta:
    """A length such as 12h, 7d or 2w.

    Raises:
        SystemExit: it is none.
    """
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise SystemExit(f"flyball: {text!r} is not a length such as 12h, 7d or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def earlier(at: datetime, by: timedelta) -> datetime:
    """So long before, by the calendar of the moment's zone: the same time of day even where the clock was changed."""
    return at - by if by % timedelta(days=1) else (at.replace(tzinfo=None) - by).replace(tzinfo=at.tzinfo)


def stretch(text: str, where: ZoneInfo) -> Stretch:
    """A whole day, or `FROM..TO` with whole days at both ends unless a time of day is said.

    Raises:
        SystemExit: it is neither, or ends before it begins.
    """
    first, dots, last = text.partition("..")
    start, end = moment(first, where), moment(last if dots else first, where)
    if _is_day(last if dots else first):
        end = earlier(end, timedelta(days=-1))
    if end <= start:
        raise SystemExit(f"flyball: {text!r} ends before it begins; write a day, or FROM..TO")
    return Stretch(start, end)


def _is_day(text: str) -> bool:
    return "T" not in text and " " not in text
