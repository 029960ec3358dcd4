"""Counts tokens before a provider has: for holds, and for calls whose provider never tells.

The rules for what stands around texts are OpenAI's (a message: three tokens and its role; three to begin the answer),
checked against recorded usage: exact for gpt-4 and gpt-4.1, one too many for gpt-5, never too few.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple, Unpack

import tiktoken
from msgspec import Struct

from proxy.metering.families import Family, family_of
from proxy.metering.memo import Key, Memo, key_of
from proxy.metering.settings import MeteringSettings
from proxy.metering.vocabulary import VOCAB_FOLDER, EncodingName, load, preloaded, verify
from proxy.wire.countable import Countable
from proxy.wire.dialects import dialect_of
from proxy.wire.endpoint import Endpoint

PER_MESSAGE: Final = 4
PER_PROMPT: Final = 3
PER_FOREIGN_TEXT: Final = 2
"""Other families mark where a bare text begins, and some where it ends."""
PER_TOOL: Final = 16
"""A bound for what a definition costs beside its JSON, which is longer than the form the model is shown."""
AUDIO_BYTES_PER_TOKEN: Final = 100
"""OpenAI counts 10 tokens a second; no codec in use needs fewer than 8 kbit for one."""
OPAQUE_BYTES_PER_TOKEN: Final = 3
"""Encrypted reasoning is text underneath, of four and more bytes a token."""
CHARS_PER_TOKEN: Final = 3
"""For output of which nothing was kept."""
SLICE_CHARS: Final = 200_000
"""A thread counts so much at a time (20 ms), so that a huge prompt does not keep the others waiting."""

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")
_CHAT: Final = Endpoint.CHAT
_RESPONSES: Final = Endpoint.RESPONSES
_MESSAGES: Final = Endpoint.MESSAGES


class InputCount(Struct, frozen=True):
    """How many input tokens a request has. `exact`: it is text alone, counted by its model's own vocabulary."""

    tokens: int
    exact: bool
    encoding: str


