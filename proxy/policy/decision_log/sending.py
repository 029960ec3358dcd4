"""What waits for the server of decision logs: bounded, sent in batches, tried again, and counted where it is lost."""

import asyncio
import gzip
import logging
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

DropReason = Literal["full", "refused", "unreadable", "stopped"]
BATCH_BYTES: Final = 1_000_000
"""Before it is compressed."""
LONGEST_PAUSE_S: Final = 60.0
FIRST_PAUSE_S: Final = 1.0
GATHER_S: Final = 1.0
LAST_S: Final = 3.0
_COMPLAIN_EVERY_S: Final = 60.0
_REFUSED: Final = frozenset({400, 404, 405, 410, 411, 413, 415, 422})
"""Statuses after which the same batch will not be taken."""
log = logging.getLogger("flyball.decision_log")


class NotSent(Exception):
    """No answer came; the message says why, without the URL."""


@dataclass(kw_only=True, slots=True)
class Figures:
    """What was done in this process. `pending_bytes`: what waits."""

    sent: int = 0
    retried: int = 0
    pending_bytes: int = 0
    dropped: Counter[DropReason] = field(default_factory=Counter)


class LogSender:
    """Sends entries in their order. `put` never waits; of what does not fit the latest is dropped. For one loop."""

    def __init__(
        self, post: Callable[[bytes], Awaitable[int]], most_bytes: int, *, first_pause_s: float = FIRST_PAUSE_S
    ) -> None:
        """`post` sends a gzipped body and gives the status; raises NotSent."""
        self.figures = Figures()
        self._post = post
        self._most_bytes = most_bytes
        self._first_pause_s = first_pause_s
        self._waiting: deque[bytes] = deque()
        self._there_is = asyncio.Event()
        self._complained = float("-inf")

    def put(self, entries: Sequence[bytes], unreadable: int = 0) -> None:
        """Let entries wait, each a JSON object."""
        figures = self.figures
        figures.dropped["unreadable"] += unreadable
        for entry in entries:
            if figures.pending_bytes + len(entry) > self._most_bytes:
                figures.dropped["full"] += 1
            else:
                figures.pending_bytes += len(entry)
                self._waiting.append(entry)
        if self._waiting:
            self._there_is.set()

    async def run(self) -> None:
        """Send until cancelled; then what is left, once, for a few seconds."""
        try:
            while True:
                await self._there_is.wait()
                await asyncio.sleep(min(GATHER_S, self._first_pause_s))
                await self._send_all()
        finally:
            await self._end()

    async def _send_all(self) -> None:
        failures = 0
        while self._waiting:
            batch = self._batch()
            if await self._taken(batch):
                failures = 0
                continue
            failures += 1
            self.figures.retried += 1
            longest = min(self._first_pause_s * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE_S)
            await asyncio.sleep(longest * random.uniform(0.5, 1.0))
        self._there_is.clear()

    def _batch(self) -> list[bytes]:
        """The first that wait, about a megabyte of them; they wait on until they are taken."""
        batch: list[bytes] = []
        size = 0
        for entry in self._waiting:
            size += len(entry)
            if batch and size > BATCH_BYTES:
                break
            batch.append(entry)
        return batch

    async def _taken(self, batch: Sequence[bytes]) -> bool:
        """Whether a batch is done with: taken, or never to be taken."""
        body = await asyncio.to_thread(gzip.compress, b"[" + b",".join(batch) + b"]", 6)
        try:
            status = await self._post(body)
        except NotSent as error:
            self._complain(str(error))
            return False
        if not 200 <= status < 300:
            self._complain(f"answers {status}")
            if status not in _REFUSED:
                return False
            self.figures.dropped["refused"] += len(batch)
        else:
            self.figures.sent += len(batch)
        for entry in batch:
            self._waiting.popleft()
            self.figures.pending_bytes -= len(entry)
        return True

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(LAST_S):
                while self._waiting and await self._taken(self._batch()):
                    pass
        except TimeoutError:
            pass
        self.figures.dropped["stopped"] += len(self._waiting)
        self._waiting.clear()
        self.figures.pending_bytes = 0

    def _complain(self, what: str) -> None:
        now = time.monotonic()
        if now - self._complained >= _COMPLAIN_EVERY_S:
            self._complained = now
            log.warning("decisions are not taken by their log server", extra={"error": what})
