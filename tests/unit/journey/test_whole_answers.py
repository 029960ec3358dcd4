"""Answers in one piece: every byte relayed whatever the bounds are, and billed by what could be read of them."""

import asyncio
import gzip
import json
import zlib
from pathlib import Path

import pytest

from proxy.journey import patience
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


def body_of(size: int) -> bytes:
    return json.dumps({"model": "m", "choices": [{"message": {"content": "x" * size}}], "usage": USAGE}).encode()


def pieces(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


async def call(house: OneWorker, answer: Answer, client: Client | None = None) -> Client:
    try:
        return await house.call(client or Client(chat()), answer)
    finally:
        await house.parts.ledger.close()


@pytest.mark.parametrize(
    ("held_back", "kept"), [(1000, 1_000_000), (1000, 2000), (1000, 1000), (2000, 1000), (1_000_000, 500)]
)
async def test_every_byte_is_relayed_whatever_the_bounds(tmp_path: Path, held_back: int, kept: int) -> None:
    limits = f"limits: {{buffered_answer_bytes: {held_back}, metered_answer_bytes: {kept}}}"
    body = body_of(5000)
    with one_worker(tmp_path, config(more=limits)) as house:
        client = await call(house, Answer(*pieces(body, 300), headers=JSON_HEADERS))
        assert client.text == body
        (row,) = house.rows()
        assert row["outcome"] == "ok"
        assert row["usage_source"] == ("provider" if kept > len(body) else "estimated")
        assert kept > len(body) or row["cost_usd"] == row["held_usd"]


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_tells_no_length(tmp_path: Path, status: int) -> None:
    with one_worker(tmp_path) as house:
        client = await call(house, Answer(status=status, headers=[(b"content-length", b"12")]))
        assert client.status == status
        assert b"content-length" not in client.answered


@pytest.mark.parametrize("broken", [b"not gzip at all", gzip.compress(body_of(2000))[:20] + b"garbage" * 20])
async def test_what_cannot_be_inflated_is_relayed_and_billed_at_the_hold(tmp_path: Path, broken: bytes) -> None:
    with one_worker(tmp_path) as house:
        client = await call(house, Answer(broken, headers=[*JSON_HEADERS, (b"content-encoding", b"gzip")]))
        assert client.text == broken
        (row,) = house.rows()
        assert row["cost_usd"] == row["held_usd"]


async def test_a_large_answer_is_read_beside_the_loop(tmp_path: Path) -> None:
    body = zlib.compress(body_of(3_000_000))
    headers = [*JSON_HEADERS, (b"content-encoding", b"deflate")]
    large = body_of(400_000)
    with one_worker(tmp_path) as house:
        first = await house.call(Client(chat()), Answer(body, headers=headers))
        second = await call(house, Answer(large, headers=JSON_HEADERS))
        assert (first.text, second.text) == (body, large)
        assert [row["usage_source"] for row in house.rows()] == ["provider", "provider"]


async def test_an_error_under_a_good_status_says_so(tmp_path: Path) -> None:
    with one_worker(tmp_path) as house:
        await call(house, Answer(b'{"error":{"message":"no"}}', headers=JSON_HEADERS))
        (row,) = house.rows()
        assert (row["outcome"], row["error"]) == ("upstream_error", "in_band_error")


async def test_a_client_that_does_not_take_a_large_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "UNREAD_AFTER_S", 0.05)
    text = config(provider="total_timeout_s: 0.05", more="limits: {buffered_answer_bytes: 100}")
    with one_worker(tmp_path, text) as house:
        client = Client(chat())
        client.takes = asyncio.Event()
        async with asyncio.timeout(5):
            await call(house, Answer(*pieces(body_of(2000), 300), headers=JSON_HEADERS), client)
        (row,) = house.rows()
        assert (row["outcome"], row["status"], row["error"]) == ("truncated", 200, "aborted")
        assert row["cost_usd"] == row["held_usd"]


async def test_half_of_a_surrogate_pair_in_an_answer_loses_no_row(tmp_path: Path) -> None:
    body = (
        body_of(5).replace(b'"m"', rb'"m\ud800"', 1).replace(b'{"message"', rb'{"finish_reason":"st\udfffop","message"')
    )
    with one_worker(tmp_path) as house:
        client = await call(house, Answer(body, headers=JSON_HEADERS))
        assert (client.status, client.text) == (200, body)
        (row,) = house.rows()
        assert (row["model"], row["finish_reason"], row["outcome"]) == ("m?", "st?op", "ok")
        assert row["cost_usd"] is not None and row["usage_source"] == "provider"