class TokenCounter:
    """Counts by OpenAI's vocabularies on one thread of its own; vocabularies are loaded when first needed.

    `vocab_folder` holds the vocabulary files; a file that is not as shipped raises BadVocabulary from `warm` and from
    every count that needs it.
    """

    def __init__(self, settings: MeteringSettings, *, vocab_folder: Path = VOCAB_FOLDER) -> None:
        self._settings = settings
        self._folder = vocab_folder
        self._memo = Memo(settings.memo_bytes)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tokens")
        self._encodings: dict[EncodingName, tiktoken.Encoding] = {}

    async def warm(self) -> None:
        """Check both vocabularies and load the one in general use now, rather than on the first call's time.

        The other is loaded by the first call of a model of its time: it would cost every worker 20 MB.

        Raises:
            BadVocabulary: a file is missing or has been changed.
        """
        await self._on_thread(verify, self._folder)
        await self._on_thread(self._encoding, "o200k_base")

    async def count_input(self, model: str, endpoint: Endpoint, body: bytes) -> InputCount:
        """The input tokens of a request body: no fewer than its provider will bill, where that can be bounded.

        For other families than OpenAI's it is a count by o200k_base with the margin of the settings.
        """
        family = family_of(model)
        read = dialect_of(endpoint).read_countable
        if len(body) <= self._settings.inline_bytes:
            countable = read(endpoint, body)
        else:
            countable = await self._on_thread(read, endpoint, body)
        texts = await self._count(family.encoding, countable.texts)
        tokens = texts + self._around(family, endpoint, countable)
        if family.native:
            return InputCount(tokens, countable.is_text and not family.preamble, family.encoding)
        tokens += -(-texts * family.stretch_percent // 100)
        return InputCount(self._with_margin(tokens), False, family.encoding)

    async def count_output(self, model: str, texts: Sequence[str], chars: int) -> int:
        """The tokens of output that was delivered; what is missing of `chars` characters counts like what is there."""
        family = family_of(model)
        text = "".join(texts)
        if not text:
            return -(-chars // CHARS_PER_TOKEN)
        tokens = await self._on_thread(self._counted, family.encoding, [text])
        whole = -(-tokens[0] * max(chars, len(text)) // len(text))
        return whole if family.native else self._with_margin(whole)

    def close(self) -> None:
        """Let the thread end; counts under way are finished, none may be begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _on_thread(self, work: Callable[[Unpack[Arguments]], Result], *arguments: *Arguments) -> Awaitable[Result]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def _count(self, encoding: EncodingName, texts: Sequence[str]) -> int:
        """The sum over the texts: those met before from memory, the others on the thread, in slices."""
        total = 0
        unknown: list[tuple[Key, str]] = []
        for text in texts:
            key = key_of(encoding, text)
            known = self._memo.get(key)
            if known is None:
                unknown.append((key, text))
            else:
                total += known
        if not unknown:
            return total
        counts = [0] * len(unknown)
        for batch in batches([text for _, text in unknown]):
            found = await self._on_thread(self._counted, encoding, [piece for _, piece in batch])
            for (index, _), count in zip(batch, found, strict=True):
                counts[index] += count
        for (key, _), count in zip(unknown, counts, strict=True):
            self._memo.put(key, count)
        return total + sum(counts)

    def _counted(self, encoding: EncodingName, texts: Sequence[str]) -> list[int]:
        # Text that spells a special token is text: a provider does not take it from a user's prompt either.
        encode = self._encoding(encoding).encode_ordinary
        return [len(encode(text)) for text in texts]

    def _encoding(self, name: EncodingName) -> tiktoken.Encoding:
        # On the one thread only, so that nothing is loaded twice.
        if name not in self._encodings:
            self._encodings[name] = preloaded(name, self._folder) or load(name, self._folder)
        return self._encodings[name]

    def _around(self, family: Family, endpoint: Endpoint, countable: Countable) -> int:
        tokens = countable.markers + countable.token_ids + PER_MESSAGE * countable.messages
        if endpoint is _CHAT or endpoint is _RESPONSES or endpoint is _MESSAGES:
            tokens += PER_PROMPT + family.preamble
        elif not family.native:
            tokens += PER_FOREIGN_TEXT * len(countable.texts)
        if countable.tools:
            tokens += family.tools_preamble + PER_TOOL * countable.tools
        return tokens if countable.is_text else tokens + self._of_media(family, countable)

    def _of_media(self, family: Family, countable: Countable) -> int:
        ceiling = family.image
        low = self._settings.image_tokens if ceiling is None else ceiling.low
        high = self._settings.image_tokens if ceiling is None else ceiling.high
        return (
            countable.low_detail_images * low
            + (countable.images - countable.low_detail_images) * high
            + -(-countable.audio_bytes // AUDIO_BYTES_PER_TOKEN)
            + -(-countable.opaque_bytes // OPAQUE_BYTES_PER_TOKEN)
            # A byte of a compressed document can hold a token of text.
            + countable.file_bytes
            + countable.files * self._settings.file_tokens
        )

    def _with_margin(self, tokens: int) -> int:
        return -(-tokens * (100 + self._settings.margin_percent) // 100)


def batches(texts: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """The texts, numbered, in lists of a slice each; a text longer than a slice comes in pieces of the same number."""
    batch: list[tuple[int, str]] = []
    chars = 0
    for index, text in enumerate(texts):
        for piece in _pieces(text):
            if chars + len(piece) > SLICE_CHARS and batch:
                yield batch
                batch, chars = [], 0
            batch.append((index, piece))
            chars += len(piece)
    if batch:
        yield batch


def _pieces(text: str) -> Iterator[str]:
    at = 0
    while len(text) - at > SLICE_CHARS:
        end = at + SLICE_CHARS
        # A word's token begins with the space before it: a cut there splits none.
        space = text.rfind(" ", at + SLICE_CHARS // 2, end)
        if space > 0:
            end = space
        yield text[at:end]
        at = end
    yield text[at:]
