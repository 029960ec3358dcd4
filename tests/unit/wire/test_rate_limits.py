"""What providers' headers tell of their rate limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.rate_limits import RateLimits, rate_limits
from tests.harness.recordings import recordings, told_when_absent

NOW_NS = 1_751_566_690_000_000_000
"""2025-07-03T18:18:10Z"""
Headers = list[tuple[bytes, bytes]]


def limits(**told: str) -> RateLimits | None:
    return rate_limits([(name.replace("_", "-").encode(), value.encode()) for name, value in told.items()], NOW_NS)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("6ms", 0.006), ("1m30s", 90), ("16.601s", 16.601), ("2h", 7200), ("0s", 0), ("1", 1), ("", 60), ("soon", 60)],
)
def test_openais_requests_and_tokens(reset: str, seconds: float) -> None:
    found = limits(
        x_ratelimit_limit_requests="100",
        x_ratelimit_remaining_requests="99",
        x_ratelimit_reset_requests="6ms",
        x_ratelimit_limit_tokens="1000",
        x_ratelimit_remaining_tokens="100",
        x_ratelimit_reset_tokens=reset,
    )
    assert found is not None
    assert found.left == 0.1
    assert found.reset_s == pytest.approx(seconds)


def test_anthropics_moments() -> None:
    found = limits(
        anthropic_ratelimit_output_tokens_limit="1000",
        anthropic_ratelimit_output_tokens_remaining="250",
        anthropic_ratelimit_output_tokens_reset="2025-07-03T18:18:16Z",
    )
    assert found == RateLimits(0.25, 6.0)


@pytest.mark.parametrize(("reset", "seconds"), [("1751566700", 10), ("1751566700000", 10), ("1", 1)])
def test_limits_without_a_name(reset: str, seconds: float) -> None:
    found = limits(x_ratelimit_limit="2", x_ratelimit_remaining="0", x_ratelimit_reset=reset)
    assert found == RateLimits(0.0, seconds)


def test_mistrals_spans() -> None:
    found = limits(x_ratelimit_limit_req_10_second="60", x_ratelimit_remaining_req_10_second="6")
    assert found == RateLimits(0.1, 10.0)


def test_the_drafts_two_headers() -> None:
    found = limits(ratelimit='"api";r=250;t=295', ratelimit_policy='"fixed window";"api";q=1000;w=300')
    assert found == RateLimits(0.25, 295.0)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"x_ratelimit_remaining_tokens": "5"},
        {"x_ratelimit_limit_tokens": "0", "x_ratelimit_remaining_tokens": "0"},
        {"x_ratelimit_limit_tokens": "-5", "x_ratelimit_remaining_tokens": "1"},
        {"x_ratelimit_limit_tokens": "X-LIMIT", "x_ratelimit_remaining_tokens": "X-REMAINING"},
        {"x_ratelimit_limit_tokens": "9" * 50, "x_ratelimit_remaining_tokens": "1"},
    ],
)
def test_what_tells_no_limit(told: dict[str, str]) -> None:
    assert limits(**told) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    b"x-ratelimit-limit-a",
                    b"x-ratelimit-remaining-a",
                    b"x-ratelimit-reset-a",
                    b"anthropic-ratelimit-a-limit",
                    b"anthropic-ratelimit-a-remaining",
                    b"anthropic-ratelimit-a-reset",
                    b"ratelimit",
                    b"ratelimit-policy",
                ]
            ),
            st.one_of(st.binary(max_size=40), st.from_regex(rb"[0-9]{1,20}[smhd]?", fullmatch=True)),
        )
    )
)
def test_no_headers_break_it(headers: Headers) -> None:
    found = rate_limits(headers, NOW_NS)
    assert found is None or (0 <= found.left <= 1 and found.reset_s >= 0)


def test_recorded_answers_tell_theirs() -> None:
    told = [each for each in recordings() if any("ratelimit-remaining" in name.lower() for name in each.headers)]
    told_when_absent(len(told))
    for each in told:
        headers = [(name.lower().encode(), value.encode()) for name, value in each.headers.items()]
        numbers = {name: value for name, value in headers if value.isdigit()}
        both = any(name.replace(b"remaining", b"limit") in numbers for name in numbers if b"remaining" in name)
        assert (rate_limits(headers, NOW_NS) is not None) is both, each.name
