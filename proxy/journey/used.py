"""used: what a call took of budgets that count tokens or requests, once it is over."""

from collections.abc import Mapping

from proxy.budget import Unit, tokens_used
from proxy.journey.state import Journey


def used(journey: Journey) -> Mapping[Unit, int] | None:
    """Tokens and requests of all attempts; None where the call's budgets count dollars only.

    A request that never reached a provider was none.
    """
    if all(line.unit is Unit.USD for line in journey.lines):
        return None
    attempts = journey.attempts
    tokens = tokens_used(
        sum(attempt.usage.prompt_tokens for attempt in attempts),
        sum(attempt.usage.completion_tokens for attempt in attempts),
    )
    return {**tokens, Unit.REQUESTS: int(any(not attempt.error.endswith("(not sent)") for attempt in attempts))}
