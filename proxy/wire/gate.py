"""The tool-call gate: withholds the calls that a model emits until each of them is decided (DESIGN §7).

From the first event on that carries a part of a call, everything is kept back in its order until the calls are
complete and decided. Then it goes on byte for byte, or, where a call is denied, without it and with a refusal in its
place. What could be a call and cannot be read in one way only is denied: a client may read it as one.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Protocol

from proxy.wire.framing import SSE, Framing
from proxy.wire.sse import EventTooLarge
from proxy.wire.strict import Json, Unreadable, parsed, written
from proxy.wire.tool_calls import TOO_LARGE, TOO_SLOW, UNREADABLE, Denied, Slot, State, ToolCall, Verdict, own_verdict

MOST_BYTES: Final = 256 * 1024
MOST_NS: Final = 30_000_000_000
MOST_CALLS: Final = 256
"""More calls than this in one event or one batch are no model's."""


class Calls(Protocol):
    """How one dialect tells the calls of one stream or answer; what `see` gives stands for an event that was read."""

    blocked: str
    """Why every call behind this point is denied; empty where none is."""

    @property
    def fresh(self) -> Sequence[Slot]:
        """The calls that are not handed out yet."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether a call is not complete yet."""
        ...

    def may_carry(self, raw: bytes) -> bool:
        """Whether bytes could hold a call in any client's reading."""
        ...

    def is_last(self, data: bytes) -> bool:
        """Whether an event says that nothing more comes, and nothing else."""
        ...

    def see(self, value: dict[str, Json], name: bytes | None = None) -> Any:
        """Read one event. Raises Unreadable."""
        ...

    def see_answer(self, value: dict[str, Json]) -> Any:
        """Read a whole answer. Raises Unreadable."""
        ...

    def carries(self, seen: Any) -> bool:
        """Whether an event is about a call that is not decided."""
        ...

    def finish(self) -> None:
        """Nothing more comes: what is told so far of the calls is all."""
        ...

    def taken(self) -> Sequence[Slot]:
        """The calls to decide, complete; they are handed out once."""
        ...

    def decided(self, slots: Sequence[Any]) -> None:
        """These, of those that were handed out, are decided."""
        ...

    def soiled(self, held: Sequence[tuple[bytes, Any]]) -> None:
        """From these events on the stream is another one than came."""
        ...

    def rewritten(self, events: list[tuple[bytes, Any]]) -> bytes:
        """The events without the calls that are denied; an event of which nothing was read as it came."""
        ...

    def change(self, value: dict[str, Json], seen: Any) -> object:
        """Take the denied calls out of a whole answer."""
        ...

    def refusal(self, last: bytes, code: str) -> bytes:
        """The events that stand for what could not be read, after the last event's data."""
        ...

    def ends_unread(self, *, is_endless: bool) -> bytes | None:
        """What ends a stream after something in it could not be read; None where it may go on behind that."""
        ...


