"""What a provider's headers tell of its rate limits: how much of the tightest is left, and until when.

Sources: OpenAI, Azure, Groq and Together (`x-ratelimit-remaining-tokens`), Mistral (`…-tokens-minute`), Anthropic
(`anthropic-ratelimit-tokens-remaining`), Hugging Face (`ratelimit`, the IETF's draft); see recorded answers.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

_OPENAI: Final = b"x-ratelimit-"
_ANTHROPIC: Final = b"anthropic-ratelimit-"
_PARTS: Final = (b"limit", b"remaining", b"reset")
_USUAL_S: Final = 60.0
_SPANS_S: Final = ((b"-10-second", 10.0), (b"-minute", 60.0))
_DURATION: Final = re.compile(
    rb"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6}(?:\.\d{1,9})?)s)?(?:(\d{1,9})ms)?"
)
_LEFT: Final = re.compile(rb";\s*r=(\d{1,15})")
_RESET: Final = re.compile(rb";\s*t=(\d{1,9})")
_QUOTA: Final = re.compile(rb";\s*q=(\d{1,15})")
_EPOCH_S: Final = 1_000_000_000
_EPOCH_MS: Final = 1_000_000_000_000
_MOST_DIGITS: Final = 18
_MOST_CHARS: Final = 100


class RateLimits(Struct, frozen=True):
    """What is left of the tightest limit, as a share of it, and in how many seconds it is full again."""

    left: float
    reset_s: float


def rate_limits(headers: Iterable[tuple[bytes, bytes]], now_ns: int) -> RateLimits | None:
    """The tightest of the limits that the headers tell, names in lower case; None where they tell none.

    `now_ns` is the wall clock: some tell the moment, others the seconds till then.
    """
    told: dict[bytes, dict[bytes, bytes]] = {}
    for name, value in headers:
        if b"ratelimit" not in name or len(value) > _MOST_CHARS:
            continue
        if name.startswith(_OPENAI):
            part, _, of = name[len(_OPENAI) :].partition(b"-")
        elif name.startswith(_ANTHROPIC):
            of, _, part = name[len(_ANTHROPIC) :].rpartition(b"-")
        else:
            _draft(name, value, told)
            continue
        if part in _PARTS:
            told.setdefault(of, {})[part] = value
    found = [limit for of, parts in told.items() if (limit := _limit(of, parts, now_ns)) is not None]
    return min(found, key=lambda each: each.left, default=None)


def _draft(name: bytes, value: bytes, told: dict[bytes, dict[bytes, bytes]]) -> None:
    """The IETF's draft: `ratelimit: "api";r=999;t=295` and `ratelimit-policy: "api";q=1000;w=300`."""
    parts = told.setdefault(name.removesuffix(b"-policy"), {})
    patterns = {b"limit": _QUOTA} if name.endswith(b"-policy") else {b"remaining": _LEFT, b"reset": _RESET}
    for part, pattern in patterns.items():
        if (match := pattern.search(value)) is not None:
            parts[part] = match[1]


def _limit(of: bytes, parts: dict[bytes, bytes], now_ns: int) -> RateLimits | None:
    most, left = _whole(parts.get(b"limit", b"")), _whole(parts.get(b"remaining", b""))
    if not most or left is None:
        return None
    reset_s = _reset_s(parts[b"reset"], now_ns) if b"reset" in parts else None
    if reset_s is None:
        reset_s = next((span for ending, span in _SPANS_S if of.endswith(ending)), _USUAL_S)
    return RateLimits(min(1.0, left / most), reset_s)


def _whole(value: bytes) -> int | None:
    return int(value) if value.isdigit() and len(value) <= _MOST_DIGITS else None


def _reset_s(value: bytes, now_ns: int) -> float | None:
    """Seconds till then, told as a number, as a duration of Go (`1m30s`, `6ms`) or as a moment (RFC 3339, or since
    1970 in seconds or milliseconds)."""
    now_s = now_ns / 1e9
    if (number := _whole(value)) is not None:
        if number < _EPOCH_S:
            return float(number)
        return max(0.0, (number / 1000 if number >= _EPOCH_MS else number) - now_s)
    match = _DURATION.fullmatch(value)
    if match is not None and value:
        days, hours, minutes, seconds, millis = (float(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds + millis / 1000
    try:
        at = datetime.fromisoformat(value.decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_s)
