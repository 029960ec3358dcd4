"""A conversation with tools over several turns: what a provider said comes back to it as it said it."""

import json
from typing import Any

from hypothesis import given

from proxy.wire.translate import anthropic_openai, openai_anthropic
from tests.harness.accumulated import whole_chat_of
from tests.unit.wire.translate.answers import Answer, anthropic_answers, chat_answers
from tests.unit.wire.translate.asking import CONTEXT, asked, chat, messages

CHAT = json.dumps(chat()).encode()
MESSAGES = json.dumps(messages()).encode()


@given(anthropic_answers())
def test_anthropics_own_blocks_come_back_to_it(answer: Answer) -> None:
    pair = openai_anthropic.PAIR
    made = json.loads(answer.whole)["content"]
    message = whole_chat_of(pair.translation()(CHAT, CONTEXT).answer(200, answer.whole).body)["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in message.get("tool_calls", ())]
    told = asked(pair, chat({"role": "user", "content": "Hi"}, message, *results, {"role": "user", "content": "On"}))
    assistant: dict[str, Any] = next(
        (each for each in told["messages"] if each["role"] == "assistant"), {"content": []}
    )
    content = assistant["content"]
    given_back = [{"type": "text", "text": content}] if isinstance(content, str) else content
    assert given_back == _joined_texts(made)
    if results:
        ids = [block["id"] for block in made if block["type"] == "tool_use"]
        (answered,) = [each for each in told["messages"] if isinstance(each["content"], list) and each is not assistant]
        assert [block["tool_use_id"] for block in answered["content"]] == ids


def _joined_texts(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks with all text in one: a chat message has but one content."""
    text = "".join(block.get("text", "") for block in blocks)
    joined: list[dict[str, Any]] = []
    for block in blocks:
        if block["type"] != "text":
            joined.append(block)
        elif not any(each["type"] == "text" for each in joined):
            joined.append({"type": "text", "text": text})
    return joined


@given(chat_answers())
def test_a_chat_providers_own_message_comes_back_to_it(answer: Answer) -> None:
    pair = anthropic_openai.PAIR
    (choice,) = json.loads(answer.whole)["choices"]
    made = choice["message"]
    content = json.loads(pair.translation()(MESSAGES, CONTEXT).answer(200, answer.whole).body)["content"]
    uses = [block for block in content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": use["id"], "content": "ok"} for use in uses]
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]
    told = asked(pair, messages(*turns, {"role": "user", "content": results or "On"}))["messages"]
    assert told[1].get("content") == (made["content"] or (None if uses else ""))
    assert _calls(told[1]) == _calls(made)
    assert [each["tool_call_id"] for each in told[2:] if results] == [call["id"] for call in made.get("tool_calls", ())]
    if uses:
        # It is still at work: what it thought goes back with its calls. Behind a new question nobody wants it.
        assert told[1].get("reasoning_content") == (made.get("reasoning_content") or made.get("reasoning"))
    else:
        assert "reasoning_content" not in told[1]


def test_details_of_a_chat_providers_reasoning_come_back_to_it() -> None:
    details = [{"type": "reasoning.encrypted", "data": "opaque", "index": 0, "format": "x"}]
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "reasoning_details": details, "tool_calls": [call]}
    whole = {"id": "x", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    pair = anthropic_openai.PAIR
    body = pair.translation()(MESSAGES, CONTEXT).answer(200, json.dumps(whole).encode()).body
    content = json.loads(body)["content"]
    result = {"type": "tool_result", "tool_use_id": "c", "content": "ok"}
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]
    told = asked(pair, messages(*turns, {"role": "user", "content": [result]}))["messages"]
    assert told[1]["reasoning_details"] == details


def _calls(message: dict[str, Any]) -> list[Any]:
    return [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls", ())
    ]
