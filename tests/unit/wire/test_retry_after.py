"""When a provider says to come again, in each way it may say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.retry_after import retry_after_s

NOW_NS = 1_796_000_000_000_000_000  # 2026-11-30 00:53:20 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([(b"retry-after", b"7")], 7.0),
        ([(b"retry-after", b"0.5")], 0.5),
        ([(b"retry-after", b"9"), (b"retry-after-ms", b"250")], 0.25),
        ([(b"retry-after-ms", b"soon"), (b"retry-after", b"9")], 9.0),
        ([(b"retry-after", b"Mon, 30 Nov 2026 00:53:30 GMT")], 10.0),
        ([(b"retry-after", b"Mon, 30 Nov 2026 00:53:00 GMT")], 0.0),
        ([(b"retry-after", b"-1")], None),
        ([(b"retry-after", b"nan")], None),
        ([(b"date", b"7")], None),
    ],
)
def test_what_headers_say(headers: list[tuple[bytes, bytes]], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW_NS) == seconds


@given(st.binary(max_size=40))
def test_any_value_is_a_wait_or_none(value: bytes) -> None:
    told = retry_after_s([(b"retry-after", value)], NOW_NS)
    assert told is None or told >= 0
