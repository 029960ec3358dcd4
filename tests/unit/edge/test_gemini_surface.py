"""Which paths are Gemini's, what of its query goes on, and where its clients' keys are found."""

import pytest

from proxy.core.refusal import Refusal, Refused
from proxy.edge.gemini import GEMINI_SURFACE, match, own, passed_on, secret
from proxy.edge.surfaces import surface_of
from proxy.wire.endpoint import Endpoint

GOOGLE = {b"x-goog-api-key": b"k"}


@pytest.mark.parametrize(
    ("path", "query", "endpoint"),
    [
        (b"/v1beta/models/m:generateContent", b"", Endpoint.GENERATE_CONTENT),
        (b"/v1/models/m:generateContent", b"", Endpoint.GENERATE_CONTENT),
        (b"/v1/models/m%3AgenerateContent", b"", Endpoint.GENERATE_CONTENT),
        (b"/gemini/v1beta/models/m:streamGenerateContent", b"alt=sse", Endpoint.GENERATE_CONTENT),
        (b"/v1beta/models/m:streamGenerateContent", b"key=k&%24alt=sse", Endpoint.GENERATE_CONTENT),
        (b"/v1beta/models/m:streamGenerateContent", b"", Endpoint.GENERATE_CONTENT_LIST),
        (b"/v1beta/models/m:streamGenerateContent", b"alt=json", Endpoint.GENERATE_CONTENT_LIST),
        (b"/v1/projects/p/locations/l/publishers/google/models/m:countTokens", b"", Endpoint.GEMINI_COUNT_TOKENS),
        (b"/v1beta1/publishers/google/models/m:embedContent", b"", Endpoint.EMBED_CONTENT),
        (b"/v1beta/models/m:batchEmbedContents", b"prettyPrint=false", Endpoint.BATCH_EMBED_CONTENTS),
    ],
)
def test_paths_of_the_dialect(path: bytes, query: bytes, endpoint: Endpoint) -> None:
    assert surface_of(path, {}) is GEMINI_SURFACE
    matched = match(path, query)
    assert matched is not None
    assert matched.endpoint is endpoint
    assert not matched.path.startswith("/gemini")


@pytest.mark.parametrize("path", [b"/v1/models", b"/v1/models/m", b"/v1/chat/completions", b"/models/m"])
def test_paths_of_openais_stay_its_own(path: bytes) -> None:
    assert surface_of(path, {}) is not GEMINI_SURFACE
    assert (surface_of(path, GOOGLE) is GEMINI_SURFACE) is path.startswith(b"/v1/models")


@pytest.mark.parametrize(
    "query", [b"fields=candidates", b"%24fields=a", b"callback=f", b"alt=proto", b"alt=sse&alt=json", b"$httpHeaders=a"]
)
def test_parameters_that_hide_usage_are_refused(query: bytes) -> None:
    with pytest.raises(Refused) as refused:
        match(b"/v1beta/models/m:generateContent", query)
    assert refused.value.why is Refusal.INVALID_REQUEST


def test_a_credential_ends_here() -> None:
    assert passed_on(b"alt=sse&key=secret&x=1") == b"alt=sse&x=1"
    assert passed_on(b"k%65y=secret") == b""
    assert passed_on(b"access_token=a&oauth_token=b&keys=1") == b"keys=1"


def test_a_key_is_found_wherever_the_sdk_puts_it() -> None:
    assert secret({}, b"alt=sse&key=a%2Bb") == "a+b"
    assert secret({b"x-goog-api-key": b"h"}, b"key=q") == "h"
    assert secret({b"x-flyball-key": b"f", b"authorization": b"Bearer t"}, b"key=q") == "f"
    assert secret({b"authorization": b"Bearer t"}, b"") == "t"
    assert secret({}, b"key=a&key=b") == ""


def test_models_are_told_in_googles_words() -> None:
    told = own(b"/v1beta/models", "GET", ["a", "b"])
    assert isinstance(told, dict)
    assert [each["name"] for each in told["models"]] == ["models/a", "models/b"]
    assert own(b"/gemini/v1beta/models/a", "GET", ["a"]) == told["models"][0]
    for path, method, why in (
        (b"/v1beta/models/c", "GET", Refusal.MODEL_NOT_FOUND),
        (b"/v1beta/models", "POST", Refusal.METHOD_NOT_ALLOWED),
        (b"/v1beta/files", "GET", Refusal.PATH_NOT_FOUND),
        (b"/v1beta/models/m:predict", "POST", Refusal.PATH_NOT_FOUND),
    ):
        with pytest.raises(Refused) as refused:
            own(path, method, ["a"])
        assert refused.value.why is why
