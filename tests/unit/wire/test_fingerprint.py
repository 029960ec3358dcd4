"""What a provider calls the version of its model, found without reading the answer for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.fingerprint import fingerprint_in
from proxy.wire.openai.response import read_response
from proxy.wire.openai.stream import StreamTap

FIRST = b'data: {"model":"m","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'


@given(st.text(max_size=200))
def test_only_the_members_own_value_is_taken(said: str) -> None:
    quoted = {"content": f'{said}"system_fingerprint":"fp_forged"', "choices": [said]}
    assert fingerprint_in(json.dumps(quoted).encode()) == ""
    assert fingerprint_in(json.dumps({**quoted, "system_fingerprint": "fp_1"}, indent=1).encode()) == "fp_1"


@pytest.mark.parametrize("value", [None, "", "x" * 65, 'a"b', "é", 7])
def test_what_is_no_name_is_none(value: object) -> None:
    assert fingerprint_in(json.dumps({"system_fingerprint": value}, ensure_ascii=False).encode()) == ""


def test_an_answer_and_a_stream_tell_it() -> None:
    body = b'{"model":"m","choices":[],"system_fingerprint":"fp_1"}'
    assert read_response(Endpoint.CHAT, body).fingerprint == "fp_1"
    tap = StreamTap(Endpoint.CHAT, strip_usage=False)
    tap.feed(FIRST)
    tap.feed(b"data: [DONE]\n\n")
    tap.close()
    assert tap.facts.fingerprint == "fp_1"
