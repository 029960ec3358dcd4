"""Content codings, both ways and bounded."""

import gzip
import zlib

import lz4.frame
import pytest
from backports import zstd

from proxy.telemetry.embedded.coding import deflated, inflated
from proxy.telemetry.embedded.statement import BadRequest

TEXT = b"flyball " * 1000
CODED = {
    "gzip": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "lz4": lz4.frame.compress(TEXT),
    "zstd": zstd.compress(TEXT),
}


@pytest.mark.parametrize("name", CODED)
def test_every_coding_is_inflated(name: str) -> None:
    assert inflated(CODED[name], name, bound=10**6) == TEXT


@pytest.mark.parametrize("name", CODED)
def test_more_than_the_bound_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="larger"):
        inflated(CODED[name], name, bound=len(TEXT) - 1)


@pytest.mark.parametrize("name", [*CODED, "br"])
def test_broken_or_unknown_bodies_are_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        inflated(b"\x00not compressed at all", name, bound=10**6)


def test_no_coding_is_the_body_itself() -> None:
    assert inflated(TEXT, "", bound=1) == TEXT
    assert inflated(TEXT, "identity", bound=1) == TEXT


@pytest.mark.parametrize(
    ("accepted", "chosen"), [("lz4,zstd", "lz4"), ("br, gzip;q=0.5", "gzip"), ("br", None), ("", None)]
)
def test_the_answer_takes_the_first_known_coding(accepted: str, chosen: str | None) -> None:
    content, coding = deflated(TEXT, accepted)
    assert coding == chosen
    assert (inflated(content, coding, bound=10**6) if coding else content) == TEXT


def test_small_answers_stay_plain() -> None:
    assert deflated(b"1\n", "gzip") == (b"1\n", None)
