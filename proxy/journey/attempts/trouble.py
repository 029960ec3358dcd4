"""What is wrong with an attempt whose client has not got a byte yet, in the classes that a route's settings name."""

from collections.abc import Iterable
from typing import Final

from proxy.routing import Fault, Trigger
from proxy.upstream import UpstreamFailed, UpstreamResponse
from proxy.wire.provider_errors import ErrorKind, is_spent, kind_of_error, kind_of_status, meaning_of, meaning_of_end
from proxy.wire.retry_after import retry_after_s

TIMEOUTS: Final = frozenset({"connect_timeout", "first_byte_timeout", "idle_timeout", "total_timeout"})
NOT_SENT: Final = " (not sent)"
"""How a row says that a provider never got the request, and so cannot charge for it."""
SLOW_START: Final = "slow_start"
_FILTERED: Final = "content_filter"


def fault_of_failure(failure: UpstreamFailed) -> Fault:
    """An attempt that got no answer, or none that was whole."""
    if not failure.sent:
        return Fault("unreachable", failure.kind + NOT_SENT)
    return Fault("timeout" if failure.kind in TIMEOUTS else "broken", failure.kind, billed=True)


def fault_of_refusal(response: UpstreamResponse, body: bytes, now_ns: int) -> Fault:
    """An answer of status 400 or more; `body` as it reads. Nobody charges for those."""
    kind = kind_of_status(response.status)
    if kind == "request" and meaning_of(body) is not None:
        kind = kind_of_error(body)
    return Fault(
        _trigger(kind),
        meaning_of(body) or f"http_{response.status}",
        repeatable=not _is_final(response.headers) and not is_spent(body),
        wait_s=retry_after_s(response.headers, now_ns),
    )


def fault_of_error(error: bytes) -> Fault:
    """An error within an answer of status 200; the prompt may be charged for."""
    said = meaning_of(error) or "in_band_error"
    return Fault(_trigger(kind_of_error(error)), said, billed=True, repeatable=not is_spent(error))


def is_filtered(finish_reason: str | None) -> bool:
    """Whether an answer ended because of what it, or its prompt, says."""
    return finish_reason is not None and _FILTERED in (finish_reason, meaning_of_end(finish_reason))


def _trigger(kind: ErrorKind) -> Trigger | None:
    return None if kind == "request" else kind


def _is_final(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"x-should-retry" and value.strip().lower() == b"false" for name, value in headers)