class ToolGate:
    """One stream's gate. Feed it the stream; while `asks` is not empty, `answer` it before feeding more.

    `denied` are the calls that were taken out so far; where it only `observes` they are written down, and pass.
    """

    def __init__(
        self,
        calls: Calls,
        *,
        observes: bool = False,
        framing: Framing = SSE,
        most_bytes: int = MOST_BYTES,
        most_ns: int = MOST_NS,
    ) -> None:
        self._observes = observes
        self.asks: tuple[ToolCall, ...] = ()
        self.denied: list[Denied] = []
        self._calls = calls
        self._framing = framing
        self._most_bytes, self._most_ns = most_bytes, most_ns
        self._splitter = framing.splitter()
        self._queue: deque[bytes] = deque()
        self._held: list[tuple[bytes, Any]] = []
        self._held_bytes = 0
        self._since_ns = self._now_ns = 0
        self._taken: list[Slot] = []
        self._asked: list[Slot] = []
        self._is_dirty = self._is_over = False
        self._last = b""

    @property
    def is_holding(self) -> bool:
        """Whether anything is kept back."""
        return bool(self._held or self._queue) or not self._splitter.is_between_events

    def feed(self, chunk: bytes, now_ns: int) -> bytes:
        """What may go on now: whole events only. `now_ns` is monotonic."""
        self._now_ns = now_ns
        if self._is_over:
            return b""
        try:
            self._queue.extend(self._splitter.feed(chunk))
        except EventTooLarge as too_large:
            self._queue.extend(too_large.events)
            self._queue.append(_ENDLESS)
        return self._advance()

    def answer(self, verdicts: Sequence[Verdict]) -> bytes:
        """Decide what was asked, in its order; what may go on now."""
        given = iter(verdicts)
        for slot in self._asked:
            slot.decide([next(given) for _ in slot.readings])
        self.asks, self._asked = (), []
        return self._release() + self._advance()

    def close(self) -> bytes:
        """The stream is over: what is left of it is looked at as it is. More may be asked."""
        rest = self._splitter.close()
        if rest and not self._is_over:
            self._queue.append(rest)
        self._queue.append(b"")
        return self._advance()

    def _advance(self) -> bytes:
        out = []
        while self._queue and not self.asks and not self._is_over:
            out.append(self._step(self._queue.popleft()))
        return b"".join(out)

    def _step(self, event: bytes) -> bytes:
        if not event:
            self._calls.finish()
            return self._settle() if self._held else b""
        if event is _ENDLESS:
            return self._give_up(TOO_LARGE, event)
        is_suspect = self._calls.may_carry(event)
        if not (self._held or self._is_dirty or is_suspect):
            self._last = event
            return event
        data = self._framing.data_of(event)
        if data is None or not data.strip():
            # Without data it is no event, but somebody may read it who knows nothing of events.
            return self._give_up(UNREADABLE, event) if is_suspect else self._keep(event, None)
        if self._calls.is_last(data):
            self._calls.finish()
            return self._keep(event, None)
        try:
            value = parsed(data)
            seen = self._calls.see(value, self._framing.name_of(event))
        except Unreadable:
            return self._give_up(UNREADABLE, event) if is_suspect else self._keep(event, None)
        self._last = event
        return self._keep(event, seen)

    def _keep(self, event: bytes, seen: Any) -> bytes:
        """Keep an event back if something is kept, or it carries a call; else it goes on."""
        if not self._held and (seen is None or not self._calls.carries(seen)):
            return self._sent([(event, seen)])
        if not self._held:
            self._since_ns = self._now_ns
        self._held.append((event, seen))
        self._held_bytes += len(event)
        return self._settle()

    def _settle(self) -> bytes:
        """See whether what is kept can be decided."""
        if self._calls.is_open or not self._calls.fresh:
            if not self._calls.fresh:
                return self._release()
            code = self._exceeded()
            return self._deny_all(code) if code else b""
        code = self._exceeded()
        if code:
            return self._deny_all(code)
        slots = self._calls.taken()
        self._taken = list(slots)
        self._asked = [slot for slot in slots if slot.state is State.OPEN]
        self.asks = tuple(reading for slot in self._asked for reading in slot.readings)
        if len(self.asks) > MOST_CALLS:
            self.asks = ()
            return self._denied_now(TOO_LARGE)
        return b"" if self.asks else self._release()

    def _exceeded(self) -> str:
        if self._held_bytes > self._most_bytes:
            return TOO_LARGE
        return TOO_SLOW if self._now_ns - self._since_ns > self._most_ns else ""

    def _deny_all(self, code: str) -> bytes:
        self._taken = list(self._calls.taken())
        return self._denied_now(code)

    def _denied_now(self, code: str) -> bytes:
        for slot in self._taken:
            if slot.state is not State.DENIED:
                slot.deny(own_verdict(code))
        self._asked = []
        return self._release()

    def _release(self) -> bytes:
        taken, self._taken = self._taken, []
        denied = [slot for slot in taken if slot.state is State.DENIED]
        self._calls.decided(taken)
        if denied:
            self._soil()
            self.denied += [Denied(slot.name, slot.verdict.code, slot.verdict.decision) for slot in denied]
        events, self._held, self._held_bytes = self._held, [], 0
        return self._sent(events)

    def _soil(self) -> None:
        """From here on the stream is another one than came."""
        if self._observes:
            return
        self._is_dirty = True
        self._calls.soiled(self._held)

    def _sent(self, events: list[tuple[bytes, Any]]) -> bytes:
        if not self._is_dirty:
            return b"".join([event for event, _ in events])
        return self._calls.rewritten(events)

    def _give_up(self, code: str, event: bytes) -> bytes:
        """What came cannot be read: it is left out, as is every call behind it, and a refusal stands for it."""
        self._calls.blocked = code
        self.denied.append(Denied("", code))
        before = self._deny_all(code) if self._held else b""
        if self._observes:
            return before + (self._splitter.close() if event is _ENDLESS else event)
        self._soil()
        refusal = self._calls.refusal(self._framing.data_of(self._last) or b"", code)
        end = self._calls.ends_unread(is_endless=event is _ENDLESS)
        self._is_over = end is not None
        return before + refusal + (end or b"")


_ENDLESS: Final = b"endless"


class AnswerGate:
    """The gate of an answer in one piece: its calls are in `asks`; `answer` gives the body to send.

    `is_readable` is False where it may hold calls and cannot be read: it must not be sent.
    """

    def __init__(self, calls: Calls, body: bytes) -> None:
        self.denied: list[Denied] = []
        self.asks: tuple[ToolCall, ...] = ()
        self.is_readable = True
        self._body = body
        self._calls = calls
        self._seen: Any = None
        self._value: dict[str, Json] = {}
        self._slots: list[Slot] = []
        if calls.may_carry(body):
            try:
                self._read()
            except Unreadable:
                self.is_readable = False

    def answer(self, verdicts: Sequence[Verdict]) -> bytes:
        """The body to send: as it came if all is allowed."""
        given = iter(verdicts)
        for slot in self._slots:
            if slot.state is State.OPEN:
                slot.decide([next(given) for _ in slot.readings])
        denied = [slot for slot in self._slots if slot.state is State.DENIED]
        if not denied:
            return self._body
        self.denied = [Denied(slot.name, slot.verdict.code, slot.verdict.decision) for slot in denied]
        self._calls.decided(self._slots)
        self._calls.change(self._value, self._seen)
        return written(self._value)

    def _read(self) -> None:
        self._value = parsed(self._body)
        self._seen = self._calls.see_answer(self._value)
        self._calls.finish()
        self._slots = list(self._calls.taken())
        asks = [reading for slot in self._slots if slot.state is State.OPEN for reading in slot.readings]
        if len(asks) > MOST_CALLS or sum(len(ask.arguments) for ask in asks) > MOST_BYTES:
            for slot in self._slots:
                slot.deny(own_verdict(TOO_LARGE))
            asks = []
        self.asks = tuple(asks)
