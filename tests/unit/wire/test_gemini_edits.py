"""Changes of a Gemini request in place, and what is said in it."""

import json
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.endpoint import Endpoint
from proxy.wire.gemini.call_ids import without_call_ids
from proxy.wire.gemini.countable import read_countable
from proxy.wire.gemini.edit import asks_for_form, retarget, with_output_limit
from proxy.wire.gemini.policy_view import read_view
from proxy.wire.gemini.texts import texts_in
from proxy.wire.gemini.tool_results import tool_results
from proxy.wire.gemini.tool_schemas import request_tools
from proxy.wire.gemini.tools import without_tools
from proxy.wire.texts import said, with_texts
from proxy.wire.tool_calls import ToolCall
from proxy.wire.tool_results import ToolResult

GENERATE: Final = Endpoint.GENERATE_CONTENT
BATCH: Final = Endpoint.BATCH_EMBED_CONTENTS
PATH: Final = "/v1beta/models/gemini-2.5-flash:generateContent"
TALK: Final[dict[str, Any]] = {
    "contents": [
        {"role": "user", "parts": [{"text": "Hi é"}, {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}]},
        {"parts": [{"functionCall": {"id": "c1", "name": "f", "args": {"data": "d"}}}], "role": "model"},
        {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "f", "response": {"out": ["r"]}}}]},
    ],
    "system_instruction": {"parts": [{"text": "Be good"}]},
    "tools": [
        {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}, {"name": "g"}]},
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}},
}
BODY: Final = json.dumps(TALK, ensure_ascii=False).encode()


def texts(body: bytes, endpoint: Endpoint = GENERATE) -> list[tuple[str, int, str]]:
    return [(each.role, each.number, said(body, each)) for each in texts_in(endpoint, body).parts]


def test_texts_are_told_with_who_says_them() -> None:
    assert texts(BODY) == [
        ("system", 0, "Be good"),
        ("user", 1, "Hi é"),
        ("assistant", 2, "f"),
        ("assistant", 2, "d"),
        ("tool", 3, "f"),
        ("tool", 3, "r"),
    ]
    assert texts_in(GENERATE, BODY).unread == 1


def test_texts_of_embeddings_and_counts() -> None:
    batch = {"requests": [{"model": "models/m", "content": {"parts": [{"text": "a"}]}}, {"content": {"parts": []}}]}
    assert texts(json.dumps(batch).encode(), BATCH) == [("user", 0, "a")]
    count = {"generateContentRequest": {"model": "models/m", "contents": [{"parts": [{"text": "b"}]}]}}
    assert texts(json.dumps(count).encode(), Endpoint.GEMINI_COUNT_TOKENS) == [("user", 0, "b")]
    assert texts(b'{"contents":{"parts":[{"text":"c"}],"role":"user"}}') == [("user", 0, "c")]


