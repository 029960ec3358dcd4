"""Three targets over real sockets, of which the first can be made to fail in every way; and one worker before them."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from tests.contract.upstream.scripted import (
    CHUNKED_HEAD,
    LAST_CHUNK,
    Conversation,
    Script,
    ScriptedUpstream,
    answer,
    chunked,
)
from tests.harness.one_worker import Client, OneWorker, one_worker

JSON: Final = b"content-type: application/json"
TARGETS: Final = ("a", "b", "c")
PATIENCE_S: Final = 0.3


def said(who: str) -> bytes:
    """The whole answer of a target."""
    told = {
        "id": who,
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": f"I am {who}"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
    }
    return json.dumps(told).encode()


def events(who: str) -> list[bytes]:
    """The stream of a target: a start-up event, two with output, its usage and its end."""
    deltas = [{"role": "assistant", "content": ""}, {"content": "I am "}, {"content": who}]
    told = [{"id": who, "model": "m", "choices": [{"index": 0, "delta": each}]} for each in deltas]
    last = {"id": who, "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"id": who, "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}
    return [b"data: " + json.dumps(each).encode() + b"\n\n" for each in (*told, last, usage)] + [b"data: [DONE]\n\n"]


def refusal(kind: str) -> bytes:
    """An error as OpenAI writes it."""
    return json.dumps({"error": {"message": "no", "type": kind, "param": None, "code": kind}}).encode()


def error_event(kind: str) -> bytes:
    """The same as the first event of a stream."""
    return b"data: " + refusal(kind) + b"\n\n"


def well(who: str) -> Script:
    """A target in good health, whatever it is asked."""

    async def script(conversation: Conversation) -> None:
        while True:
            request = await conversation.request()
            if json.loads(request.body).get("stream"):
                await conversation.send(CHUNKED_HEAD + chunked(*events(who)) + LAST_CHUNK)
            else:
                await conversation.send(answer(said(who), JSON))

    return script


class Play:
    """What a target sends; then it closes, resets or falls silent. `body` is what of it is an answer's body."""

    def __init__(self, *pieces: bytes, body: bytes = b"", then: str = "close", gap_s: float = 0.0) -> None:
        self.pieces = pieces
        self.body = body
        self.then = then
        self.gap_s = gap_s

    async def __call__(self, conversation: Conversation) -> None:
        """The script."""
        await conversation.request()
        await conversation.send(*self.pieces, gap_s=self.gap_s)
        if self.then == "hang":
            await conversation.gone()
        elif self.then == "reset":
            conversation.reset()
        else:
            conversation.close()


def streams(*told: bytes, then: str = "close", last: bytes = b"", gap_s: float = 0.0) -> Play:
    """A target that sends these events; `last` ends the answer in good order."""
    pieces = [CHUNKED_HEAD, *[chunked(each) for each in told], *([last] if last else [])]
    if gap_s:
        return Play(*pieces, body=b"".join(told), then=then, gap_s=gap_s)
    return Play(b"".join(pieces), body=b"".join(told), then=then)


