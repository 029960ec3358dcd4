"""The facts of one call on its way: what each step found out, for the steps after it and for the row at the end."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from msgspec import Struct, field, structs

from proxy.budget import Granted, HoldLine, Rung, RunTicket
from proxy.core.money import ZERO, Nano
from proxy.core.outcome import Outcome, Purpose
from proxy.core.tenant import Principal
from proxy.core.usage import NO_USAGE, Usage
from proxy.journey.caching.looked import Looked
from proxy.journey.caching.sought import Sought
from proxy.journey.call import Call, Exchange
from proxy.journey.rooms import Snapshot
from proxy.journey.tracing import Trace
from proxy.policy import Approval, Decision, Found
from proxy.pricing import Price, Priced
from proxy.routing import Candidate, Capability, LeftOut, Ranking, Resolution
from proxy.runs import Claims
from proxy.telemetry import DecisionRow
from proxy.upstream import Provider
from proxy.wire.facts import RequestFacts
from proxy.wire.openai.litellm import LitellmBody
from proxy.wire.rate_limits import RateLimits
from proxy.wire.tool_calls import Denied
from proxy.wire.tool_results import ToolResult
from proxy.wire.translate import Metered, TranslatedCall


class Estimate(Struct, frozen=True):
    """The worst case a call is held for: tokens in and out, and nano-dollars, highest over its candidates."""

    input_tokens: int
    output_tokens: int
    amount: Nano


NO_CLAIMS = Claims()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_ESTIMATE = Estimate(0, 0, ZERO)


class Translated(Protocol):
    """An answer that is translated on its way."""

    @property
    def metered(self) -> Metered:
        """What is metered of it so far, in the provider's own words."""
        ...


class Attempt(Struct):
    """One upstream request; times are monotonic nanoseconds, `started_at_ns` wall-clock."""

    id: str
    provider: Provider
    sent_model: str
    started_at_ns: int
    started_ns: int
    ended_ns: int = 0
    first_output_ns: int = 0
    status: int = 0
    outcome: Outcome = Outcome.LOST
    error: str = ""
    model: str = ""
    finish_reason: str = ""
    raw_usage: bytes = b""
    usage: Usage = NO_USAGE
    tool_call_count: int = 0
    tools: tuple[str, ...] = ()
    """The names of the tools that it called, as far as they are kept."""
    priced: Priced | None = None
    price_source: str = ""
    cost: Nano | None = None
    list_cost: Nano | None = None
    response_bytes: int = 0
    provider_request_id: str = ""
    retry_after_s: int | None = None
    translated: Translated | None = None
    """Its answer, where that is translated: what is billed is what the provider itself told."""
    watched: Candidate | None = None
    """The target that is to be told how it ends; None once that was done."""
    limits: RateLimits | None = None
    """What the provider's headers tell of its rate limits, where that was looked at."""
    leave_s: float | None = None
    """How many seconds a provider that refused asks to be left alone, by `retry-after` in whatever form."""
    span_id: str = ""
    """Its span, where OpenTelemetry is on."""
    purpose: Purpose = Purpose.SERVE
    said: Sequence[str] = ()
    """What its answer said, where that is to be compared."""
    fingerprint: str = ""
    """What the provider calls the version that answered."""

    @property
    def is_unbilled(self) -> bool:
        """Whether nobody has said yet what it used and cost; without a price it used something and cost None."""
        return self.cost is None and self.usage is NO_USAGE


class Measures(Struct):
    """What was done to a call short of refusing it, or would have been; few calls have any.

    `climbed` are the rungs dealt with, by the ledger's name of their line; `ladder` those that changed something, as
    `downgrade:acme-month`. `would_by` is scope and name of what would have refused, `refused_by` of what did.
    """

    climbed: dict[str, set[Rung]] = field(default_factory=dict)
    ladder: list[str] = field(default_factory=list)
    is_downgraded: bool = False
    clamped_to: int = 0
    unclamped: tuple[bytes, RequestFacts, Estimate, str] | None = None
    """The call as it was before a clamp was tried: its body, facts, estimate and reason."""
    would_code: str = ""
    would_by: str = ""
    refused_by: str = ""


