"""tool_call: may a call that the model emits reach the client?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from proxy.core.refusal import Refusal
from proxy.journey.ask import Asked, ask, ask_shadow_later, note_decision, note_own, reads_at
from proxy.journey.oblige import tell
from proxy.journey.observe import note, observes
from proxy.journey.park import Parking
from proxy.journey.policy_facts import policy_facts, registered
from proxy.journey.released import note_released
from proxy.journey.rooms import Rooms
from proxy.journey.running import is_killed, run_halt
from proxy.journey.state import Journey
from proxy.journey.switched import KILL_SWITCH, halt_of, tool_denial
from proxy.policy import AskedCall, Decision, Denial, Point, RequireApproval
from proxy.wire.tool_calls import ALLOWED, UNREADABLE, Denied, ToolCall, Verdict, own_verdict
from proxy.wire.tool_schemas import RequestTools

APPROVAL: Final = Refusal.APPROVAL_REQUIRED.code
_MOST_TOLD: Final = 8
_TOOL_CALL: Final = Point.TOOL_CALL


def is_gated(journey: Journey, rooms: Rooms) -> bool:
    """Whether a call's answer may hold tool calls that a rule or a kill switch looks at, or that are to be noted."""
    if journey.call.endpoint not in journey.call.dialect.gated:
        return False
    if journey.snapshot.policy.is_live(_TOOL_CALL) or journey.snapshot.reads_results:
        return True
    switches = rooms.snapshot().switches
    return bool(switches) and switches.gates(journey.principal.org)


def is_watched(journey: Journey) -> bool:
    """Whether its tool calls are only looked at, by rules that are tried: then nothing is withheld."""
    policy = journey.snapshot.policy
    if not policy.has_shadow(_TOOL_CALL) or policy.is_live(_TOOL_CALL):
        return False
    return journey.call.endpoint in journey.call.dialect.gated


class CallJudge:
    """Decides the tool calls of one answer, each by itself; `withholds` false only has tried rules look at them.

    `parking` puts the answer aside where a call needs a person; `approved` are calls that one has said yes to.
    """

    def __init__(
        self,
        journey: Journey,
        rooms: Rooms,
        *,
        withholds: bool = True,
        parking: Parking | None = None,
        approved: frozenset[AskedCall] = frozenset(),
    ) -> None:
        self._withholds = withholds
        self._parking = parking
        self._approved = approved
        self._journey = journey
        self._rooms = rooms
        self._facts: dict[str, Any] | None = None
        self._tools: RequestTools | None = None

    async def judge(self, calls: Sequence[ToolCall]) -> list[Verdict]:
        """A verdict for each call, in their order. Where there is no decision the answer is no."""
        verdicts = [await self._judge(call) for call in calls]
        if self._withholds and self._journey.snapshot.reads_results:
            passes = [call for call, said in zip(calls, verdicts, strict=True) if said.allow or observes(self._journey)]
            await note_released(self._journey, self._rooms, passes)
        return verdicts

    async def _judge(self, call: ToolCall) -> Verdict:
        tools = self._tools = self._tools or self._journey.call.dialect.request_tools(self._journey.body)
        if call.is_repeated and not tools.knows(call.kind, call.name):
            return ALLOWED
        try:
            call.name.encode()
            call.arguments.encode()
        except UnicodeEncodeError:
            return own_verdict(UNREADABLE)
        off = tool_denial(self._journey, self._rooms, call.name) if self._withholds else None
        if off is not None:
            return self._denied(call, off)
        policy = self._journey.snapshot.policy
        is_live = policy.is_live(_TOOL_CALL)
        if not is_live and not policy.has_shadow(_TOOL_CALL):
            return ALLOWED
        judged = tools.judge(call)
        if self._facts is None:
            reads = reads_at(policy, _TOOL_CALL)
            self._facts = await policy_facts(self._journey, self._rooms, _TOOL_CALL, reads)
        told = {
            "name": call.name,
            "type": call.kind,
            "arguments": judged.arguments,
            "arguments_bytes": len(call.arguments.encode()),
            "valid": judged.valid,
            "known": judged.known,
            "registered": registered(self._journey, call.name),
        }
        facts = {**self._facts, "tool": told}
        if not is_live:
            ask_shadow_later(self._journey, self._rooms, _TOOL_CALL, facts)
            return ALLOWED
        asked = await ask(self._journey, self._rooms, _TOOL_CALL, facts)
        self._journey.asked = asked.row
        try:
            return await self._carried_out(call, asked)
        finally:
            note_decision(self._rooms, asked.row)

    def _denied(self, call: ToolCall, off: Denial) -> Verdict:
        """A kill switch's no: no rule is asked."""
        journey = self._journey
        journey.decision = no = Decision(allow=False, revision=journey.snapshot.policy.revision, denials=(off,))
        noted = note_own(journey, self._rooms, _TOOL_CALL, no, call.name)
        return Verdict(False, off.code, off.msg, noted)

    async def _carried_out(self, call: ToolCall, asked: Asked) -> Verdict:
        journey, decision = self._journey, asked.decision
        needed = decision.duties.require_approval
        if decision.allow and needed is not None and AskedCall(call.name, call.arguments) not in self._approved:
            said = await self._needs_approval(call, needed)
            asked.row.approval_id = journey.approval
            if not said.allow:
                no = Denial(said.code, said.message)
                journey.decision = Decision(allow=False, revision=decision.revision, denials=(no,))
                return replace(said, decision=asked.row.decision_id)
            # It may have waited for a minute: what was turned off meanwhile stays off.
            off = tool_denial(journey, self._rooms, call.name) or _turned_off(journey, self._rooms)
            if off is not None:
                return self._denied(call, off)
        if decision.allow:
            tell(journey, decision.duties, self._rooms)
            return ALLOWED
        journey.decision = decision
        return Verdict(False, decision.code, decision.message, asked.row.decision_id)

    async def _needs_approval(self, call: ToolCall, needed: RequireApproval) -> Verdict:
        if self._parking is not None:
            return await self._parking.verdict(call, needed)
        return Verdict(
            False, APPROVAL, f"A person must approve it first{f': {needed.reason}' if needed.reason else ''}."
        )


