"""W3C trace context: taken in from the client, passed on upstream, with a span for the operation and each attempt.

Nothing of OpenTelemetry is loaded in a worker: it makes ids, which stand in the rows; spans are made of the rows where
they are shipped.
"""

import os
import random
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_TRACEPARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE: Final = b"0" * 32
_NO_SPAN: Final = b"0" * 16
SAMPLED: Final = 1
_noise = random.Random(os.urandom(32))
os.register_at_fork(after_in_child=lambda: _noise.seed(os.urandom(32)))


class Trace(msgspec.Struct, frozen=True):
    """Where a call stands in a trace; ids in hex. `parent` is the client's span, empty where it named none."""

    trace_id: str
    span_id: str
    parent: str
    flags: int


class Tracing:
    """Begins traces, and decides which are recorded, as the standard sampler of that name does."""

    def __init__(self, sampler: str = "parentbased_always_on", ratio: float = 1.0) -> None:
        self._follows = sampler.startswith("parentbased_")
        name = sampler.removeprefix("parentbased_")
        ratio = {"always_on": 1.0, "always_off": 0.0}.get(name, ratio)
        self._bound = round(ratio * (1 << 64))

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Tracing":
        """By `OTEL_TRACES_SAMPLER` and its `_ARG`, which have been checked."""
        sampler = environment.get("OTEL_TRACES_SAMPLER") or "parentbased_always_on"
        return cls(sampler, float(environment.get("OTEL_TRACES_SAMPLER_ARG") or 1))

    def begin(self, traceparent: bytes | None) -> Trace:
        """The operation's own span: in the client's trace if it named a valid one, else in a new one."""
        given = _TRACEPARENT.fullmatch(traceparent) if traceparent is not None else None
        if given is None or not _is_valid(given):
            trace_id = f"{_noise.getrandbits(128) or 1:032x}"
            return Trace(trace_id, new_span(), "", SAMPLED if self._takes(trace_id) else 0)
        trace_id, flags = given[2].decode(), int(given[4], 16)
        sampled = bool(flags & SAMPLED) if self._follows else self._takes(trace_id)
        return Trace(trace_id, new_span(), given[3].decode(), flags & ~SAMPLED | sampled)

    def _takes(self, trace_id: str) -> bool:
        return int(trace_id[16:], 16) < self._bound


def new_span() -> str:
    """A fresh span id."""
    return f"{_noise.getrandbits(64) or 1:016x}"


def passed_on(headers: Sequence[tuple[bytes, bytes]], trace: Trace, span_id: str) -> list[tuple[bytes, bytes]]:
    """The headers with the attempt's span as the provider's parent; the client's state goes on with its trace only."""
    dropped = (b"traceparent",) if trace.parent else (b"traceparent", b"tracestate")
    kept = [pair for pair in headers if pair[0] not in dropped]
    return [*kept, (b"traceparent", f"00-{trace.trace_id}-{span_id}-{trace.flags:02x}".encode())]


def _is_valid(given: re.Match[bytes]) -> bool:
    """By the recommendation: no version ff, no id of zeros, and nothing behind the flags in version 00."""
    is_known = given[1] != b"ff" and not (given[1] == b"00" and given[5])
    return is_known and given[2] != _NO_TRACE and given[3] != _NO_SPAN
