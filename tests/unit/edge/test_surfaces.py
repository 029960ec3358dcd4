"""Whose path it is: the quick way on each call's path says what the dialects themselves would."""

import pytest

from proxy.edge.openai import MATCHED, OPENAI_SURFACE, under_base
from proxy.edge.surfaces import SURFACES, surface_of
from proxy.wire.endpoint import PATHS

OTHERS_HEADERS: tuple[dict[bytes, bytes], ...] = (
    {},
    {b"anthropic-version": b"2023-06-01"},
    {b"x-goog-api-key": b"k"},
    {b"x-api-key": b"k"},
)


@pytest.mark.parametrize("raw_path", MATCHED)
def test_no_other_dialect_claims_an_endpoint_of_openais_whatever_its_headers(raw_path: bytes) -> None:
    for headers in OTHERS_HEADERS:
        assert next(each for each in SURFACES if each.owns(raw_path, headers)) is OPENAI_SURFACE
        assert surface_of(raw_path, headers) is OPENAI_SURFACE


@pytest.mark.parametrize("raw_path", [*MATCHED, b"/v1/v1/chat/completions", b"/V1/chat/completions", b"//v1/responses"])
def test_a_path_is_matched_as_its_prefix_says(raw_path: bytes) -> None:
    matched = MATCHED.get(raw_path)
    assert (None if matched is None else matched.endpoint) == PATHS.get(under_base(raw_path))