class Journey(Struct):
    """One call: filled step by step, read by the record at the end. `outcome` starts as lost: a crash still shows."""

    call: Call
    exchange: Exchange
    snapshot: Snapshot
    principal: Principal
    original: bytes = b""
    """The body as the client sent it; `body` is what is made of it on the way."""
    body: bytes = b""
    said_elsewhere: LitellmBody | None = None
    """What stood in the body that was meant for another proxy, and was taken out; None where none is looked for."""
    facts: RequestFacts | None = None
    gate: Literal["full", "none"] = "full"
    """Whether rules on tool calls and answers will see what a model says."""
    model: str = ""
    """The model that is routed: the client's, or the one a ladder put in its place."""
    claims: Claims = NO_CLAIMS
    resolution: Resolution | None = None
    asks: frozenset[Capability] = frozenset()
    """What the request asks of a model beside tools, where a route needs to know."""
    left_out: tuple[LeftOut, ...] = ()
    """The candidates of the route that may not serve the call, as far as is known before the others are ranked."""
    conversation: bytes = b""
    """What makes calls one conversation, where its route keeps one together."""
    ranking: Ranking | None = None
    """The candidates in their order; None where there is but one and none was left out."""
    candidate: Candidate | None = None
    """The one that is asked: the ranking's first, or the next where that failed."""
    translation: TranslatedCall | None = None
    """What stands between the client's dialect and the candidate's; None where both speak the same."""
    prices: dict[Candidate, Price | None] = field(default_factory=dict)
    lines: tuple[HoldLine, ...] = ()
    estimate: Estimate = NO_ESTIMATE
    ticket: RunTicket | None = None
    found: Found | None = None
    """What detectors saw in the body as it is now; None where no rule asks."""
    unreleased: tuple[ToolResult, ...] | None = None
    """The results in its history whose calls its run was never given; None where no rule asks."""
    decision: Decision | None = None
    denied: tuple[Denied, ...] = ()
    """The calls of tools that were taken out of its answer."""
    asked: DecisionRow | None = None
    """The row of the decision that is being carried out: it is written once that is done."""
    trace: Trace | None = None
    """Its place in a trace; None where OpenTelemetry is off."""
    approval: str = ""
    """The approval that the call waits for, or that let it pass."""
    recalled: Approval | None = None
    """The approval whose answer is to be given in the place of a provider's."""
    kept_response: dict[str, Any] | None = None
    """What rules are told of that answer."""
    looked: Looked | None = None
    """What a cache was asked; None where none is."""
    sought: Sought | None = None
    """What a semantic cache was asked; None where none is."""
    no_cache: bool = False
    """Whether a rule obliges that the call neither reads a cache nor is kept in one."""
    fee: Nano = ZERO
    """What an answer from memory costs."""
    granted: Granted | None = None
    dispatched: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    outcome: Outcome = Outcome.LOST
    code: str = ""
    status: int = 0
    reason: str = ""
    measures: Measures | None = None
    error: str = ""
    overrun: Nano = ZERO
    accounted: bool = False
    is_deferred: bool = False
    """Whether its work goes on after it was answered: the row is written, and the hold settled, when that is done."""
    stages: dict[str, int] = field(default_factory=dict)
    marked_ns: int = 0
    at: datetime = EPOCH
    """The second the call arrived in: the moment its prices are of."""
    purpose: Purpose = Purpose.SERVE
    beside: str = ""
    """The operation that it is made beside, where Flyball makes it and no client."""
    variant: str = ""
    """What it is called by among the targets of its route, where Flyball makes it."""
    likened: str = ""
    """What its answer is compared with."""

    def mark(self, stage: str, now_ns: int) -> None:
        """Book the time since the last mark under this stage, in nanoseconds."""
        self.stages[stage] = self.stages.get(stage, 0) + now_ns - self.marked_ns
        self.marked_ns = now_ns

    @property
    def measured(self) -> Measures:
        """What was done to the call, to be written into."""
        if self.measures is None:
            self.measures = Measures()
        return self.measures

    def say(self, reason: str) -> None:
        """Say why the call goes otherwise than its client asked; several reasons stand one after the other."""
        self.reason = f"{self.reason}; {reason}" if self.reason else reason

    def leave_out(self, out: Mapping[Candidate, str]) -> None:
        """Ask these candidates no more, each for its reason; who calls has seen to it that some are left."""
        if self.resolution is None:
            raise RuntimeError("candidates are left out before the route was resolved")
        left = tuple(each for each in self.resolution.candidates if each not in out)
        self.resolution = structs.replace(self.resolution, candidates=left)
        self.left_out = (*self.left_out, *(LeftOut(each, why) for each, why in out.items()))

    @property
    def request(self) -> RequestFacts:
        """What the body said; only after it was read."""
        if self.facts is None:
            raise RuntimeError("the request is asked for before its body was read")
        return self.facts

    @property
    def cost(self) -> Nano | None:
        """The operation's cost: the sum of its attempts; None when one has no price."""
        if len(self.attempts) == 1:
            return self.attempts[0].cost
        if not self.attempts:
            return self.fee
        return total([attempt.cost for attempt in self.attempts])

    @property
    def list_cost(self) -> Nano | None:
        """What it would have cost at list prices; None when an attempt has no price."""
        if len(self.attempts) == 1:
            return self.attempts[0].list_cost
        return total([attempt.list_cost for attempt in self.attempts])


def total(amounts: Sequence[Nano | None]) -> Nano | None:
    """The sum of amounts; None when one of them is not known."""
    summed = 0
    for amount in amounts:
        if amount is None:
            return None
        summed += amount
    return Nano(summed)
