"""An errand: an upstream call that Flyball makes for itself beside its clients', on the org's overhead account.

It is an operation of its own: held, billed, recorded and settled as a client's call is, but of no client's budgets.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace as changed

from proxy.core.clock import utc_second
from proxy.core.ids import new_id
from proxy.core.money import Nano
from proxy.core.outcome import Purpose
from proxy.core.refusal import Refused
from proxy.core.tenant import overhead_of
from proxy.core.usage import NO_USAGE, Usage
from proxy.journey.account import accounted
from proxy.journey.ask import ask, note_decision, reads_at
from proxy.journey.caching.sought import Sought
from proxy.journey.call import Call, Headers
from proxy.journey.dispatch import dispatch
from proxy.journey.estimate import estimate
from proxy.journey.hold import hold
from proxy.journey.identify import NS_PER_S
from proxy.journey.policy_facts import policy_facts
from proxy.journey.pump import pump
from proxy.journey.rooms import Rooms, Snapshot
from proxy.journey.state import Journey
from proxy.journey.switched import look_again
from proxy.journey.translated import choose, is_spoken
from proxy.policy import UNRULED, Point
from proxy.routing import Candidate, Resolution
from proxy.upstream import UpstreamFailed
from proxy.wire.dialect import Dialect
from proxy.wire.endpoint import PATHS, Endpoint
from proxy.wire.openai.dialect import OPENAI

MOST_ANSWER: Final = 4_194_304
JSON: Final[Headers] = [(b"content-type", b"application/json")]
_ROUTE: Final = Point.ROUTE
_PATHS: Final = {endpoint: path for path, endpoint in PATHS.items()}
log = logging.getLogger("flyball.errand")


class Errand(Struct, frozen=True, kw_only=True):
    """What is asked, of whom, why, and for which org.

    `body` is in the words of `dialect`; a candidate of another one is asked in its own. `path` continues a provider's
    base URL, and may be left out where the endpoint has one of its own. With `beside`, the client call that it is made
    beside and that its body is of, policy must let that call go to the candidate. Its row has `variant`, and how alike
    the answer is to the text in `likened`. `sought` is the hit of a semantic cache that
    its answer is compared with. `most_answer` in bytes.
    """

    purpose: Purpose
    org: str
    candidate: Candidate
    endpoint: Endpoint
    body: bytes
    dialect: Dialect = OPENAI
    path: str = ""
    headers: Headers = field(default_factory=JSON.copy)
    query: bytes = b""
    beside: Journey | None = None
    variant: str = ""
    likened: str = ""
    most_answer: int = MOST_ANSWER
    sought: Sought | None = None


class Returned(Struct, frozen=True, kw_only=True):
    """What came of an errand. `failure` is empty for an answer that is one: status below 300, and whole.

    It is a refusal's code, a kind of failure of the transport, `upstream_error` (`body` says which), `too_large`,
    `denied` (by policy), `no_room`, `deadline`, `shutting_down`, `no_money` or `internal_error`. Of one that missed its
    deadline nothing more is told, though it goes on to its end and is billed. Times in milliseconds.
    """

    failure: str = ""
    operation: str = ""
    status: int = 0
    body: bytes = b""
    usage: Usage = NO_USAGE
    cost: Nano | None = None
    model: str = ""
    finish_reason: str = ""
    took_ms: float = 0.0
    ttft_ms: float | None = None


class _Listener:
    """The client's end of a call that no client made: it keeps the answer, up to a size."""

    def __init__(self, errand: Errand) -> None:
        self.started = False
        self.is_too_large = False
        self._body = errand.body
        self._most = errand.most_answer
        self._kept: list[bytes] = []
        self._size = 0

    @property
    def text(self) -> bytes:
        """The answer's body; nothing of one that was too large."""
        return b"" if self.is_too_large else b"".join(self._kept)

    async def body(self) -> bytes:
        """See Exchange."""
        return self._body

    async def start(self, status: int, headers: Headers) -> None:
        """See Exchange."""
        self.started = True

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """See Exchange."""
        self.started = True
        self.write(body)

    def write(self, chunk: bytes) -> bool:
        """See Exchange."""
        self._size += len(chunk)
        self.is_too_large |= self._size > self._most
        if self.is_too_large:
            self._kept.clear()
        else:
            self._kept.append(chunk)
        return True

    async def send(self, chunk: bytes) -> None:
        """See Exchange."""
        self.write(chunk)

    async def finish(self, chunk: bytes = b"") -> None:
        """See Exchange."""
        self.write(chunk)

    def gone(self) -> bool:
        """See Exchange."""
        return False

    def watch(self, when_gone: Callable[[], None]) -> None:
        """See Exchange: it never goes."""


def start_errand(errand: Errand, rooms: Rooms) -> asyncio.Task[Returned] | None:
    """Send it beside everything else; None, with nothing done, where too many are under way. The task never fails."""
    if rooms.stopping:
        return None
    return rooms.errands.begin(lambda: _carried_out(errand, rooms), len(errand.body))


