"""A call to a provider of another dialect: asked in the provider's, answered in the client's."""

import asyncio
from typing import Final

from proxy.core.refusal import Refused
from proxy.journey.clamp import NEWER
from proxy.journey.inflating import inflater_of
from proxy.journey.state import Journey
from proxy.routing import Candidate
from proxy.upstream import Provider, UpstreamFailed, UpstreamResponse
from proxy.wire.encoding import Inflater
from proxy.wire.endpoint import Endpoint
from proxy.wire.translate import Context, Metered, TranslatedCall, TranslatedStream, Unreadable, translation_of

INLINE_BYTES: Final = 262_144
"""Translating more than this would hold the streams of others up."""
MOST_BYTES: Final = 67_108_864
"""A larger answer is no model's, and cannot be translated in pieces."""
_RESPONSES: Final = Endpoint.RESPONSES
_OF_A_DIALECT: Final = (b"openai-", b"anthropic-", b"x-stainless-", b"content-type")
"""Request headers that mean something, if anything, to the client's own dialect only."""


def is_spoken(journey: Journey, provider: Provider) -> bool:
    """Whether a provider can be asked: it speaks the client's own dialect, or there is a translation to its."""
    return _speaks(journey, provider) or translation_of(journey.call.endpoint.value, provider.dialect) is not None


def _speaks(journey: Journey, provider: Provider) -> bool:
    call = journey.call
    return provider.dialect == call.dialect.name and (provider.has_responses or call.endpoint is not _RESPONSES)


async def choose(journey: Journey, candidates: tuple[Candidate, ...]) -> Candidate:
    """The best candidate that can be asked all that the request asks for; the translation stays with the journey.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field, where the request cannot be carried to any of them.
    """
    first: Refused | None = None
    for candidate in candidates:
        if _speaks(journey, journey.snapshot.providers[candidate.provider]):
            journey.translation = None
            return candidate
        try:
            if len(journey.body) > INLINE_BYTES:
                journey.translation = await asyncio.to_thread(_translate, journey, candidate)
            else:
                journey.translation = _translate(journey, candidate)
            return candidate
        except Refused as no:
            first = first or no
    if first is None:
        raise RuntimeError("a target is chosen before the route was resolved")
    raise first


def _translate(journey: Journey, candidate: Candidate) -> TranslatedCall:
    provider, call = journey.snapshot.providers[candidate.provider], journey.call
    translate = translation_of(call.endpoint.value, provider.dialect)
    if translate is None:
        raise RuntimeError("a candidate was kept that is not spoken to")
    price = journey.prices.get(candidate)
    context = Context(
        model=candidate.model,
        at_s=call.arrived_ns // 1_000_000_000,
        most_output=None if price is None else price.max_output,
        answer_id=call.operation,
        limit_name="max_completion_tokens" if provider.profile.name in NEWER else "max_tokens",
        asks_usage=provider.profile.inject_usage,
    )
    return translate(journey.body, context)


def without_dialect(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The client's headers that mean the same to a provider of another dialect."""
    return [pair for pair in headers if not pair[0].startswith(_OF_A_DIALECT)]


class TranslatedResponse:
    """A provider's answer as its client's dialect has it; everything behind it sees no other."""

    def __init__(self, inner: UpstreamResponse, call: TranslatedCall, *, streamed: bool) -> None:
        self._inner = inner
        self._call = call
        is_stream = streamed and inner.status == 200 and not _is_json(inner)
        self._stream: TranslatedStream | None = call.stream() if is_stream else None
        self._inflater: Inflater | None = inflater_of(inner)
        self._whole: Metered | None = None
        self._over = False
        self.status = inner.status
        self.headers = call.headers(inner.headers, streamed=is_stream)

    @property
    def metered(self) -> Metered:
        """What is metered of it so far, in the provider's own words."""
        if self._stream is not None:
            return self._stream.metered()
        return self._whole or Metered()

    async def chunk(self) -> bytes | None:
        """See UpstreamResponse."""
        if self._over:
            return None
        return await self._answer() if self._stream is None else await self._next(self._stream)

    def abort(self) -> None:
        """See UpstreamResponse."""
        self._inner.abort()

    async def close(self) -> None:
        """See UpstreamResponse."""
        await self._inner.close()

    async def _next(self, stream: TranslatedStream) -> bytes | None:
        while (chunk := await self._inner.chunk()) is not None:
            told = stream.feed(chunk if self._inflater is None else self._inflater.feed(chunk))
            if told:
                return told
        self._over = True
        return stream.close() or None

    async def _answer(self) -> bytes:
        body = await self._collected()
        self._over = True
        try:
            if len(body) > INLINE_BYTES:
                answer = await asyncio.to_thread(self._call.answer, self.status, body)
            else:
                answer = self._call.answer(self.status, body)
        except Unreadable as error:
            raise UpstreamFailed("protocol", f"the provider's answer was not taken: {error}", sent=True) from error
        self._whole = answer.metered
        return answer.body

    async def _collected(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while (chunk := await self._inner.chunk()) is not None:
            parts.append(chunk if self._inflater is None else self._inflater.feed(chunk))
            size += len(parts[-1])
            if size > MOST_BYTES:
                self._inner.abort()
                raise UpstreamFailed("protocol", "the provider's answer is too large to be translated", sent=True)
        return b"".join(parts)


def _is_json(response: UpstreamResponse) -> bool:
    """Whether it is an answer in one piece; lines of JSON (Ollama's) are a stream."""
    for name, value in response.headers:
        if name == b"content-type":
            media = value.partition(b";")[0].strip().lower()
            return media.endswith(b"json") and not media.endswith(b"ndjson")
    return False
