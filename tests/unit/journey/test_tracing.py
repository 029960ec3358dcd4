"""W3C trace context: what a client names is followed, what is no context is not, and sampling is the standard's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from proxy.journey.tracing import Trace, Tracing, new_span, passed_on

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01".encode()


def test_the_clients_trace_goes_on() -> None:
    trace = Tracing().begin(GOOD)
    assert (trace.trace_id, trace.parent, trace.flags) == (TRACE, SPAN, 1)
    assert len(trace.span_id) == 16 and trace.span_id != SPAN
    assert Tracing().begin(GOOD[:-2] + b"00").flags == 0, "the client does not record it, so we do not"
    assert Tracing().begin(GOOD[:-2] + b"03").flags == 3, "flags that are not ours pass"
    assert Tracing().begin(f"cc-{TRACE}-{SPAN}-01-more".encode()).trace_id == TRACE, "a later version is read as ours"


@pytest.mark.parametrize(
    "bad",
    [
        None,
        b"",
        b"garbage",
        GOOD.upper(),
        GOOD + b"-more",
        b"ff" + GOOD[2:],
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        GOOD[:-1],
        b" " + GOOD,
    ],
)
def test_what_is_no_context_begins_a_new_trace(bad: bytes | None) -> None:
    one, other = Tracing().begin(bad), Tracing().begin(bad)
    assert one.trace_id != other.trace_id != TRACE
    assert (one.parent, one.flags, len(one.trace_id)) == ("", 1, 32)


def test_the_provider_is_told_our_span_and_the_clients_state() -> None:
    headers = [(b"accept", b"*/*"), (b"traceparent", GOOD), (b"tracestate", b"a=b"), (b"traceparent", b"x")]
    span = new_span()
    ours = (b"traceparent", f"00-{TRACE}-{span}-01".encode())
    followed = passed_on(headers, Trace(TRACE, SPAN, "b" * 16, 1), span)
    assert followed == [(b"accept", b"*/*"), (b"tracestate", b"a=b"), ours]
    # A state of a trace that is not gone on with means nothing in ours.
    assert passed_on(headers, Trace(TRACE, SPAN, "", 1), span) == [(b"accept", b"*/*"), ours]


@pytest.mark.parametrize(
    ("sampler", "ratio", "of_ours", "of_a_recorded", "of_an_unrecorded"),
    [
        ("always_on", 1.0, 1, 1, 1),
        ("always_off", 1.0, 0, 0, 0),
        ("parentbased_always_on", 1.0, 1, 1, 0),
        ("parentbased_always_off", 1.0, 0, 1, 0),
        ("traceidratio", 0.0, 0, 0, 0),
        ("parentbased_traceidratio", 0.0, 0, 1, 0),
        ("traceidratio", 1.0, 1, 1, 1),
    ],
)
def test_samplers(sampler: str, ratio: float, of_ours: int, of_a_recorded: int, of_an_unrecorded: int) -> None:
    tracing = Tracing.of({"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": str(ratio)})
    found = [tracing.begin(given).flags for given in (None, GOOD, GOOD[:-2] + b"00")]
    assert found == [of_ours, of_a_recorded, of_an_unrecorded]


@given(trace=st.integers(1, 2**128 - 1), ratio=st.floats(0, 1))
def test_the_ratio_decides_as_opentelemetry_does(trace: int, ratio: float) -> None:
    """So that what is recorded upstream of us and behind us is the same calls."""
    theirs = TraceIdRatioBased(ratio).should_sample(None, trace, "").decision is Decision.RECORD_AND_SAMPLE
    given_one = f"00-{trace:032x}-{SPAN}-00".encode()
    assert bool(Tracing("traceidratio", ratio).begin(given_one).flags) is theirs
