"""The simulated provider: an ASGI application that answers the OpenAI dialect."""

import json
import time
import uuid
from dataclasses import replace
from typing import Final

from proxy.sim.ask import Ask, read_ask
from proxy.sim.bad_request import BadRequest
from proxy.sim.bill import Bill
from proxy.sim.events import encode
from proxy.sim.faults import NO_FAULTS, Faults, UnknownFault, error_of, parse_faults
from proxy.sim.generation import generation, give_stream, give_whole
from proxy.sim.line import Broken, ClientLeft, Line, Receive, Scope, Send, TooLarge
from proxy.sim.models import MODELS
from proxy.sim.prefixes import PrefixCache
from proxy.sim.script import Replay, Script
from proxy.sim.seen import Seen, SeenRequest
from proxy.sim.settings import SimSettings
from proxy.wire.endpoint import PATHS, Endpoint

_JSON: Final = (b"content-type", b"application/json")
_REQUESTS_PER_MINUTE: Final = 10_000
_SINCE: Final = 1_767_225_600
"""2026-01-01: when the simulated models say they were made."""


class SimProvider:
    """Answers like a provider, at its pace, and does wrong when asked to.

    A request asks for faults by the header `x-sim-fault`, by `metadata.sim_fault` or in the model's name
    (`sim-small!429=2`); the script, if it has a turn, overrules them. `seen` and `bill` tell what happened.
    """

    def __init__(self, script: Script | None = None, settings: SimSettings | None = None) -> None:
        self.settings = settings or SimSettings()
        self.script = script or Script()
        self.seen = Seen(self.settings.keep_requests, self.settings.keep_body_bytes)
        self.bill = Bill()
        self._prefixes = PrefixCache()
        self._minute = (0, 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        line = Line(scope, receive, send)
        path = scope["path"].removeprefix("/v1")
        try:
            await self._answer(scope, path, line)
        except (ClientLeft, Broken):
            return
        except TooLarge:
            await _say(line, 413, BadRequest("Request body too large.").body())

    async def _answer(self, scope: Scope, path: str, line: Line) -> None:
        if path.startswith("/sim/"):
            await self._about_itself(scope["method"], path, line)
        elif path == "/models":
            await _say(line, 200, _listing())
        elif path not in PATHS or scope["method"] != "POST":
            await _say(line, 404, BadRequest(f"Invalid URL ({scope['method']} {scope['path']})").body())
        else:
            await self._generate(scope, PATHS[path], line)

    async def _generate(self, scope: Scope, endpoint: Endpoint, line: Line) -> None:
        raw = await line.body(self.settings.max_body_bytes)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        request = self.seen.add(scope["method"], scope["path"], headers, raw)
        try:
            await self._by_script(endpoint, raw, line, request)
            request.ending = "finished"
        except (ClientLeft, Broken) as why:
            request.ending = "client_left" if isinstance(why, ClientLeft) else "broken"
            raise
        finally:
            request.status = line.status

    async def _by_script(self, endpoint: Endpoint, raw: bytes, line: Line, request: SeenRequest) -> None:
        turn = self.script.take()
        if isinstance(turn, Replay):
            await _replay(turn, line)
            return
        started = time.monotonic()
        try:
            wanted = turn or parse_faults(request.header("x-sim-fault") or "")
            ask = read_ask(endpoint, raw)
            ask = replace(ask, faults=wanted) if wanted != NO_FAULTS else ask
            if ask.faults.status is not None:
                await line.wait(ask.faults.slow_s)
                await _fail(line, ask.faults, self._headers(started))
            else:
                await self._in_full(ask, line, request, started)
        except BadRequest as bad:
            await _say(line, bad.status, bad.body(), self._headers(started))
        except UnknownFault as unknown:
            await _say(line, 400, BadRequest(str(unknown)).body(), self._headers(started))

    async def _in_full(self, ask: Ask, line: Line, request: SeenRequest, started: float) -> None:
        if (ask.endpoint is Endpoint.EMBEDDINGS) != ask.model.embeds:
            raise BadRequest(f"{ask.model.name} does not serve {ask.endpoint.value}.", param="model")
        credential = request.header("authorization") or request.header("api-key") or ""
        cached = self._prefixes.cached(credential, ask.tokens)
        made = generation(ask, cached, self.settings.seed, self.settings.speed)
        give = give_stream if ask.streamed and not ask.model.embeds else give_whole
        await give(made, line, self._headers(started), self.bill, request)

    def _headers(self, started: float) -> tuple[tuple[bytes, bytes], ...]:
        """What every answer carries; the limits are for show and fall within each minute."""
        minute = int(time.time()) // 60
        count = self._minute[1] + 1 if self._minute[0] == minute else 1
        self._minute = (minute, count)
        remaining = max(0, _REQUESTS_PER_MINUTE - count)
        return (
            (b"x-request-id", f"req_{uuid.uuid4().hex}".encode()),
            (b"openai-version", b"2020-10-01"),
            (b"openai-organization", b"sim"),
            (b"openai-processing-ms", str(int((time.monotonic() - started) * 1000)).encode()),
            (b"x-ratelimit-limit-requests", str(_REQUESTS_PER_MINUTE).encode()),
            (b"x-ratelimit-remaining-requests", str(remaining).encode()),
            (b"x-ratelimit-reset-requests", b"6ms"),
        )

    async def _about_itself(self, method: str, path: str, line: Line) -> None:
        """`GET /sim/seen`, `GET /sim/bill`, `POST /sim/script` with `{"turns": ["429=1", ""], "always": null}`."""
        if (method, path) == ("GET", "/sim/bill"):
            await _say(line, 200, dict(self.bill.as_json()))
        elif (method, path) == ("GET", "/sim/seen"):
            requests = [request.as_json() for request in self.seen.requests]
            await _say(line, 200, {"total": self.seen.total, "requests": requests})
        elif (method, path) == ("POST", "/sim/script"):
            await self._take_script(await line.body(self.settings.max_body_bytes), line)
        else:
            await _say(line, 404, BadRequest(f"There is no {method} {path}.").body())

    async def _take_script(self, raw: bytes, line: Line) -> None:
        try:
            wanted = json.loads(raw)
            turns = [parse_faults(text) for text in wanted.get("turns", ())]
            always = wanted.get("always")
            self.script.always = parse_faults(always) if always else None
        except (ValueError, AttributeError, TypeError) as unreadable:
            await _say(line, 400, BadRequest(str(unreadable)).body())
            return
        self.script.add(*turns)
        await _say(line, 200, {"added": len(turns)})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def _replay(turn: Replay, line: Line) -> None:
    await line.start(turn.status, turn.headers, NO_FAULTS)
    for chunk in turn.chunks():
        await line.write(chunk)
        await line.wait(turn.gap_s)
    await line.end()


async def _fail(line: Line, faults: Faults, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    status = faults.status or 500
    retry_after_s = 1 if status == 429 and faults.retry_after_s is None else faults.retry_after_s
    if retry_after_s is not None:
        headers = (*headers, (b"retry-after", str(retry_after_s).encode()))
    await _say(line, status, error_of(status), headers)


async def _say(line: Line, status: int, body: object, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    data = encode(body)
    await line.start(status, (_JSON, *headers), NO_FAULTS, len(data))
    await line.write(data)
    await line.end()


def _listing() -> dict[str, object]:
    models = [{"id": name, "object": "model", "created": _SINCE, "owned_by": "sim"} for name in MODELS]
    return {"object": "list", "data": models}