def _turned_off(journey: Journey, rooms: Rooms) -> Denial | None:
    """Why nothing of the whole answer may reach the client any more, where people have ended it while it waited."""
    halt = run_halt(journey) if is_killed(journey, rooms) else halt_of(journey, rooms, is_gated=True)
    return None if halt is None else Denial(KILL_SWITCH, f"It waited, and meanwhile {halt.said}.")


def note_own_denials(journey: Journey, denied: Sequence[Denied], rooms: Rooms) -> list[str]:
    """Write down the calls that the gate denied by itself, as decisions that no engine was asked for; their ids."""
    own = [each for each in denied if not each.decision]
    return [note_own(journey, rooms, _TOOL_CALL, _own(journey, each.code), each.name) for each in own]


def tell_denied(journey: Journey, denied: Sequence[Denied]) -> None:
    """Say in the row, and in the headers of an answer that is not sent yet, which calls were denied and why."""
    if not denied:
        return
    first = denied[0]
    if observes(journey):
        note(journey, Refusal.POLICY_DENIED, f"policy/{first.code}")
        return
    journey.denied = (*journey.denied, *denied)
    if journey.decision is None or journey.decision.allow:
        journey.decision = _own(journey, first.code)
    names = [_plain(f"{each.name[:64] or 'unreadable'} ({each.code})") for each in denied[:_MOST_TOLD]]
    more = f" and {len(denied) - _MOST_TOLD} more" if len(denied) > _MOST_TOLD else ""
    journey.say(f"tool calls denied by policy: {', '.join(names)}{more}")


def _plain(text: str) -> str:
    """A model's text as it may stand in a header and in a row: all but plain letters written as escapes."""
    ascii_only = text.encode("ascii", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else "?" for letter in ascii_only)


def _own(journey: Journey, code: str) -> Decision:
    no = own_verdict(code)
    denials = (Denial(no.code, no.message),)
    return Decision(allow=False, revision=journey.snapshot.policy.revision, denials=denials)
