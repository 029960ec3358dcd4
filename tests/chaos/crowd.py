"""Many calls at once, each with what it claims to belong to; and a provider that knows how many it serves at a time."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from proxy.sim import SimProvider, SimSettings
from tests.chaos.scene import KEY

CONNECTIONS: Final = 500


class CrowdedProvider(SimProvider):
    """The simulated provider; `most`: how many calls it had at once, a call being over with its last byte."""

    def __init__(self) -> None:
        super().__init__(settings=SimSettings(speed=0, keep_requests=10_000))
        self.under_way = 0
        self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI: one request."""
        counted = True

        def over() -> None:
            nonlocal counted
            self.under_way -= counted
            counted = False

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                over()  # before the other side can know, and make the next call
            await send(message)

        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await super().__call__(scope, receive, sent)
        finally:
            over()


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One call: how long the provider takes, its model, and headers such as `user` → `x-flyball-user`."""

    slow_s: float = 0.0
    model: str = "sim-small"
    claims: Mapping[str, str] = field(default_factory=dict)
    key: str = KEY

    @property
    def body(self) -> dict[str, Any]:
        """The request body."""
        asked = {"model": self.model, "max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}]}
        return asked | ({"metadata": {"sim_fault": f"slow={self.slow_s}"}} if self.slow_s else {})


@dataclass(frozen=True, kw_only=True)
class Told:
    """What came of a call. `at` and `until` are when it was sent and answered (Unix time)."""

    ask: Ask
    status: int
    error: Mapping[str, Any]
    headers: Mapping[str, str]
    at: float
    until: float

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a refusal tells beside its text."""
        facts: Mapping[str, Any] = self.error["flyball"]
        return facts


class Crowd:
    """A client with many connections."""

    def __init__(self, url: str) -> None:
        self._url = url + "/v1/chat/completions"
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._client = httpx.AsyncClient(limits=limits, timeout=60)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def ask(self, ask: Ask) -> Told:
        """One call."""
        headers = {"authorization": f"Bearer {ask.key}"}
        headers |= {f"x-flyball-{name}": value for name, value in ask.claims.items()}
        at = time.time()
        answer = await self._client.post(self._url, content=json.dumps(ask.body).encode(), headers=headers)
        error = answer.json().get("error", {}) if answer.status_code != 200 else {}
        return Told(
            ask=ask, status=answer.status_code, error=error, headers=dict(answer.headers), at=at, until=time.time()
        )

    async def all_at_once(self, asks: Iterable[Ask]) -> list[Told]:
        """As many calls as that, at once."""
        return await asyncio.gather(*(self.ask(each) for each in asks))

    async def steadily(self, ask: Ask, per_s: float, seconds: float) -> list[Told]:
        """Calls at a rate, whatever becomes of them."""
        began, calls = time.monotonic(), []
        async with asyncio.TaskGroup() as group:
            for number in range(int(per_s * seconds)):
                await asyncio.sleep(began + number / per_s - time.monotonic())
                calls.append(group.create_task(self.ask(ask)))
        return [call.result() for call in calls]
