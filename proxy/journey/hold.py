"""hold: set the worst case aside in every budget of the call, all or none."""

from proxy.budget import Granted, HoldLine, HoldRequest, LedgerUnavailable, Short, Unit, figures, fitted, spoken
from proxy.core.clock import utc
from proxy.core.money import Nano
from proxy.core.refusal import JsonValue, Refusal, Refused
from proxy.journey.estimate import worst_price
from proxy.journey.rooms import Rooms
from proxy.journey.start_record import start_record
from proxy.journey.state import Journey


async def hold(journey: Journey, rooms: Rooms) -> None:
    """Hold the estimate; the hold is a lease that a dead worker cannot keep.

    Where no route rule is loaded nothing is left to decide, so the hold is made as dispatched in one step.

    Raises:
        Refused: BUDGET_EXCEEDED with the numbers of the budget that is short, DEPENDENCY_UNAVAILABLE.
    """
    at_once = not rooms.policy.decides("route")
    request = HoldRequest(
        operation=journey.call.operation,
        worker=rooms.worker,
        lines=fitted(journey.lines, journey.estimate.input_tokens, journey.estimate.output_tokens),
        amount=journey.estimate.amount,
        charged_at_ns=journey.call.arrived_ns,
        lease_until_ns=rooms.clock.now_ns() + rooms.holding.lease_s * 1_000_000_000,
        start_record=start_record(journey, rooms),
        dispatched=at_once,
    )
    try:
        verdict = await rooms.ledger.hold(request)
    except LedgerUnavailable as error:
        rooms.ledger_away = True
        raise ledger_refusal(error) from error
    journey.mark("hold", rooms.clock.monotonic_ns())
    if isinstance(verdict, Granted):
        journey.granted = verdict
        journey.dispatched = at_once
        return
    if not isinstance(verdict, Short):
        raise RuntimeError(f"the ledger answered {verdict} to a hold without gates or a run")
    raise _too_dear(journey, verdict)


def ledger_refusal(error: LedgerUnavailable) -> Refused:
    """The answer when the ledger cannot be asked: closed, and saying so."""
    return Refused(
        Refusal.DEPENDENCY_UNAVAILABLE,
        "The budget ledger cannot be reached, so nothing may be spent; try again shortly.",
        facts={"dependency": "ledger", "detail": str(error)},
        retry_after_s=1,
    )


def _too_dear(journey: Journey, short: Short) -> Refused:
    line = short.line
    remaining = Nano(max(0, line.limit - short.spent - short.held))
    resets_at = None if line.resets_at_ns is None else utc(line.resets_at_ns).isoformat()
    facts: dict[str, JsonValue] = {
        "scope": line.scope,
        "budget": line.name,
        "window": line.window,
        **figures(line, spent=short.spent, held=short.held, wanted=short.wanted),
        "resets_at": resets_at,
        "fits": {"max_tokens": _fitting_output(journey, line, remaining), "model": journey.request.model},
    }
    return Refused(Refusal.BUDGET_EXCEEDED, _said(short, remaining, resets_at), facts=facts)


def _said(short: Short, remaining: Nano, resets_at: str | None) -> str:
    line, rolling = short.line, short.line.counted_from is not None
    resets = f"; {'some of it may come back' if rolling else 'it resets'} at {resets_at}" if resets_at else ""
    return (
        f"The budget {line.name!r} of {line.scope} has {spoken(line.unit, remaining)} left in "
        f"{'its rolling window' if rolling else line.window}, "
        f"and this call could {'cost' if line.unit is Unit.USD else 'take'} {spoken(line.unit, short.wanted)}{resets}."
    )


def _fitting_output(journey: Journey, line: HoldLine, remaining: Nano) -> int | None:
    """The output limit that what is left would pay for, of each choice; None when not even the input fits."""
    if line.unit is not Unit.USD:
        return _fitting_tokens(journey, line.unit, remaining)
    estimate, prices = journey.estimate, [price for price in journey.prices.values() if price is not None]
    if not prices:
        return None
    input_cost = max(worst_price(journey, price, estimate.input_tokens, 0) for price in prices)
    left, output_cost = remaining - input_cost, estimate.amount - input_cost
    if left < 0 or estimate.output_tokens == 0 or output_cost <= 0:
        return None
    return left * estimate.output_tokens // output_cost // journey.request.choices


def _fitting_tokens(journey: Journey, unit: Unit, remaining: int) -> int | None:
    """The same where tokens are counted; None where output is not."""
    if unit not in (Unit.TOKENS, Unit.OUTPUT_TOKENS):
        return None
    left = remaining - (journey.estimate.input_tokens if unit is Unit.TOKENS else 0)
    return left // journey.request.choices if left >= 0 else None
