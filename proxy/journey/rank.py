"""rank: the candidates of a route in the order in which they are asked, by its strategy."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from proxy.budget import Unit
from proxy.core.money import Nano
from proxy.core.outcome import Outcome
from proxy.core.usage import Usage
from proxy.journey.media import worst_media
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.pricing import Price, expected_cost
from proxy.routing import Option, Pin, Plan, Ranking, Resolution, Turn, ranked
from proxy.runs import DERIVED, derived_run

KEPT: Final = frozenset({"sticky", "cache_aware"})
"""The strategies that keep a conversation together."""
_COSTED: Final = frozenset({"cheapest", "budget_aware", "cache_aware"})
_WHOLE: Final = 1_000_000
_DIGEST: Final = 16


def rank(journey: Journey, resolution: Resolution, rooms: Rooms) -> Ranking:
    """The candidates, best first."""
    plan = resolution.plan
    pin: Pin | None = None
    if plan.strategy in KEPT:
        journey.conversation = conversation_of(journey, plan)
        within_ns = plan.affinity_ns if plan.strategy == "sticky" else plan.prompt_cache_ns
        if journey.conversation:
            pin = rooms.pins.of(journey.conversation, rooms.clock.monotonic_ns(), within_ns)
    turn = Turn(
        lot=journey.call.operation.encode(),
        conversation=journey.conversation,
        pinned=None if pin is None else pin.candidate,
        output_tokens=expected_output(journey, plan),
        fullness=_fullness(journey, rooms) if plan.strategy == "budget_aware" else 0,
        eases_from=plan.eases_from,
    )
    options = _options(journey, resolution, turn, pin, rooms)
    return Ranking(ranked(plan.strategy, options, turn), journey.left_out)


def conversation_of(journey: Journey, plan: Plan) -> bytes:
    """A name of the conversation that the call is of, within its key's organisation; empty where it is of none."""
    for affinity in plan.affinity:
        name = ""
        if affinity == "run" and journey.claims.run_source != DERIVED:
            name = journey.claims.run
        elif affinity == "session":
            name = journey.request.session or ""
        elif affinity == "user":
            name = journey.claims.end_user
        elif affinity == "key":
            name = journey.principal.key_id
        elif affinity == "prefix":
            name = derived_run(journey.call.endpoint, journey.body, journey.principal.key_id)
        if name:
            told = f"{journey.principal.org}\n{affinity}\n{name}"
            return blake2b(told.encode("utf-8", "replace"), digest_size=_DIGEST).digest()
    return b""


def expected_output(journey: Journey, plan: Plan) -> int:
    """The tokens that an answer is expected to have, all of its choices together."""
    if not journey.call.endpoint.has_output:
        return 0
    most = journey.request.max_output_tokens
    expected = plan.expected_output_tokens if most is None else min(most, plan.expected_output_tokens)
    return expected * journey.request.choices


def note_served(journey: Journey, rooms: Rooms) -> None:
    """Remember who has served the conversation; one that failed does not keep it."""
    if not journey.attempts or journey.candidate is None:
        return
    last = journey.attempts[-1]
    if last.outcome in (Outcome.OK, Outcome.CANCELLED) and last.status < 400:
        pin = Pin(journey.candidate, _prompt_of(last.usage, journey), rooms.clock.monotonic_ns())
        rooms.pins.set(journey.conversation, pin)


def _prompt_of(usage: Usage, journey: Journey) -> int:
    return usage.prompt_tokens or journey.estimate.input_tokens


def _options(journey: Journey, resolution: Resolution, turn: Turn, pin: Pin | None, rooms: Rooms) -> Sequence[Option]:
    is_costed = resolution.plan.strategy in _COSTED
    look = rooms.health.look
    options = []
    for candidate in resolution.candidates:
        target = resolution.targets.get(candidate)
        price = journey.prices.get(candidate) if is_costed else None
        cost = warm = None
        if price is not None:
            cost = _cost(journey, price, turn.output_tokens)
            if pin is not None and pin.candidate == candidate and journey.request.media is None:
                warm = _cost(journey, price, turn.output_tokens, cached=pin.input_tokens)
        weight = 1 if target is None else target.weight
        options.append(Option(candidate=candidate, weight=weight, cost=cost, warm_cost=warm, look=look(candidate)))
    return options


def _cost(journey: Journey, price: Price, output: int, *, cached: int = 0) -> Nano:
    """What the call is expected to cost at a price; where tokens are not all, the most it could."""
    given = journey.estimate.input_tokens
    if journey.request.media is not None:
        return worst_media(journey, price, given).amount
    if price.max_output is not None:
        output = min(output, price.max_output * journey.request.choices)
    return expected_cost(
        price,
        journey.at,
        input_tokens=given,
        output_tokens=output,
        cached_tokens=min(cached, given),
        service_tier=journey.request.service_tier,
    )


def _fullness(journey: Journey, rooms: Rooms) -> int:
    """How full the tightest budget in dollars is, in millionths, as this worker last heard."""
    fullest = 0
    for line in journey.lines:
        known = rooms.standing.of(line) if line.unit is Unit.USD else None
        if known is not None:
            balance = known[0]
            limit = balance.line.limit if balance.line.whole is None else balance.line.whole
            fullest = max(fullest, (balance.spent + balance.held) * _WHOLE // max(1, limit))
    return min(fullest, _WHOLE)
