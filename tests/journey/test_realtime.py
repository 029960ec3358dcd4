"""Realtime through a running Flyball: the openai package, sockets by hand, many sessions that end in every way."""

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import openai
import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from tests.harness.flyball import Flyball
from tests.journey.raw_http import exchange

KEY: Final = "fb-realtime-key-0123456789-abcdefg"
POOR: Final = "fb-realtime-poor-0123456789-abcdefg"
PRICES: Final = """
models:
  voice: {input_usd_per_mtok: 4, output_usd_per_mtok: 16, cache_read_usd_per_mtok: 0.4, audio_input_usd_per_mtok: 32,
    audio_output_usd_per_mtok: 64, max_output_tokens: 4096, since: 2026-01-01, source: test}
"""
CONFIG: Final = """
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1, shutdown_s: 2}}
providers: {{voice: {{base_url: "{url}", api_key_env: UP_KEY}}}}
prices: {{overlay: prices.yaml}}
routes:
  - {{model: voice, targets: [{{provider: voice}}]}}
  - {{model: alias, targets: [{{provider: voice, model: voice}}]}}
tenants: [{{org: acme, teams: [{{team: t, keys: [{{name: bot, key_env: BOT}}, {{name: poor, key_env: POOR}}]}}]}}]
budgets:
  - {{name: all, scope: "org:acme", window: total, limit_usd: 1000}}
  - {{name: poor, scope: "key:acme/t/poor", window: total, limit_usd: "0.35"}}
"""
USAGE: Final = {
    "total_tokens": 150,
    "input_tokens": 100,
    "output_tokens": 50,
    "input_token_details": {
        "text_tokens": 40,
        "audio_tokens": 60,
        "cached_tokens": 30,
        "cached_tokens_details": {"text_tokens": 10, "audio_tokens": 20},
    },
    "output_token_details": {"text_tokens": 10, "audio_tokens": 40},
}
COST: Final = 30 * 400 + 30 * 4000 + 40 * 32_000 + 10 * 16_000 + 40 * 64_000
"""Of one response, in nano-dollars: 30 cached, 30 of text, 40 of sound in; 10 of text, 40 of sound out."""


