"""Clients of LiteLLM's proxy send members of its own: a key may let them, and then they are read and taken out."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, Upstream, config, one_worker

BODY = json.dumps({"model": "m", "choices": [], "usage": {"prompt_tokens": 8, "completion_tokens": 2}}).encode()
PLAIN = (
    b'{"model": "m", "max_tokens":  5, "x_unknown": [1, {"tags": 2}],\n '
    b'"messages": [{"role": "user", "content": "hi"}]}'
)
COMPAT = "key_env: BOT_KEY, tags: {env: prod}, compat: {litellm: true}"


@asynccontextmanager
async def house(folder: Path, key: str = COMPAT) -> AsyncIterator[OneWorker]:
    with one_worker(folder, config().replace("key_env: BOT_KEY", key)) as made:
        try:
            yield made
        finally:
            await made.parts.ledger.close()


async def asked(worker: OneWorker, body: bytes, *headers: tuple[bytes, bytes]) -> tuple[Client, bytes, dict[str, Any]]:
    """The call, what the provider was sent, and the row."""
    client = await worker.call(Client(body, headers=list(headers)), Answer(BODY, headers=JSON_HEADERS))
    transport = worker.rooms.transport
    assert isinstance(transport, Upstream)
    return client, transport.seen[-1].body if transport.seen else b"", worker.rows()[-1]


async def test_its_members_are_taken_out_and_every_other_byte_stays(tmp_path: Path) -> None:
    theirs = (
        b'"metadata": {"tags": ["feature:search", "batch", "env=dev"], "session_id": "s-1", "other": [{}]}, '
        b'"num_retries": 2, "fallbacks": [{"m": ["x"]}], '
    )
    body = PLAIN.replace(b'"max_tokens"', theirs + b'"max_tokens"')
    async with house(tmp_path) as worker:
        client, sent, row = await asked(worker, body)
        assert client.status == 200 and sent == PLAIN
        assert row["run"] == "s-1"
        assert row["tags"] == {"feature": "search", "batch": "true", "env": "prod"}  # what is pinned wins
        _, _, row = await asked(worker, body, (b"x-flyball-tags", b"feature=mine"), (b"x-flyball-run", b"r"))
        assert (row["run"], row["tags"]["feature"], row["tags"]["batch"]) == ("r", "mine", "true")


@pytest.mark.parametrize(
    ("member", "run", "tags"),
    [
        ('"tags": ["a b", "c:d"]', "", {"a-b": "true", "c": "d"}),
        ('"litellm_metadata": {"session_id": "lm", "tags": ["t"]}', "lm", {"t": "true"}),
        ('"litellm_session_id": "ls", "metadata": {"session_id": "other"}', "ls", {}),
        ('"litellm_trace_id": "lt"', "lt", {}),
        ('"metadata": null, "tags": {"not": "a list"}', "", {}),
    ],
)
async def test_where_a_run_and_tags_may_stand(tmp_path: Path, member: str, run: str, tags: dict[str, str]) -> None:
    async with house(tmp_path) as worker:
        body = PLAIN.replace(b'"max_tokens"', member.encode() + b', "max_tokens"')
        client, sent, row = await asked(worker, body)
        assert client.status == 200 and sent == PLAIN
        assert (row.get("run", ""), row["tags"]) == (run, {**tags, "env": "prod"})


@pytest.mark.parametrize("member", ["guardrails", "mock_response", "api_base", "prompt_id"])
async def test_what_would_make_another_call_of_it_is_refused_by_name(tmp_path: Path, member: str) -> None:
    async with house(tmp_path) as worker:
        body = PLAIN.replace(b'"max_tokens"', f'"{member}": "x", "max_tokens"'.encode())
        client, sent, row = await asked(worker, body)
        error = json.loads(client.text)["error"]
        assert (client.status, error["code"], error["param"]) == (400, "capability_missing", member)
        assert not sent and row["code"] == "capability_missing"


async def test_a_key_without_it_passes_all_of_them_on(tmp_path: Path) -> None:
    async with house(tmp_path, "key_env: BOT_KEY") as worker:
        body = PLAIN.replace(b'"max_tokens"', b'"num_retries": 2, "guardrails": ["pii"], "max_tokens"')
        client, sent, _ = await asked(worker, body)
        assert client.status == 200 and sent == body


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"model": "m", "tags": ["x"]'])
async def test_what_is_no_object_is_refused_as_ever(tmp_path: Path, body: bytes) -> None:
    async with house(tmp_path) as worker:
        client, sent, _ = await asked(worker, body)
        assert client.status == 400 and json.loads(client.text)["error"]["code"] == "invalid_request" and not sent
