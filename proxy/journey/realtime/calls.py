"""tool_call: calls that the model emits in a session are withheld until they are decided."""

from typing import Final

from proxy.journey.gate_calls import CallJudge, is_gated, is_watched, tell_denied
from proxy.journey.realtime.ask import body_of
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.wire.openai.realtime.own_event import told_event
from proxy.wire.openai.realtime.server_event import (
    CallEvent,
    calls_within,
    may_be_of_a_call,
    read_call_event,
    without_items,
)
from proxy.wire.strict import Unreadable
from proxy.wire.tool_calls import (
    TOO_LARGE,
    UNREADABLE,
    Denied,
    ToolCall,
    Verdict,
    own_verdict,
    refusal_text,
)

MOST_WITHHELD: Final = 1_048_576
"""Bytes of one call's events; a larger call is denied."""
MOST_OPEN: Final = 256
"""Calls of a session that are under way at once."""
MOST_KNOWN: Final = 4096
"""Calls whose decision is remembered, so that what repeats a denied one does not pass."""


class SessionGate:
    """The gate of one session. A denied call's events never come; an `error` event that names the rule does."""

    def __init__(self, journey: Journey, rooms: Rooms) -> None:
        self._journey = journey
        self._rooms = rooms
        self._open: dict[str, list[str]] = {}
        self._sizes: dict[str, int] = {}
        self._decided: dict[str, bool] = {}
        self.withholds = is_gated(journey, rooms)
        self.watches = is_watched(journey)

    def offers(self, tools: list[dict[str, object]]) -> None:
        """The session's tools are these now."""
        self._journey.body = body_of(self._journey.request.model, tools)

    async def passed(self, kind: str, text: str) -> list[str]:
        """What goes on now in the place of an event."""
        self.withholds = self.withholds or is_gated(self._journey, self._rooms)
        body = text.encode()
        if not (self.withholds or self.watches) or not may_be_of_a_call(body):
            return [text]
        try:
            if kind == "response.done":
                return await self._ended(text, body)
            event = read_call_event(body)
        except Unreadable:
            return [self._said("", own_verdict(UNREADABLE))] if self.withholds else [text]
        return [text] if event is None else await self._of_call(event, text)

    async def _of_call(self, event: CallEvent, text: str) -> list[str]:
        decided = self._decided.get(event.item)
        if decided is not None:
            return [text] if decided else []
        if event.item not in self._open and not event.type.startswith("response."):
            return [text]  # an item that the client made itself, told back
        waiting = self._open.setdefault(event.item, [])
        waiting.append(text)
        size = self._sizes[event.item] = self._sizes.get(event.item, 0) + len(text)
        if size > MOST_WITHHELD or len(self._open) > MOST_OPEN:
            return self._end(event.item, "", own_verdict(TOO_LARGE))
        if event.call is None:
            return [] if self.withholds else [self._open[event.item].pop()]
        return await self._decide(event.item, event.call)

    async def _decide(self, item: str, call: ToolCall) -> list[str]:
        judge = CallJudge(self._journey, self._rooms, withholds=self.withholds)
        (verdict,) = await judge.judge([call])
        return self._end(item, call.name, verdict)

    def _end(self, item: str, name: str, verdict: Verdict) -> list[str]:
        waiting = self._open.pop(item, [])
        self._sizes.pop(item, None)
        allowed = verdict.allow or self._journey.snapshot.budgets.observes(self._journey.principal.org)
        self._decided[item] = allowed
        if len(self._decided) > MOST_KNOWN:
            del self._decided[next(iter(self._decided))]
        if verdict.allow:
            return waiting
        tell_denied(self._journey, [Denied(name, verdict.code, verdict.decision)])
        return waiting if allowed else [self._said(name, verdict)]

    async def _ended(self, text: str, body: bytes) -> list[str]:
        """A finished response repeats its calls, and may hold some that came in no event before."""
        said: list[str] = []
        calls = calls_within(body)
        for item, call in calls.items():
            if item not in self._decided:
                said += [event for event in await self._decide(item, call) if event != text]
        denied = frozenset(item for item in calls if not self._decided[item])
        self._open.clear()
        self._sizes.clear()
        return [*said, without_items(body, denied).decode() if denied else text]

    def _said(self, name: str, verdict: Verdict) -> str:
        facts = {"rule": verdict.code, "point": "tool_call", "decision": verdict.decision}
        return told_event(
            self._journey.call.operation,
            "permission_error",
            "policy_denied",
            refusal_text(name, verdict),
            facts=dict(facts),
        )
