"""Making the planned calls, over HTTP like anyone else."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx

from proxy.cli.demo.plan import PlannedCall
from proxy.cli.demo.tally import Ending, Tally, TenantTally
from proxy.cli.demo.words import prompt

_MOST_OPEN: Final = 200
_HANG_UP_AFTER: Final = 4
_REFUSALS: Final = frozenset({402, 403})


class Load:
    """Sends calls at their moments to one base URL, at most 200 at once, and keeps the tally."""

    def __init__(self, base_url: str, secrets: Mapping[str, str], tally: Tally) -> None:
        self._secrets = secrets
        self._tally = tally
        self._open = asyncio.Semaphore(_MOST_OPEN)
        limits = httpx.Limits(max_connections=_MOST_OPEN, max_keepalive_connections=_MOST_OPEN)
        self._client = httpx.AsyncClient(base_url=base_url, timeout=120, limits=limits, trust_env=False)

    async def run(self, calls: Sequence[PlannedCall]) -> None:
        """Make every call; returns when the last has ended."""
        started = time.monotonic()
        async with self._client, asyncio.TaskGroup() as group:
            for number, call in enumerate(calls):
                await asyncio.sleep(max(0.0, started + call.at_s - time.monotonic()))
                await self._open.acquire()
                group.create_task(self._make(call, number))

    async def _make(self, call: PlannedCall, number: int) -> None:
        tenant = self._tally.tenants[call.key.org]
        tenant.open += 1
        ending = Ending.FAILED
        try:
            ending = await self._call(call, number, tenant)
        except httpx.HTTPError as error:
            if not call.trouble:
                self._tally.surprises.append(f"{type(error).__name__}: {error}")
        finally:
            tenant.open -= 1
            tenant.endings[ending] += 1
            self._open.release()

    async def _call(self, call: PlannedCall, number: int, tenant: TenantTally) -> Ending:
        started = time.monotonic()
        headers = headers_of(call, self._secrets[call.key.full_name])
        async with self._client.stream("POST", call.endpoint, json=body_of(call, number), headers=headers) as response:
            if response.status_code != 200:
                return self._not_served(call, response.status_code, await response.aread())
            pieces = 0
            async for _ in response.aiter_raw():
                if not pieces and call.streamed:
                    tenant.first_tokens_ms.append((time.monotonic() - started) * 1000)
                pieces += 1
                if call.hangs_up and pieces >= _HANG_UP_AFTER:
                    return Ending.HUNG_UP
        return Ending.OK

    def _not_served(self, call: PlannedCall, status: int, body: bytes) -> Ending:
        if status in _REFUSALS:
            return Ending.REFUSED
        if not call.trouble:
            self._tally.surprises.append(f"{status} {body[:200].decode(errors='replace')}")
        return Ending.FAILED


def headers_of(call: PlannedCall, secret: str) -> dict[str, str]:
    """What names the caller: its key, and the agent, run and user it claims."""
    return {
        "authorization": f"Bearer {secret}",
        "x-flyball-agent": call.agent,
        "x-flyball-run": call.run,
        "x-flyball-user": call.user,
    }


def body_of(call: PlannedCall, number: int) -> dict[str, Any]:
    """The request's body. The length of the answer and planned faults ride in `metadata`, which the sim reads."""
    text = prompt(f"{call.key.org}/{call.agent}", call.prompt_tokens, number)
    if call.endpoint == "embeddings":
        return {"model": call.model, "input": text}
    metadata = {"sim_output_tokens": str(call.output_tokens)}
    if call.trouble:
        metadata["sim_fault"] = call.trouble
    body: dict[str, Any] = {"model": call.model, "metadata": metadata, "stream": call.streamed}
    if call.endpoint == "responses":
        return {**body, "input": text, "max_output_tokens": call.max_tokens, "store": False}
    asks_usage = {"stream_options": {"include_usage": True}} if call.streamed and number % 2 else {}
    messages = [{"role": "user", "content": text}]
    return {**body, "messages": messages, "max_completion_tokens": call.max_tokens, **asks_usage}
