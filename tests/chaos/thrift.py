"""Calls drawn at random under budgets of their end users, and what each may cost, computed from the price alone."""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from proxy.core.money import exact_usd
from proxy.telemetry import AttemptRow, OperationRow
from proxy.upstream import UpstreamRequest
from tests.harness.one_worker import DONE, JSON_HEADERS, STREAM_HEADERS, Answer, Client

INPUT_NANO: Final = 10_000
OUTPUT_NANO: Final = 100_000
"""The overlay's prices of model `m`: 10 and 100 dollars a million."""
AROUND: Final = 128
"""Tokens that a model may see beside the text: a bound of what any form of chat adds for one message."""
STEP: Final = 256
WORDS: Final = ("fox", "dog", "the", "steam", "balance", "over", "quick", "lazy", "engine", "brown")
"""Each is one token behind a blank."""
Disturbance: TypeAlias = Literal["no", "left", "left early", "cancelled"]
DISTURBANCES: Final[tuple[Disturbance, ...]] = ("left", "left early", "cancelled")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One call. `asks` is its maximum of output tokens, None for none; `makes` what the provider makes of output."""

    number: int
    user: str
    prompt: str
    asks: int | None
    makes: int
    choices: int
    streamed: bool
    disturbed: Disturbance
    at: int

    @property
    def input_tokens(self) -> int:
        """What the provider counts."""
        return len(self.prompt.split())

    @property
    def input_nano(self) -> int:
        """The most that its input can cost."""
        return (self.input_tokens + AROUND) * INPUT_NANO

    @property
    def worst(self) -> int:
        """The most that must be there for it to begin, in nano-dollars; with no maximum that is the first step."""
        return self.input_nano + (STEP if self.asks is None else self.asks) * self.choices * OUTPUT_NANO

    @property
    def most(self) -> int:
        """The most that it ever has held or spent: without a maximum, what it makes and two steps more."""
        made = self.makes + 2 * STEP if self.asks is None else self.asks * self.choices
        return self.input_nano + max(made, self.makes) * OUTPUT_NANO

    @property
    def body(self) -> bytes:
        """The request."""
        told: dict[str, Any] = {"model": "m", "stream": self.streamed, "user": self.user, "n": self.choices}
        told |= {} if self.asks is None else {"max_tokens": self.asks}
        told |= {"messages": [{"role": "user", "content": self.prompt}], "metadata": {"plan": str(self.number)}}
        return json.dumps(told).encode()

    def answer(self) -> Answer:
        """What the provider says to it, in pieces."""
        usage = {"prompt_tokens": self.input_tokens, "completion_tokens": self.makes}
        usage["total_tokens"] = sum(usage.values())
        if not self.streamed:
            choice = {"index": 0, "message": {"role": "assistant", "content": " fox" * self.makes}}
            whole = {"id": "c", "object": "chat.completion", "model": "m", "usage": usage}
            return Answer(_soon, json.dumps(whole | {"choices": [choice]}).encode(), _soon, headers=JSON_HEADERS)
        parts = [_event([{"index": 0, "delta": {"content": " fox" * size}}]) for size in _split(self.makes)]
        paced = [each for part in parts for each in (part, _soon)]
        return Answer(_soon, *paced, _event([], usage=usage), DONE, headers=STREAM_HEADERS)


def _split(tokens: int) -> Sequence[int]:
    return [min(16, tokens - at) for at in range(0, tokens, 16)]


def _event(choices: Sequence[Any], **more: Any) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": choices, **more}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


async def _soon() -> None:
    await asyncio.sleep(0)


def drawn(draw: random.Random, number: int, user: str) -> Plan:
    """A call of any kind: short and long prompts, with and without a maximum, half of them disturbed."""
    words = draw.choice((3, 10, 40)) if draw.random() < 0.95 else draw.choice((2_000, 8_000))
    streamed = draw.random() < 0.6
    asks = draw.choice((1, 20, 100, 400)) if draw.random() < 0.6 else None
    choices = draw.choice((1, 1, 2, 3)) if asks is not None else 1
    if asks is not None:
        makes = draw.randint(1, asks * choices)
    else:
        makes = draw.choice((5, 120, 700, 1_500)) if streamed else draw.randint(1, STEP)
    disturbed: Disturbance = draw.choice(DISTURBANCES) if draw.random() < 0.5 else "no"
    return Plan(
        number=number,
        user=user,
        prompt=" ".join(draw.choices(WORDS, k=words)),
        asks=asks,
        makes=makes,
        choices=choices,
        streamed=streamed,
        disturbed=disturbed,
        at=draw.randint(1, 12),
    )


@dataclass
class Planned:
    """A Transport that answers each call as its plan says."""

    plans: dict[str, Plan] = field(default_factory=dict)
    sent: int = 0

    async def send(self, request: UpstreamRequest) -> Answer:
        """The answer of the plan named in the body."""
        self.sent += 1
        return self.plans[json.loads(request.body)["metadata"]["plan"]].answer()

    async def close(self) -> None:
        """Nothing is open."""


class Rows:
    """In the spool's place: operation rows by operation, and nothing on any disk."""

    def __init__(self) -> None:
        self.operations: dict[str, OperationRow] = {}

    def append(self, table: str, row: OperationRow | AttemptRow) -> None:
        """Keep an operation's row."""
        if isinstance(row, OperationRow):
            assert row.operation_id not in self.operations
            self.operations[row.operation_id] = row

    def settled(self, operation: str) -> None:
        """As told."""


def cost_of(row: OperationRow) -> int:
    """What a row says that a call cost, in nano-dollars."""
    return exact_usd(row.cost_usd or "0")


class Leaving(Client):
    """A client that leaves once so many parts of its answer came."""

    leaves_after = 0

    @property
    def operation(self) -> str:
        """As its answer names it; empty when there was none."""
        return self.answered.get(b"x-flyball-operation", b"").decode() if self.sent else ""

    async def send(self, message: Any) -> None:
        """Take a part, or leave."""
        await super().send(message)
        if self.leaves_after and len(self.sent) > self.leaves_after:
            self.hang_up()
