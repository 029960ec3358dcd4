"""One answered request: thinking, talking, going wrong, and charging for it."""

import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from random import Random
from typing import Final

from proxy.sim import completions, responses
from proxy.sim.answers import Answer, answer
from proxy.sim.ask import Ask
from proxy.sim.bill import Bill, Used
from proxy.sim.completions import Payload
from proxy.sim.embeddings import embeddings
from proxy.sim.events import Event, data_event, encode
from proxy.sim.faults import error_of
from proxy.sim.line import Headers, Line
from proxy.sim.pace import Pace
from proxy.sim.seen import SeenRequest
from proxy.wire.endpoint import Endpoint

_JSON: Final = (b"content-type", b"application/json")
_SSE: Final = (b"content-type", b"text/event-stream; charset=utf-8")
_SHORTEST_WAIT_S: Final = 0.002
_LARGEST_WRITE: Final = 32_768
_GARBAGE: Final = b'data: {"choices": [{"delta"\n\n\x00\xff<html>not an event'


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """Everything about one answer that is known before its first byte."""

    ask: Ask
    answers: tuple[Answer, ...]
    used: Used
    pace: Pace
    answer_id: str
    created: int

    def payload(self) -> Payload:
        """The whole answer."""
        if self.ask.endpoint is Endpoint.EMBEDDINGS:
            return embeddings(self.ask, self.used)
        if self.ask.endpoint is Endpoint.RESPONSES:
            return responses.whole(self.ask, self.answers[0], self.used, self.answer_id, self.created)
        return completions.whole(self.ask, self.answers, self.used, self.answer_id, self.created)

    def events(self) -> Iterator[Event]:
        """The same answer as a stream."""
        if self.ask.endpoint is Endpoint.RESPONSES:
            return responses.stream(self.ask, self.answers[0], self.used, self.answer_id, self.created)
        return completions.stream(self.ask, self.answers, self.used, self.answer_id, self.created)


def generation(ask: Ask, cached: int, seed: int, speed: float) -> Generation:
    """Decide the answer: the same prompt and seed get the same one, streamed or not, whatever goes wrong with it."""
    prompt = "\0".join(ask.texts or ask.tokens).encode(errors="surrogatepass")
    chance = Random(blake2b(prompt, key=str(seed).encode(), digest_size=8).digest())
    count = 0 if ask.endpoint is Endpoint.EMBEDDINGS else ask.choices * ask.inputs
    answers = tuple(answer(ask, chance) for _ in range(count))
    used = Used(
        prompt=ask.prompt_tokens,
        cached=cached if ask.endpoint in (Endpoint.CHAT, Endpoint.RESPONSES) else 0,
        output=sum(one.tokens for one in answers),
        thinking=sum(one.thinking for one in answers),
    )
    pace = Pace(ask.model, chance, 0 if ask.faults.huge else speed)
    made = int(time.time())
    return Generation(ask=ask, answers=answers, used=used, pace=pace, answer_id=uuid.uuid4().hex, created=made)


async def give_whole(made: Generation, line: Line, headers: Headers, bill: Bill, request: SeenRequest) -> None:
    """Answer in one piece. It is charged in full even if nobody waits for it, as at real providers."""
    faults = made.ask.faults
    status, body = 200, encode(made.payload())
    if faults.error_after is not None:
        status, body = 500, encode(error_of(500))
    else:
        bill.charge(made.ask.model.name, made.used)
        request.sent_tokens = made.used.output
    await line.wait(faults.slow_s + made.pace.before_first(made.used.prompt) + made.pace.before_next(made.used.output))
    await line.start(status, (_JSON, *headers), faults, len(body))
    if faults.stall_after is not None:
        await line.wait(None)
    await line.write(body)
    await line.end()


async def give_stream(made: Generation, line: Line, headers: Headers, bill: Bill, request: SeenRequest) -> None:
    """Answer token by token. What was generated is charged, however the stream ends."""
    faults = made.ask.faults
    await line.wait(faults.slow_s + made.pace.before_first(made.used.prompt))
    events: Iterable[Event] = made.events()
    length = None
    if faults.length_off_by:
        events = tuple(events)
        length = sum(len(event.data) for event in events)
    await line.start(200, (_SSE, (b"cache-control", b"no-cache"), *headers), faults, length)
    try:
        await _talk(made, events, line, request)
        await line.end()
    finally:
        told = min(request.sent_tokens, made.used.output)
        bill.charge(made.ask.model.name, replace(made.used, output=told, thinking=min(told, made.used.thinking)))


async def _talk(made: Generation, events: Iterable[Event], line: Line, request: SeenRequest) -> None:
    faults = made.ask.faults
    ready = bytearray()
    owed_s = 0.0
    for number, event in enumerate(events):
        if number in (faults.stall_after, faults.error_after):
            await _falter(made, line, bytes(ready), number)
            return
        owed_s += made.pace.before_next(event.tokens)
        if owed_s >= _SHORTEST_WAIT_S or len(ready) >= _LARGEST_WRITE:
            await line.write(bytes(ready))
            ready.clear()
            await line.wait(owed_s)
            owed_s = 0.0
        ready += event.data
        request.sent_tokens += event.tokens
    await line.write(bytes(ready) + (_GARBAGE if faults.garbage else b""))


async def _falter(made: Generation, line: Line, ready: bytes, number: int) -> None:
    """Fall silent until the client leaves, or break down with an error in the stream."""
    await line.write(ready)
    if number == made.ask.faults.stall_after:
        await line.wait(None)
    chat = made.ask.endpoint is not Endpoint.RESPONSES
    await line.write((data_event(error_of(500)) if chat else responses.error_event(number)).data)
