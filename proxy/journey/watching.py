"""Telling the health of targets how attempts at them go: each that began is told to be over once, however it ended."""

from typing import Final

from proxy.core.outcome import Outcome
from proxy.core.usage import Bucket, Usage
from proxy.journey.attempts.trouble import SLOW_START
from proxy.journey.rooms import Rooms
from proxy.journey.state import Attempt
from proxy.routing import Candidate, Ended, EndKind, Headroom
from proxy.upstream import UpstreamResponse
from proxy.wire.provider_errors import CONTENT_FILTER, CONTEXT_LENGTH
from proxy.wire.rate_limits import rate_limits
from proxy.wire.retry_after import retry_after_s

_UNREACHED: Final = frozenset({"connect_timeout", "refused", "dns"})
_OURS: Final = frozenset({"aborted", "shutting_down", "forbidden_address"})
"""What we did to an attempt, or did not let it do."""
_PRESSED: Final = frozenset({503, 529})
"""Statuses that ask to be left alone where they say how long; else they are faults."""
_ITS_OWN: Final = frozenset({401, 402, 403, 408})
"""Statuses below 500 that say that a target does not serve us: its key, its account, its time."""
_LIMITED: Final = 429
_OK: Final = Outcome.OK
_OUTPUT: Final = Bucket.OUTPUT
_REASONING: Final = Bucket.REASONING


def begin_watching(attempt: Attempt, candidate: Candidate | None, rooms: Rooms) -> None:
    """An attempt goes to its target."""
    attempt.watched = candidate
    if candidate is not None:
        rooms.health.began(candidate)


def watch_head(attempt: Attempt, response: UpstreamResponse, rooms: Rooms) -> None:
    """Status and headers of its answer are in. Limits that go well are read now and then only."""
    candidate, status = attempt.watched, response.status
    if candidate is None:
        return
    if status == _LIMITED or status in _PRESSED:
        attempt.leave_s = retry_after_s(response.headers, rooms.clock.now_ns())
    if status == _LIMITED or rooms.health.asks_limits(candidate):
        attempt.limits = rate_limits(response.headers, rooms.clock.now_ns())


def watch_output(attempt: Attempt, rooms: Rooms) -> None:
    """A stream's first output is in: a target that is being tried need not wait for the last."""
    if attempt.watched is not None:
        rooms.health.answered(attempt.watched, (attempt.first_output_ns - attempt.started_ns) / 1e6)


def end_watching(attempt: Attempt, rooms: Rooms) -> None:
    """An attempt is over, its outcome and usage noted. Does nothing the second time."""
    candidate, attempt.watched = attempt.watched, None
    if candidate is not None:
        rooms.health.ended(candidate, ended_of(attempt))


def ended_of(attempt: Attempt) -> Ended:
    """How an attempt ended, as its target is told."""
    limits = attempt.limits
    if not attempt.error and attempt.outcome is _OK and limits is None:
        return Ended("ok", _ttft_ms(attempt), _written(attempt.usage), (attempt.ended_ns - attempt.started_ns) / 1e6)
    error = attempt.error.removesuffix(" (not sent)")
    return Ended(
        kind_of(attempt, error),
        ttft_ms=_ttft_ms(attempt),
        output_tokens=_written(attempt.usage),
        took_ms=(attempt.ended_ns - attempt.started_ns) / 1e6,
        retry_after_s=_wait_s(attempt),
        headroom=None if limits is None else Headroom(limits.left, limits.reset_s),
        reached=error not in _UNREACHED,
    )


def kind_of(attempt: Attempt, error: str) -> EndKind:
    """Whose doing an attempt's end was; `error` is the row's word for it."""
    outcome, status = attempt.outcome, attempt.status
    if outcome is _OK:
        return "ok"
    if error == SLOW_START:
        return "slow"
    if outcome is Outcome.CANCELLED or error in _OURS:
        return "cancelled"
    if outcome not in (Outcome.UPSTREAM_ERROR, Outcome.TRUNCATED):
        return "cancelled"
    if error in (CONTEXT_LENGTH, CONTENT_FILTER):
        return "ours"
    if status == _LIMITED or (status in _PRESSED and attempt.leave_s is not None):
        return "limited"
    if 400 <= status < 500:
        return "fault" if status in _ITS_OWN and not attempt.provider.passes_credentials else "ours"
    return "fault" if status or error else "cancelled"


def _ttft_ms(attempt: Attempt) -> float | None:
    return (attempt.first_output_ns - attempt.started_ns) / 1e6 if attempt.first_output_ns else None


def _wait_s(attempt: Attempt) -> float | None:
    """How long the provider asks to be left alone: as it says, else until its limits are full again."""
    if attempt.leave_s is not None:
        return attempt.leave_s
    limits = attempt.limits
    return limits.reset_s if attempt.status == _LIMITED and limits is not None and not limits.left else None


def _written(usage: Usage) -> int:
    tokens = usage.tokens
    return tokens.get(_OUTPUT, 0) + tokens.get(_REASONING, 0)