def test_words_are_changed_where_they_stand() -> None:
    found = texts_in(GENERATE, BODY).parts[1]
    assert with_texts(BODY, [(found, [(3, 4, "X")])]) == BODY.replace("Hi é".encode(), b"Hi X")


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_every_text_of_arguments_is_seen(args: Any) -> None:
    body = {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": args}}}]}]}
    wanted = sorted(["f", *leaves(args)])
    for raw in (json.dumps(body), json.dumps(body, indent=1, ensure_ascii=False)):
        try:
            encoded = raw.encode()
        except UnicodeEncodeError:
            continue
        assert sorted(text for _, _, text in texts(encoded)) == wanted


def leaves(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [leaf for part in parts for leaf in leaves(part)]


def test_a_policy_sees_messages_tools_and_parameters() -> None:
    view = read_view(GENERATE, json.dumps({**TALK, "generationConfig": {"temperature": 1, "top_p": 0.5}}).encode())
    assert [(each.role, each.text) for each in view.messages] == [
        ("system", "Be good"),
        ("user", "Hi é"),
        ("assistant", "f\nd"),
        ("tool", "f\nr"),
    ]
    assert view.tools == (("f", "function"), ("g", "function"))
    assert view.provider_tools == ("googleSearch",)
    assert (view.params["temperature"], view.params["topP"]) == (1, 0.5)


def test_results_are_told_by_id_or_by_name() -> None:
    assert tool_results(GENERATE, BODY) == [ToolResult("c1", "f", 2)]
    body = json.dumps({"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {}}}]}]}).encode()
    assert tool_results(GENERATE, body) == [ToolResult("function_call f", "f", 0)]


def test_arguments_are_held_against_either_kind_of_schema() -> None:
    one = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER", "nullable": True}}, "required": ["n"]}
    two = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    declared = [{"name": "one", "parameters": one}, {"name": "two", "parametersJsonSchema": two}]
    tools = request_tools(json.dumps({"tools": [{"function_declarations": declared}]}).encode())
    said = {
        (name, arguments): tools.judge(ToolCall("", name, arguments, 0)).valid
        for name in ("one", "two", "three")
        for arguments in ('{"n": 1}', '{"n": null}', "{}")
    }
    assert [valid for valid in said.values()] == [True, True, False, True, False, False, False, False, False]


def test_the_input_is_counted() -> None:
    counted = read_countable(GENERATE, BODY)
    assert {"Be good", "Hi é"} <= set(counted.texts)
    assert (counted.images, counted.tools, counted.messages) == (1, 2, 6)
    batch = json.dumps({"requests": [{"content": {"parts": [{"text": "a"}]}}] * 3}).encode()
    assert read_countable(BATCH, batch).texts == ("a", "a", "a")
    assert read_countable(GENERATE, b"nonsense").texts == ("nonsense",)


def test_a_tool_is_taken_out_and_the_rest_stays() -> None:
    left = json.loads(without_tools(BODY, {"f"}))
    assert left == {
        **TALK,
        "tools": [{"functionDeclarations": [{"name": "g"}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}},
    }
    assert without_tools(BODY, {"h"}) == BODY
    nothing = json.loads(without_tools(BODY, {"f", "g", "googleSearch"}))
    assert nothing == {name: value for name, value in TALK.items() if name not in ("tools", "toolConfig")}
    assert "googleSearch" not in json.loads(without_tools(BODY, {"googleSearch"}))["tools"][-1]


def test_another_model_stands_in_path_and_body() -> None:
    assert retarget(PATH, BODY, "gemini-2.5-flash") == (PATH, BODY)
    path, body = retarget(PATH, BODY, "tuned/x")
    assert (path, body) == ("/v1beta/models/tuned%2Fx:generateContent", BODY)
    batch = b'{"requests": [{"model": "models/m", "content": {}}, {"content": {}}]}'
    assert retarget("/v1/models/m:batchEmbedContents", batch, "n") == (
        "/v1/models/n:batchEmbedContents",
        b'{"requests": [{"model": "models/n", "content": {}},{"content": {}}]}',
    )
    count = b'{"generateContentRequest":{"model":"models/m","contents":[]}}'
    assert retarget("/v1/models/m:countTokens", count, "n")[1] == count.replace(b"/m", b"/n")


def test_the_output_limit_is_lowered_in_place() -> None:
    assert with_output_limit(GENERATE, b'{"contents":[]}', 9, new_name="") == (
        b'{"generationConfig":{"maxOutputTokens":9},"contents":[]}'
    )
    for given_limit, wanted in ((b"8", b"8"), (b"10", b"9"), (b'"10"', b"9"), (b"0", b"9"), (b"null", b"9")):
        body = b'{"generation_config": {"topK": 1, "max_output_tokens": %b}}'
        assert with_output_limit(GENERATE, body % given_limit, 9, new_name="") == body % wanted


def test_an_answer_in_a_form_is_not_shortened() -> None:
    configs: list[dict[str, Any]] = [
        {"responseMimeType": "application/json"},
        {"response_json_schema": {}},
        {"responseSchema": {}},
    ]
    for config in configs:
        assert asks_for_form(json.dumps({"generationConfig": config}).encode())
    assert asks_for_form(b'{"generationConfig":{"responseModalities":["IMAGE"]}}')
    assert not asks_for_form(b'{"generationConfig":{"responseMimeType":"text/plain","responseModalities":["TEXT"]}}')
    assert not asks_for_form(BODY)


def test_ids_of_calls_are_numbered_and_nothing_else_is_changed() -> None:
    other = BODY.replace(b'"c1"', b'"c2"')
    assert without_call_ids(GENERATE, BODY) == without_call_ids(GENERATE, other) == BODY.replace(b'"c1"', b'"#0"')
    inner = b'{"contents":[{"parts":[{"functionCall":{"args":{"functionCall":{"id":"a"}},"name":"f"}}]}]}'
    assert without_call_ids(GENERATE, inner) == inner