async def run_errand(errand: Errand, rooms: Rooms, within_s: float | None = None) -> Returned:
    """Send it and wait for what comes of it, at most so long; never raises but for the cancelling of who waits."""
    task = start_errand(errand, rooms)
    if task is None:
        rooms.counters.errand(errand.purpose, "no_room")
        return Returned(failure="shutting_down" if rooms.stopping else "no_room")
    await asyncio.wait({task}, timeout=within_s)
    if not task.done():
        return Returned(failure="deadline")
    return Returned(failure="shutting_down") if task.cancelled() else task.result()


async def _carried_out(errand: Errand, rooms: Rooms) -> Returned:
    exchange = _Listener(errand)
    journey = _begun(errand, exchange, rooms)
    try:
        journey.facts = errand.dialect.read_request(errand.endpoint, journey.call.path, errand.body)
        journey.model = journey.facts.model
        failure = await _travel(journey, errand, rooms)
    except Refused as no:
        failure = no.why.code
        if no.by and not journey.accounted:
            rooms.counters.refused(no.by, rooms.clock.now_ns())
    except UpstreamFailed as error:
        failure = error.kind
    except Exception as error:  # noqa: BLE001 (a crash boundary: what is done beside a call must never end it)
        log.error("an errand failed", extra={"purpose": errand.purpose.value, "error": repr(error)[:500]})
        failure = "internal_error"
    returned = _returned(journey, exchange, failure)
    rooms.counters.errand(errand.purpose, returned.failure or "ok")
    return returned


async def _travel(journey: Journey, errand: Errand, rooms: Rooms) -> str:
    """The errand's own journey; why it got no answer, empty where it did.

    Raises:
        Refused, UpstreamFailed: as a client's call would be refused, or fail.
    """
    candidates = (errand.candidate,)
    provider = journey.snapshot.providers.get(errand.candidate.provider)
    if provider is None or provider.passes_credentials or not is_spoken(journey, provider):
        return "denied"
    look_again(journey, rooms)
    await estimate(journey, rooms)
    if errand.beside is not None and not await _is_allowed(journey, errand.beside, rooms):
        return "denied"
    journey.candidate = await choose(journey, candidates)
    await hold(journey, rooms)
    if journey.granted is None:  # a ladder would have it go to another model, which is none of its business
        return "no_money"
    async with accounted(journey, rooms):
        await pump(journey, await dispatch(journey, rooms), rooms)
    return ""


def _begun(errand: Errand, exchange: _Listener, rooms: Rooms) -> Journey:
    """A journey that nobody has to be known for, and whose answer no rule is asked about: no client gets it."""
    snapshot = rooms.snapshot()
    now_ns, arrived_ns = rooms.clock.monotonic_ns(), rooms.clock.now_ns()
    call = Call(
        operation=new_id("op"),
        dialect=errand.dialect,
        endpoint=errand.endpoint,
        path=errand.path or _PATHS.get(errand.endpoint, ""),
        query=errand.query,
        raw_headers=errand.headers,
        headers=dict(errand.headers),
        secret="",
        received_ns=now_ns,
        arrived_ns=arrived_ns,
    )
    at = utc_second(arrived_ns // NS_PER_S)
    journey = Journey(call, exchange, _unruled(snapshot), overhead_of(errand.org), marked_ns=now_ns, at=at)
    journey.body = journey.original = errand.body
    journey.gate = "none"
    journey.purpose = errand.purpose
    journey.variant, journey.likened = errand.variant, errand.likened
    journey.sought = errand.sought
    route = ""
    if errand.beside is not None:
        journey.beside = errand.beside.call.operation
        route = "" if errand.beside.resolution is None else errand.beside.resolution.route
    journey.resolution = Resolution(route, (errand.candidate,))
    return journey


def _unruled(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, policy=UNRULED, reads_findings=False, reads_results=False)


async def _is_allowed(journey: Journey, beside: Journey, rooms: Rooms) -> bool:
    """Whether rules let the client's own call go to the candidate, as it is: with a duty to change it, it does not."""
    snapshot = rooms.snapshot()
    engine = snapshot.policy
    if not engine.is_live(_ROUTE):
        return True
    asking = changed(
        journey,
        snapshot=snapshot,
        principal=beside.principal,
        claims=beside.claims,
        found=beside.found,
        unreleased=beside.unreleased,
    )
    asked = await ask(asking, rooms, _ROUTE, await policy_facts(asking, rooms, _ROUTE, reads_at(engine, _ROUTE)))
    note_decision(rooms, asked.row)
    decision = asked.decision
    is_plain = decision.duties == engine.grant.duties and not decision.deny_candidates
    return asked.failure is None and decision.allow and is_plain


def _returned(journey: Journey, exchange: _Listener, failure: str) -> Returned:
    if not journey.attempts:
        return Returned(failure=failure, operation=journey.call.operation)
    last = journey.attempts[-1]
    if not failure:
        failure = "too_large" if exchange.is_too_large else "" if last.outcome == "ok" else last.error or last.outcome
    return Returned(
        failure=failure,
        operation=journey.call.operation,
        status=journey.status,
        body=exchange.text,
        usage=last.usage,
        cost=journey.cost,
        model=last.model or last.sent_model,
        finish_reason=last.finish_reason,
        took_ms=(last.ended_ns - last.started_ns) / 1_000_000,
        ttft_ms=(last.first_output_ns - last.started_ns) / 1_000_000 if last.first_output_ns else None,
    )
