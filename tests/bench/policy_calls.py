"""The calls whose decisions are measured: one worker in this process, under the starter library with its rules set."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from proxy.core.money import Nano
from proxy.journey.call import Call, Exchange
from proxy.journey.estimate import estimate
from proxy.journey.identify import identify
from proxy.journey.read import claim, read
from proxy.journey.resolve import resolve
from proxy.journey.state import Estimate, Journey
from proxy.runs import Claims
from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.dialect import OPENAI
from tests.harness.one_worker import KEY, OneWorker, chat, config, one_worker

NAMES: Final = ("read_file", "search_mail", "send_mail")
PROMPT: Final = "Why does a steam engine need a governor, and what happens when it has none? " * 13
SETTINGS: Final[dict[str, Any]] = {
    "models": {
        "orgs": {"acme": ["gpt-*", "m"]},
        "teams": {"acme/support": ["m", "cheap"]},
        "blocked": ["gpt-4", "*-old"],
    },
    "pinning": {"required": True, "except": ["m", "cheap"]},
    "call_limits": {"max_output_tokens": 4096, "max_usd": "0.50"},
    "tools": {"agents": {"bot": ["read_*", "search_*", "send_mail"], "*": ["read_mail"]}},
    "agents": {"bot": {"models": ["m", "gpt-5-mini"], "max_usd_per_call": "0.40", "tags": ["ticket"]}},
    "hours": {"orgs": {"*": {"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": 0, "to": 24}}},
    "residency": {"orgs": {"acme": {"regions": ["eu"]}}, "providers": {"up": {"region": "eu", "retention_days": 0}}},
    "unpriced": {"deny": True},
    "tool_calls": {"agents": {"*": ["read_*", "search_*"]}, "write_actions": ["send_*"]},
}
"""Eleven rules at `request`, two at `route`, five at `tool_call`; the measured calls break none."""
SCHEMA: Final = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS: Final = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in NAMES]


@contextmanager
def ruled_worker(folder: Path, *names: str) -> Iterator[OneWorker]:
    """A worker under the starter library with the rules that these settings are for, or under the grant alone."""
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps({"settings": {name: SETTINGS[name] for name in names}}))
    with one_worker(folder, config(more="policy: {settings: settings.json}")) as worker:
        yield worker


class _Sent:
    """A client that has sent its body; nothing is answered."""

    started = False

    async def body(self) -> bytes:
        """A call of about 1.5 KB with three tools."""
        return chat(messages=[{"role": "user", "content": PROMPT}], tools=TOOLS, max_tokens=256)


async def at_request(worker: OneWorker) -> Journey:
    """A call that has come to its first point."""
    rooms = worker.rooms
    headers = {b"user-agent": b"OpenAI/Python 3.0.0", b"x-flyball-tags": b"ticket=7"}
    call = Call(
        operation="op_bench",
        dialect=OPENAI,
        endpoint=Endpoint.CHAT,
        path="/chat/completions",
        query=b"",
        raw_headers=list(headers.items()),
        headers=headers,
        secret=KEY,
        received_ns=time.monotonic_ns(),
        arrived_ns=time.time_ns(),
    )
    journey = identify(call, cast(Exchange, _Sent()), rooms)
    await read(journey, rooms)
    claim(journey)
    resolve(journey, rooms)
    await estimate(journey, rooms)
    return journey


def with_estimate(journey: Journey, number: int) -> None:
    """The same call with another worst case, as its successor has it."""
    journey.estimate = Estimate(300 + number % 50_000, 256, Nano(28_000_000 + number))


def with_ticket(journey: Journey, number: int) -> None:
    """The same call for another ticket, and with another worst case: nothing of it was met before."""
    journey.claims = Claims(tags={"ticket": str(number)})
    with_estimate(journey, number)