def tells(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> Play:
    """A target that sends a whole answer."""
    return Play(answer(body, *(headers or (JSON,)), status=status), body=body)


def refuses(status: bytes, kind: str, *headers: bytes) -> Play:
    """A target that answers with an error."""
    return tells(refusal(kind), JSON, *headers, status=status)


async def _speaks_no_tls(conversation: Conversation) -> None:
    await conversation.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    conversation.close()


class Fault:
    """A way to fail: what is played to a stream and to a whole answer."""

    def __init__(self, stream: Play, whole: Play, *, provider: str = "a") -> None:
        self.plays = {"stream": stream, "whole": whole}
        self.provider = provider


_BEGUN: Final = answer(said("a"), JSON)
_HEAD: Final = _BEGUN[: _BEGUN.index(b"\r\n\r\n") + 4]
_ALL: Final = events("a")
_HTML: Final = b"<!doctype html><title>Welcome</title>"
_NOTHING: Final = Play()
FAULTS: Final[Mapping[str, Fault]] = {
    "429 with `retry-after`": Fault(*[refuses(b"429 Slow", "rate_limit_exceeded", b"retry-after: 7")] * 2),
    "429 without": Fault(*[refuses(b"429 Slow", "rate_limit_exceeded")] * 2),
    "529": Fault(*[refuses(b"529 Busy", "overloaded_error")] * 2),
    "500": Fault(*[refuses(b"500 Oh", "server_error")] * 2),
    "reset before headers": Fault(*[Play(then="reset")] * 2),
    "reset after headers": Fault(streams(then="reset"), Play(_HEAD, then="reset")),
    "hang before the first token": Fault(streams(_ALL[0], then="hang"), Play(then="hang")),
    "hang after the first token": Fault(streams(*_ALL[:2], then="hang"), Play(_BEGUN[:-40], then="hang")),
    "error first": Fault(streams(error_event("overloaded_error"), last=LAST_CHUNK), tells(refusal("overloaded_error"))),
    "truncated": Fault(streams(*_ALL[:2], last=LAST_CHUNK), Play(_BEGUN[:-40])),
    "truncated before the first token": Fault(streams(_ALL[0], last=LAST_CHUNK), Play(_HEAD)),
    "wrong content type": Fault(*[tells(_HTML, b"content-type: text/html")] * 2),
    "slow drip": Fault(
        streams(*_ALL, last=LAST_CHUNK, gap_s=0.02),
        Play(*[_BEGUN[at : at + 60] for at in range(0, len(_BEGUN), 60)], body=said("a"), gap_s=0.02),
    ),
    "TLS failure": Fault(_NOTHING, _NOTHING, provider="tls"),
    "DNS failure": Fault(_NOTHING, _NOTHING, provider="dns"),
}


def config(servers: Mapping[str, ScriptedUpstream], more: str = "", budget: str = "limit_usd: 1000") -> str:
    """A route of one and one of three targets, for each of the providers that come first."""
    urls = {name: server.base_url for name, server in servers.items()}
    urls |= {"tls": urls.pop("plain").replace("http://", "https://"), "dns": "http://nobody.invalid/v1"}
    times = f"first_byte_timeout_s: {PATIENCE_S}, idle_timeout_s: {PATIENCE_S}, connect_timeout_s: 5"
    providers = ", ".join(f'{name}: {{base_url: "{url}", {times}}}' for name, url in urls.items())
    routes = []
    for first in ("a", "tls", "dns"):
        each = [f"{{provider: {name}, model: m}}" for name in (first, "b", "c")]
        routes.append(f"  - {{model: {first}-1, targets: [{each[0]}]}}")
        routes.append(f"  - {{model: {first}-3, targets: [{', '.join(each)}]}}")
    return f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}}
providers: {{{providers}}}
routes:
{chr(10).join(routes)}
{more}
prices: {{overlay: prices.yaml}}
tenants: [{{org: acme, teams: [{{team: support, keys: [{{name: bot, key_env: BOT_KEY}}]}}]}}]
budgets: [{{name: own, scope: "key:acme/support/bot", window: total, hard: true, {budget}}}]
"""


class Targets:
    """The worker, and the targets it asks."""

    def __init__(self, house: OneWorker, servers: Mapping[str, ScriptedUpstream]) -> None:
        self.house = house
        self.servers = servers

    async def call(self, client: Client) -> Client:
        """One call from beginning to end, over real sockets."""
        for server in self.servers.values():
            server.received.clear()
        await self.house.parts.port(client.scope, client.receive, client.send)
        return client

    def asked(self) -> tuple[int, ...]:
        """How many requests each target has got of the last call."""
        return tuple(len(self.servers[name].received) for name in TARGETS)


@asynccontextmanager
async def three_targets(folder: Path, more: str = "", budget: str = "limit_usd: 1000") -> AsyncIterator[Targets]:
    """Three targets in good health, and a worker."""
    async with AsyncExitStack() as stack:
        scripts = {**{name: well(name) for name in TARGETS}, "plain": _speaks_no_tls}
        servers = {name: await stack.enter_async_context(ScriptedUpstream(each)) for name, each in scripts.items()}
        with one_worker(folder, config(servers, more, budget)) as house:
            yield Targets(house, servers)
            await house.parts.transport.close()
            await house.parts.ledger.close()