class Upstream:
    """A realtime provider in a thread: answers each `response.create` with sound, text and usage.

    A response that is told to be `slow` does not end until it is cancelled; `die` ends the connection without a word.
    """

    def __init__(self) -> None:
        self.handshakes: list[tuple[str, dict[str, str]]] = []
        self.open = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/v1"

    async def _serve(self) -> Server:
        return await serve(self._session, "127.0.0.1", 0, select_subprotocol=_subprotocol, max_size=2**24)

    async def _session(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        self.handshakes.append((request.path, {name.lower(): value for name, value in request.headers.raw_items()}))
        self.open += 1
        try:
            await connection.send(
                json.dumps({"type": "session.created", "event_id": "e", "session": {"model": "voice"}})
            )
            number = 0
            async for message in connection:
                event: dict[str, Any] = json.loads(message) if isinstance(message, str) else {"type": "binary"}
                if event["type"] == "response.create":
                    number += 1
                    await self._respond(connection, number, str(event.get("response", {}).get("instructions", "")))
                elif event["type"] == "response.cancel":
                    await connection.send(_done(number, "cancelled"))
                elif event["type"] == "binary":
                    await connection.send(message)
        except websockets.ConnectionClosed:
            pass
        finally:
            self.open -= 1

    async def _respond(self, connection: ServerConnection, number: int, how: str) -> None:
        response = {"id": f"resp_{number}", "object": "realtime.response", "status": "in_progress", "output": []}
        await connection.send(json.dumps({"type": "response.created", "event_id": "e", "response": response}))
        if how == "die":
            connection.transport.abort()
            return
        sound = base64.b64encode(bytes(4800)).decode()
        of_it = {
            "event_id": "e",
            "response_id": f"resp_{number}",
            "item_id": "i",
            "output_index": 0,
            "content_index": 0,
        }
        await connection.send(json.dumps({"type": "response.output_audio.delta", **of_it, "delta": sound}))
        if how == "slow":
            return
        await connection.send(json.dumps({"type": "response.output_audio_transcript.delta", **of_it, "delta": "Hé"}))
        await connection.send(_done(number, "completed"))

    async def _end(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    def close(self) -> None:
        """End the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


def _subprotocol(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol("realtime") if "realtime" in offered else None


def _done(number: int, status: str) -> str:
    response = {"id": f"resp_{number}", "object": "realtime.response", "status": status, "output": [], "usage": USAGE}
    return json.dumps({"type": "response.done", "event_id": "e", "response": response})


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.close()


@pytest.fixture(scope="module")
def flyball(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    folder: Path = tmp_path_factory.mktemp("realtime")
    (folder / "prices.yaml").write_text(PRICES)
    keys = {"BOT": KEY, "POOR": POOR, "UP_KEY": "sk-of-the-provider"}
    with Flyball(folder, CONFIG.format(url=upstream.url), keys) as running:
        yield running


def url_of(flyball: Flyball, path: str = "/v1/realtime?model=voice") -> str:
    return flyball.data.replace("http://", "ws://") + path


def standing(flyball: Flyball) -> tuple[int, int]:
    (budget,) = [each for each in flyball.admin("GET", "/admin/v1/budgets")["data"] if each["name"] == "all"]
    return budget["spent_nano"], budget["held_nano"]


def wait_until_nothing_is_held(flyball: Flyball) -> int:
    """What was spent, once nothing is held any more."""
    until = time.monotonic() + 30
    while (now := standing(flyball))[1] and time.monotonic() < until:
        time.sleep(0.05)
    assert now[1] == 0
    return now[0]


@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager")  # the SDK's own way of using it
def test_the_sdk_talks_through_it_as_to_the_provider(flyball: Flyball, upstream: Upstream) -> None:
    came: dict[str, list[Any]] = {}
    for where, base, key in (
        ("direct", upstream.url, "sk-of-the-provider"),
        ("through", flyball.data + "/v1", KEY),
    ):
        client = openai.OpenAI(base_url=base, api_key=key)
        with client.realtime.connect(model="voice") as connection:
            connection.session.update(session={"type": "realtime", "instructions": "Sé breve"})
            connection.response.create()
            events = []
            for event in connection:
                events.append(event.to_dict())
                if event.type == "response.done":
                    break
        came[where] = events
    assert came["through"] == came["direct"]
    assert [each["type"] for each in came["through"]][-1] == "response.done"
    path, headers = upstream.handshakes[-1]
    assert path == "/v1/realtime?model=voice"
    assert headers["authorization"] == "Bearer sk-of-the-provider"
    assert KEY not in str(upstream.handshakes)


async def test_the_async_sdk_too_and_the_row_has_each_kind_of_token(flyball: Flyball) -> None:
    client = openai.AsyncOpenAI(base_url=flyball.data + "/v1", api_key=KEY)
    async with client.realtime.connect(model="voice", extra_headers={"x-flyball-run": "async-run"}) as connection:
        for _ in range(2):
            await connection.response.create()
            async for event in connection:
                if event.type == "response.done":
                    break
    (row,) = flyball.wait_for_rows(1, where="run = 'async-run'")
    assert (row["outcome"], row["endpoint"], row["model"], row["attempts"]) == ("ok", "realtime", "voice", 3)
    told = {name: row[f"{name}_tokens"] for name in ("input", "cache_read", "audio_input", "output", "audio_output")}
    assert told == {"input": 60, "cache_read": 60, "audio_input": 80, "output": 20, "audio_output": 80}
    assert round(float(row["cost_usd"]) * 1e9) == 2 * COST
    attempts = flyball.wait_for_rows(3, "attempts", f"operation_id = '{row['operation_id']}'")
    assert sum(round(float(each["cost_usd"]) * 1e9) for each in attempts) == 2 * COST


async def test_a_browsers_key_comes_as_a_subprotocol_and_goes_no_further(flyball: Flyball, upstream: Upstream) -> None:
    offered: Any = ["realtime", f"openai-insecure-api-key.{KEY}"]
    async with connect(url_of(flyball, "/openai/v1/realtime?model=alias&x=%20y"), subprotocols=offered) as client:
        assert client.subprotocol == "realtime"
        assert json.loads(await client.recv())["type"] == "session.created"
    path, headers = upstream.handshakes[-1]
    assert path == "/v1/realtime?model=voice&x=%20y"
    assert headers["sec-websocket-protocol"] == "realtime"
    assert KEY not in flyball.log.read_text()


async def test_large_messages_of_both_kinds_pass_whole(flyball: Flyball) -> None:
    headers = {"api-key": KEY}
    async with connect(url_of(flyball), additional_headers=headers, max_size=2**24) as client:
        await client.recv()
        sent = bytes(range(256)) * 16_384
        await client.send(sent)
        assert await client.recv() == sent


@pytest.mark.parametrize(
    ("path", "key", "status", "code"),
    [
        ("/v1/realtime?model=voice", "fb-nobody-0123456789-abcdefghijk", 401, "invalid_api_key"),
        ("/v1/realtime?model=nothing", KEY, 404, "model_not_found"),
        ("/v1/realtime", KEY, 400, "invalid_request"),
    ],
)
async def test_a_refused_handshake_has_the_dialects_body(
    flyball: Flyball, upstream: Upstream, path: str, key: str, status: int, code: str
) -> None:
    seen = len(upstream.handshakes)
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connect(url_of(flyball, path), additional_headers={"authorization": f"Bearer {key}"}):
            pass
    response = refused.value.response
    assert (response.status_code, json.loads(response.body)["error"]["code"]) == (status, code)
    assert len(upstream.handshakes) == seen


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/realtime/client_secrets"),
        ("POST", "/v1/realtime/sessions"),
        ("POST", "/v1/realtime/calls"),
        ("GET", "/v1/realtime?model=voice"),
    ],
)
def test_what_would_go_past_us_is_refused_by_name(flyball: Flyball, method: str, path: str) -> None:
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\ncontent-length: 0\r\n\r\n"
    answer = exchange(flyball.data, head.encode())
    assert answer is not None
    assert (answer.status, answer.error["code"], answer.error["flyball"]["known"]) == (404, "path_not_found", True)


def test_who_speaks_before_the_handshake_is_answered_is_turned_away(flyball: Flyball) -> None:
    head = (
        f"GET /v1/realtime?model=voice HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n"
        "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    answer = exchange(flyball.data, head.encode() + b"\x81\x00")
    assert answer is not None
    assert answer.status == 400


async def test_a_session_whose_money_is_used_up_is_told_and_closed(flyball: Flyball, upstream: Upstream) -> None:
    turns = 0
    closed = None
    try:
        async with connect(url_of(flyball), additional_headers={"authorization": f"Bearer {POOR}"}) as client:
            while turns < 100:
                event = json.loads(await client.recv())
                if event["type"] in ("session.created", "response.done"):
                    turns += 1
                    await client.send('{"type":"response.create"}')
                elif event["type"] == "error":
                    assert event["error"]["code"] == "budget_exceeded"
                    assert event["error"]["flyball"]["budget"] == "poor"
    except websockets.ConnectionClosed as end:
        closed = end
    assert closed is not None
    assert closed.rcvd is not None
    assert (closed.rcvd.code, closed.rcvd.reason) == (1008, "budget_exceeded")
    assert 2 <= turns < 100
    (row,) = flyball.wait_for_rows(1, where="key_name = 'poor' AND code = 'budget_exceeded'")
    assert round(float(row["cost_usd"]) * 1e9) <= 350_000_000
    assert float(row["overrun_usd"]) == 0
    assert upstream.open >= 0


async def test_fifty_sockets_that_end_in_every_way_are_all_settled(flyball: Flyball, upstream: Upstream) -> None:
    before = wait_until_nothing_is_held(flyball)

    async def one(number: int) -> None:
        headers = {"authorization": f"Bearer {KEY}", "x-flyball-run": "fifty"}
        how = ("whole", "die", "slow", "slow", "whole")[number % 5]
        try:
            async with connect(url_of(flyball), additional_headers=headers) as client:
                await client.recv()
                await client.send(json.dumps({"type": "response.create", "response": {"instructions": how}}))
                kinds = [json.loads(await client.recv())["type"] for _ in range(2)]
                assert kinds[0] == "response.created"
                if number % 5 == 2:
                    _reset(client.transport)  # no close frame, no FIN
                elif how == "whole":
                    await client.recv()
                    await client.recv()
                    if number % 5 == 4:
                        client.transport.abort()
        except websockets.ConnectionClosed:
            pass

    await asyncio.gather(*[one(number) for number in range(50)])
    rows = flyball.wait_for_rows(50, where="run = 'fifty'")
    assert len(rows) == 50
    spent = wait_until_nothing_is_held(flyball)
    assert spent - before == sum(round(float(row["cost_usd"]) * 1e9) for row in rows)
    outcomes = {row["outcome"] for row in rows}
    assert outcomes == {"ok", "truncated", "cancelled"}
    assert sum(row["outcome"] == "truncated" for row in rows) == 10
    await asyncio.to_thread(_wait_until_closed, upstream)
    assert upstream.open == 0


def _wait_until_closed(upstream: Upstream) -> None:
    until = time.monotonic() + 10
    while upstream.open and time.monotonic() < until:
        time.sleep(0.05)


def _reset(transport: Any) -> None:
    raw: socket.socket = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    transport.abort()


async def test_a_stop_lets_sessions_go_on_to_its_deadline_and_settles_them(flyball: Flyball) -> None:
    """The last test of the file: Flyball is started anew behind it only to count."""
    async with connect(url_of(flyball), additional_headers={"x-flyball-key": KEY, "x-flyball-run": "last"}) as client:
        await client.recv()
        stopping = asyncio.get_running_loop().run_in_executor(None, flyball.stop)
        await asyncio.sleep(0.5)
        await client.send('{"type":"response.create"}')
        events = []
        try:
            while True:
                events.append(json.loads(await client.recv()))
        except websockets.ConnectionClosed as end:
            assert end.rcvd is not None
            assert end.rcvd.code == 1012
        await stopping
    kinds = [each["type"] for each in events]
    assert "response.done" in kinds
    assert events[-1]["error"]["code"] == "shutting_down"
    flyball.start()
    (row,) = flyball.wait_for_rows(1, where="run = 'last'")
    assert (row["code"], round(float(row["cost_usd"]) * 1e9)) == ("shutting_down", COST)
    assert wait_until_nothing_is_held(flyball) > 0
