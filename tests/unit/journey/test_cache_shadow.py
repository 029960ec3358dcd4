"""The exact cache in shadow: every call is paid for, and its row says what a cache would have saved."""

import json
from pathlib import Path
from typing import Any

from tests.harness.emitted import DONE, chunk, ends
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
SAVED = "0.020000000"
"""1000 × $10 and 100 × $100 per million."""


def whole(finish: str = "stop", **message: Any) -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi", **message}, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": USAGE}
    return Answer(json.dumps(body).encode(), headers=JSON_HEADERS)


async def twice(worker: OneWorker, body: bytes, *, answer: Any = whole, **more: Any) -> list[str]:
    """What the rows of two calls alike say; both are made."""
    for _ in range(2):
        client = await worker.call(Client(body, **more), answer())
        assert client.status == 200 and client.text
    return [row.get("cache_status", "") for row in worker.rows()[-2:]]


async def test_the_second_of_two_calls_alike_would_have_been_saved(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        assert await twice(worker, chat()) == ["", "would_hit"]
        first, second = worker.rows()
        assert (second["outcome"], second["cost_usd"], second["cache_kind"]) == ("ok", SAVED, "exact")
        assert second["cache_would_save_usd"] == "0.020000000" and "cache_saved_usd" not in second
        assert "cache_would_save_usd" not in first


async def test_a_stream_would_have_been_saved_too(tmp_path: Path) -> None:
    def stream() -> Answer:
        usage = b"data: " + json.dumps({"id": "c", "choices": [], "usage": USAGE}).encode() + b"\n\n"
        return Answer(chunk({"role": "assistant", "content": "Hi"}), ends("stop"), usage, DONE)

    with one_worker(tmp_path) as worker:
        assert await twice(worker, chat(stream=True), answer=stream) == ["", "would_hit"]


OTHERS: list[dict[str, Any]] = [
    {"temperature": 0.5},
    {"seed": 7},
    {"messages": [{"role": "user", "content": "hello"}]},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]},
    {"response_format": {"type": "json_object"}},
    {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"model": "cheap"},
]
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
NEVER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"finish": "length"}),
    ({"seed": 1}, {"finish": "content_filter"}),
    ({"seed": 2}, {"finish": "tool_calls", "tool_calls": [CALL]}),
    ({"n": 2}, {}),
    ({"messages": [{"role": "user", "content": ""}]}, {}),
    ({"messages": [{"role": "user", "content": " \n"}]}, {}),
    ({"messages": [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "a", "content": "y"}]}, {}),
    ({"tools": [{"type": "web_search"}]}, {}),
]


async def test_another_request_is_another(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        for change in ({}, *OTHERS):
            await worker.call(Client(chat(**change)), whole())
        assert not [row for row in worker.rows() if "cache_status" in row]


async def test_a_header_that_changes_the_answer_makes_another_request(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        await worker.call(Client(chat()), whole())
        for header in ((b"openai-beta", b"x=v2"), (b"anthropic-version", b"2"), (b"accept", b"text/plain")):
            assert await twice(worker, chat(), headers=[header]) == ["", "would_hit"]


async def test_what_is_never_kept_would_save_nothing(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more="limits: {hosted_tools_ceiling_usd: 1}")) as worker:
        for request_of, answer_of in NEVER:
            seen = await twice(worker, chat(**request_of), answer=lambda told=answer_of: whole(**told))
            assert seen == ["", ""], (request_of, answer_of)


async def test_a_repeat_within_one_run_would_be_asked_anew(tmp_path: Path) -> None:
    with one_worker(tmp_path) as worker:
        one, other = ([(b"x-flyball-run", name)] for name in (b"r1", b"r2"))
        assert await twice(worker, chat(), headers=one) == ["", ""]
        assert await twice(worker, chat(), headers=other) == ["would_hit", ""]
        assert await twice(worker, chat()) == ["would_hit", "would_hit"]


async def test_an_answer_grows_stale(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more="cache: {exact: {ttl_s: 0}}")) as worker:
        assert await twice(worker, chat()) == ["", ""]


async def test_modes_of_an_organisation_and_of_a_route(tmp_path: Path) -> None:
    more = "cache: {exact: {mode: disabled}, overrides: [{org: ac*, route: m, exact: shadow}]}"
    with one_worker(tmp_path, config(more=more)) as worker:
        assert await twice(worker, chat()) == ["", "would_hit"]
        assert await twice(worker, chat(model="cheap")) == ["", ""]


async def test_a_rule_may_forbid_it(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.rego").write_text(
        'package flyball.request\nobligations contains {"type": "no_cache"} if input.model == "m"\n'
    )
    with one_worker(tmp_path, config(more="policy: {dir: rules}")) as worker:
        assert await twice(worker, chat()) == ["", ""]
        assert await twice(worker, chat(model="cheap")) == ["", "would_hit"]
