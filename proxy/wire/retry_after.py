"""When a provider says to come again."""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(headers: Iterable[tuple[bytes, bytes]], now_ns: int) -> float | None:
    """Seconds to wait, by `retry-after-ms` (OpenAI) or `retry-after` (RFC 9110 §10.2.3: seconds, or a date).

    None where neither is told, or neither can be read. `now_ns` is the wall clock.
    """
    told: float | None = None
    for name, value in headers:
        if name == b"retry-after-ms":
            exact = _seconds(value)
            if exact is not None:
                return exact / 1000
        elif name == b"retry-after":
            told = _seconds(value)
            if told is None:
                told = _until(value, now_ns)
    return told


def _seconds(value: bytes) -> float | None:
    text = value.strip()
    whole, _, part = text.partition(b".")
    if not whole.isdigit() or (part and not part.isdigit()) or len(text) > 20:
        return None
    return float(text)


def _until(value: bytes, now_ns: int) -> float | None:
    try:
        at = parsedate_to_datetime(value.decode("ascii"))
    except (ValueError, UnicodeDecodeError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    now = datetime.fromtimestamp(now_ns / 1_000_000_000, UTC)
    return max(0.0, (at - now).total_seconds())
