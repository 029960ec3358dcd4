"""What the next answers are to be, whatever the requests ask for."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from proxy.sim.faults import Faults


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """An answer given byte for byte, in chunks of the given sizes; what is left over is one last chunk."""

    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)
    body: bytes = b""
    cuts: tuple[int, ...] = ()
    gap_s: float = 0.0

    def chunks(self) -> Iterable[bytes]:
        """The body, cut."""
        start = 0
        for size in self.cuts:
            if start >= len(self.body):
                return
            yield self.body[start : start + size]
            start += size
        if start < len(self.body):
            yield self.body[start:]


Turn: TypeAlias = Faults | Replay


class Script:
    """Turns taken in order, one per request; after the last one `always` goes on, or requests decide for themselves."""

    def __init__(self, *turns: Turn, always: Turn | None = None) -> None:
        self._turns = deque(turns)
        self.always = always

    def add(self, *turns: Turn) -> None:
        """Put further turns at the end."""
        self._turns.extend(turns)

    def take(self) -> Turn | None:
        """The turn for this request; None when the script has nothing to say about it."""
        return self._turns.popleft() if self._turns else self.always
