"""Chat requests as Google gets them: each field carried in its place, or refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given

from proxy.wire.translate.openai_gemini import PAIR
from proxy.wire.translate.translated import Context
from tests.harness.accumulated import whole_chat_of
from tests.unit.wire.translate.answers import Answer, gemini_answers
from tests.unit.wire.translate.asking import CONTEXT, asked, chat, refused_field

CALL = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TOOL = {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": {"type": "object"}}}
OLDER = Context(model="gemini-2.5-flash", at_s=1)


def test_the_method_and_the_model_stand_in_the_path() -> None:
    plain = PAIR.translation()(json.dumps(chat()).encode(), OLDER).request
    assert (plain.path, plain.query) == ("/v1beta/models/gemini-2.5-flash:generateContent", b"")
    streamed = PAIR.translation()(json.dumps(chat(stream=True)).encode(), OLDER).request
    assert (streamed.path, streamed.query) == ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", b"alt=sse")


def test_a_tool_conversation() -> None:
    sealed = {**CALL, "id": "fbcall_r1_0", "extra_content": {"google": {"thought_signature": "sig"}}}
    told = asked(
        PAIR,
        chat(
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Add"}, {"type": "text", "text": "it"}]},
            {"role": "assistant", "content": "On it", "tool_calls": [sealed, CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "3"},
            {"role": "tool", "tool_call_id": "fbcall_r1_0", "content": "4"},
            {"role": "user", "content": "Go on"},
            tools=[TOOL],
        ),
    )
    assert told == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Add"}, {"text": "it"}]},
            {
                "role": "model",
                "parts": [
                    {"text": "On it"},
                    {"functionCall": {"name": "add", "args": {"a": 1}}, "thoughtSignature": "sig"},
                    {"functionCall": {"name": "add", "args": {"a": 1}, "id": "call_1"}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "add", "response": {"output": "3"}, "id": "call_1"}},
                    {"functionResponse": {"name": "add", "response": {"output": "4"}}},
                ],
            },
            {"role": "user", "parts": [{"text": "Go on"}]},
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "add", "description": "Adds", "parametersJsonSchema": {"type": "object"}}
                ]
            }
        ],
    }


def test_calls_of_other_models_are_given_the_signature_that_google_has_for_them() -> None:
    body = chat(
        {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "3"},
    )
    first, second = asked(PAIR, body)["contents"][0]["parts"]
    assert first["thoughtSignature"] == "skip_thought_signature_validator"
    assert "thoughtSignature" not in second
    assert all("thoughtSignature" not in part for part in asked(PAIR, body, OLDER)["contents"][0]["parts"])


def test_settings_are_carried_under_their_names_there() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    told = asked(
        PAIR,
        chat(
            max_tokens=50,
            temperature=1.5,
            top_p=0.5,
            top_k=3,
            stop="END",
            seed=7,
            presence_penalty=0.5,
            frequency_penalty=0.25,
            reasoning_effort="low",
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        ),
    )
    assert told["generationConfig"] == {
        "temperature": 1.5,
        "topP": 0.5,
        "topK": 3,
        "maxOutputTokens": 50,
        "seed": 7,
        "presencePenalty": 0.5,
        "frequencyPenalty": 0.25,
        "stopSequences": ["END"],
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
        "thinkingConfig": {"thinkingLevel": "LOW"},
    }
    assert asked(PAIR, chat(reasoning_effort="none"), OLDER)["generationConfig"] == {
        "thinkingConfig": {"thinkingBudget": 0}
    }


@pytest.mark.parametrize(
    ("given_choice", "strict", "told"),
    [
        ("auto", False, {"mode": "AUTO"}),
        ("none", False, {"mode": "NONE"}),
        ("required", True, {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "add"}},
            False,
            {"mode": "ANY", "allowedFunctionNames": ["add"]},
        ),
        (None, True, {"mode": "VALIDATED"}),
        ("auto", True, {"mode": "VALIDATED"}),
    ],
)
def test_how_tools_are_chosen(given_choice: Any, strict: bool, told: dict[str, Any]) -> None:
    tool = {**TOOL, "function": {**TOOL["function"], "strict": strict}}  # type: ignore[dict-item]
    request = asked(PAIR, chat(tools=[tool], tool_choice=given_choice))
    assert request["toolConfig"] == {"functionCallingConfig": told}


def test_what_is_seen_and_heard() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.JPG?x=1"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    ]
    assert asked(PAIR, chat({"role": "user", "content": parts}))["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.org/cat.JPG?x=1"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}},
        {"inlineData": {"mimeType": "audio/wav", "data": "AA=="}},
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (chat(n=2), "n"),
        (chat(logprobs=True), "logprobs"),
        (chat(logit_bias={"1": 1}), "logit_bias"),
        (chat(parallel_tool_calls=False), "parallel_tool_calls"),
        (chat(reasoning_effort="none"), "reasoning_effort"),
        (chat({"role": "user", "content": "Hi"}, {"role": "system", "content": "Rhyme"}), "messages[1].role"),
        (
            chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/x"}}]}),
            "messages[0].content[0]",
        ),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    assert refused_field(PAIR, body) == ("capability_missing", field)


@given(gemini_answers())
def test_googles_own_parts_come_back_to_it(answer: Answer) -> None:
    """Calls in their order, each with its signature, under the ids that Google gave, or none where it gave none."""
    made = json.loads(answer.whole)["candidates"][0]["content"]["parts"]
    body = PAIR.translation()(json.dumps(chat()).encode(), CONTEXT).answer(200, answer.whole).body
    message = whole_chat_of(body)["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in message.get("tool_calls", ())]
    contents = asked(PAIR, chat({"role": "user", "content": "Hi"}, message, *results), OLDER)["contents"]
    parts = [part for content in contents for part in content["parts"]]
    assert [part for part in parts if "functionCall" in part] == [part for part in made if "functionCall" in part]
    texts = [part.get("text", "") for part in made if "functionCall" not in part and not part.get("thought")]
    assert "".join(part.get("text", "") for part in parts) == "Hi" + "".join(texts)
    assert len([part for part in parts if "functionResponse" in part]) == len(results)


def test_a_blocked_prompt_says_so() -> None:
    body = json.dumps({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}).encode()
    told = whole_chat_of(PAIR.translation()(json.dumps(chat()).encode(), CONTEXT).answer(200, body).body)
    assert told["finish_reason"] == "content_filter"
    assert told["message"]["refusal"] == "The prompt was blocked (SAFETY)."
    assert told["usage"]["prompt_tokens"] == 4
