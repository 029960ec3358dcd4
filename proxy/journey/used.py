"""used: what a call took of budgets and limits that count something else than dollars, once it is over."""

from collections.abc import Mapping
from typing import Final

from proxy.budget import Unit, tokens_used
from proxy.journey.state import Attempt, Journey

_USD: Final = Unit.USD


def used(journey: Journey) -> Mapping[Unit, int] | None:
    """Tokens, tool calls and requests of all attempts; None where the call's budgets count dollars only.

    A request that never reached a provider was none, but for one that got an answer which was kept for it. Tools that
    a provider ran itself count as calls of tools too.
    """
    for line in journey.lines:
        if line.unit is not _USD:
            break
    else:
        return None
    attempts = journey.attempts
    tokens = tokens_used(
        sum(attempt.usage.prompt_tokens for attempt in attempts),
        sum(attempt.usage.completion_tokens for attempt in attempts),
    )
    return {
        **tokens,
        Unit.TOOL_CALLS: sum(attempt.tool_call_count + sum(attempt.usage.tool_calls.values()) for attempt in attempts),
        Unit.REQUESTS: int(_was_kept(journey) or any(_was_sent(attempt) for attempt in attempts)),
        Unit.SLOTS: 0,
    }


def _was_kept(journey: Journey) -> bool:
    return journey.recalled is not None or (journey.looked is not None and journey.looked.answer is not None)


def _was_sent(attempt: Attempt) -> bool:
    return not attempt.error.endswith("(not sent)")
