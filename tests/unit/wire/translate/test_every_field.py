"""Every field that an SDK's request type knows has its place in a pair's table; a new one fails here."""

import json
from typing import Any, get_type_hints

import pytest
from anthropic.types import message_create_params
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params

from proxy.wire.translate import PAIRS
from tests.unit.wire.translate.asking import CONTEXT, chat, messages, refused_field

_OPENAI = (
    completion_create_params.CompletionCreateParamsNonStreaming,
    completion_create_params.CompletionCreateParamsStreaming,
)
_ANTHROPIC = (
    message_create_params.MessageCreateParamsNonStreaming,
    message_create_params.MessageCreateParamsStreaming,
)
_RESPONSES = (
    response_create_params.ResponseCreateParamsNonStreaming,
    response_create_params.ResponseCreateParamsStreaming,
)
_TYPES = {"chat.completions": _OPENAI, "messages": _ANTHROPIC, "responses": _RESPONSES}
_BODIES = {"chat.completions": chat(), "messages": messages(), "responses": {"model": "asked-1", "input": "Hi"}}
_CLIENTS = [(client, provider) for client, provider in PAIRS if client in _TYPES]


@pytest.mark.parametrize(("client", "provider"), _CLIENTS)
def test_every_field_of_the_sdk_is_in_the_table(client: str, provider: str) -> None:
    kinds = _TYPES[client]
    known: set[str] = set().union(*(get_type_hints(kind) for kind in kinds))
    assert len(known) > 15
    assert known - set(PAIRS[client, provider].fields) == set()


@pytest.mark.parametrize(("client", "provider"), _CLIENTS)
def test_what_a_table_refuses_is_refused_and_what_it_drops_leaves_no_trace(client: str, provider: str) -> None:
    pair, body = PAIRS[client, provider], _BODIES[client]
    bare = json.loads(pair.translation()(json.dumps(body).encode(), CONTEXT).request.body)
    for name, treatment in pair.fields.items():
        odd: Any = {**body, name: "x-never-neutral"}
        if treatment.how == "refused":
            assert refused_field(pair, odd) == ("capability_missing", name)
            for neutral in treatment.neutral:
                assert refused_field(pair, {**body, name: neutral}) == ("", None)
        elif treatment.how == "dropped":
            assert json.loads(pair.translation()(json.dumps(odd).encode(), CONTEXT).request.body) == bare
