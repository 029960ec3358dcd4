"""Azure's paths: whose they are, which model they name, and what goes on to a provider."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.refusal import Refused
from proxy.edge.azure import AZURE_SURFACE, match, passed_on, place
from proxy.edge.openai import OPENAI_SURFACE, under_base
from proxy.edge.surface import Matched
from proxy.edge.surfaces import surface_of
from proxy.wire.endpoint import PATHS, Endpoint
from proxy.wire.multipart import read_form
from proxy.wire.openai.azure import with_deployment
from proxy.wire.place import Does

JSON = b"application/json"
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@pytest.mark.parametrize("path", PATHS)
def test_below_a_deployment_stands_every_endpoint(path: str) -> None:
    raw = f"/openai/deployments/my%2Fmodel{path}".encode()
    assert surface_of(raw, {}) is AZURE_SURFACE
    assert match(raw, b"api-version=2024-10-21") == Matched(PATHS[path], path, "my/model")


@pytest.mark.parametrize(
    "raw",
    [
        b"/openai/deployments//chat/completions",
        b"/openai/deployments/%20/chat/completions",
        b"/openai/deployments/a%0d%0ab/chat/completions",
        b"/openai/deployments/" + b"a" * 513 + b"/chat/completions",
        b"/openai/deployments/m/chat/completions/",
        b"/openai/deployments/m/Chat/completions",
        b"/openai/deployments/m/v1/chat/completions",
        b"/openai/deployments/m",
        b"/openai/deployments",
    ],
)
def test_what_names_no_model_is_no_endpoint(raw: bytes) -> None:
    assert match(raw, b"") is None
    assert raw == b"/openai/deployments" or place("POST", raw) is None, "nothing below a deployment is passed on"


def test_without_a_deployment_paths_are_openais() -> None:
    assert match(b"/openai/responses", b"api-version=preview") == Matched(Endpoint.RESPONSES, "/responses")
    placed = place("POST", b"/openai/files")
    assert placed is not None and (placed.matched.path, placed.place.does) == ("/files", Does.MAKE)
    assert under_base(b"/openai/models") == "/models"
    for raw in (b"/openai/v1/responses", b"/openai/v1/files", b"/openai", b"/openaix/files"):
        assert surface_of(raw, {}) is OPENAI_SURFACE


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        (b"", b""),
        (b"api-version=2024-10-21", b""),
        (b"a=1&api%2Dversion=x&b=%20", b"a=1&b=%20"),
        (b"api-versions=x", b"api-versions=x"),
    ],
)
def test_the_version_of_azures_interface_ends_here(query: bytes, rest: bytes) -> None:
    assert passed_on(query) == rest


@given(st.dictionaries(st.text(max_size=6), values, max_size=4), names, st.booleans())
def test_the_deployment_is_the_model_and_all_else_stays(body: dict[str, Any], name: str, spaced: bool) -> None:
    sent = json.dumps(body, indent=1 if spaced else None).encode()
    given = with_deployment(JSON, sent, name)
    assert json.loads(given) == {**body, "model": name}
    assert with_deployment(JSON, given, name) == given
    assert given.endswith(sent[sent.index(b"{") + 1 :]) or "model" in body


@pytest.mark.parametrize("body", [b"", b"[]", b'{"a":', b"\xff{}"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        with_deployment(JSON, body, "m")


@pytest.mark.parametrize("fields", [b"", b'--X\r\ncontent-disposition: form-data; name="model"\r\n\r\nother\r\n'])
def test_a_form_gets_its_model_too(fields: bytes) -> None:
    body = fields + b'--X\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nsound\r\n--X--\r\n'
    kind = b"multipart/form-data; boundary=X"
    form = read_form(kind, with_deployment(kind, body, "whisper"))
    assert form.text("model") == "whisper"
    (file,) = form.files("file")
    assert form.body[file.start : file.end] == b"sound"


def test_a_form_that_is_none_is_left_to_who_reads_it() -> None:
    assert with_deployment(b"multipart/form-data; boundary=X", b"--Y\r\n", "m") == b"--Y\r\n"
