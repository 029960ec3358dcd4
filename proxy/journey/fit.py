"""Which candidates take what a request asks, and how much of it: the others are left out before any is ranked."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from proxy.core.refusal import JsonValue, Refusal, Refused
from proxy.journey.call_facts import asks_of
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.routing import Candidate, Capability
from proxy.wire.endpoint import ONE_WINDOW, Endpoint

_MESSAGES: Final[Mapping[str, str]] = MappingProxyType({"gemini": "contents"})
_FORMS: Final[Mapping[str, str]] = MappingProxyType(
    {"anthropic": "output_format", "gemini": "generationConfig", "bedrock": "outputConfig"}
)
"""In which field a dialect's requests say what they ask; where it is not listed, as OpenAI's chats do."""


def drop_incapable(journey: Journey) -> None:
    """Leave out the candidates that do not take what the request asks.

    Raises:
        Refused: CAPABILITY_MISSING, naming the field, where none does.
    """
    resolution, asks = journey.resolution, asks_of(journey)
    if resolution is None or not asks:
        return
    lacking: dict[Candidate, list[Capability]] = {}
    for candidate in resolution.candidates:
        target = resolution.targets.get(candidate)
        if target is not None and target.capabilities is not None and not asks.issubset(target.capabilities):
            lacking[candidate] = sorted(asks.difference(target.capabilities))
    if not lacking:
        return
    if len(lacking) == len(resolution.candidates):
        raise _not_taken(journey, lacking)
    journey.leave_out({each: f"does not take {', '.join(missing)}" for each, missing in lacking.items()})


async def drop_too_small(journey: Journey, input_tokens: int, rooms: Rooms) -> None:
    """Leave out the candidates whose window is too small for the prompt.

    A count that is not exact is one of too many: it decides among candidates, but only two thirds of it refuse a call.

    Raises:
        Refused: CAPABILITY_MISSING where it fits into none.
    """
    endpoint = journey.call.endpoint
    if endpoint not in ONE_WINDOW:
        return
    windows = dict(_windows(journey))
    if not windows or input_tokens <= min(windows.values()):
        return
    counted = await rooms.counter.count_input(journey.model, endpoint, journey.body)
    least = counted.tokens if counted.exact else counted.tokens * 2 // 3
    out = {each: window for each, window in windows.items() if counted.tokens > window}
    candidates = journey.resolution.candidates if journey.resolution else ()
    if len(out) == len(candidates):
        out = {each: window for each, window in windows.items() if least > window}
    if out and len(out) == len(candidates):
        raise _too_long(journey, least, max(out.values()))
    if out:
        journey.leave_out({each: f"takes prompts of {window} tokens at most" for each, window in out.items()})
        for candidate in out:
            journey.prices.pop(candidate, None)


def _windows(journey: Journey) -> Iterator[tuple[Candidate, int]]:
    """The tokens that a prompt may have at each candidate of which that is known."""
    resolution = journey.resolution
    if resolution is None:
        return
    for candidate in resolution.candidates:
        target, price = resolution.targets.get(candidate), journey.prices.get(candidate)
        if target is not None and target.context_tokens is not None:
            yield candidate, target.context_tokens - (journey.request.max_output_tokens or 0)
        elif price is not None and price.max_input is not None:
            yield candidate, price.max_input


def _not_taken(journey: Journey, lacking: Mapping[Candidate, list[Capability]]) -> Refused:
    missing = min(lacking.values(), key=len)
    told: dict[str, JsonValue] = {f"{each.provider}/{each.model}"[:200]: list(what) for each, what in lacking.items()}
    return Refused(
        Refusal.CAPABILITY_MISSING,
        f"No target of the model {journey.model[:200]!r} takes {' and '.join(missing)}: ask for another model, or "
        f"leave {'it' if len(missing) == 1 else 'them'} out.",
        param=_field(journey, missing[0]),
        facts={"model": journey.model[:200], "missing": list(missing), "targets": told},
    )


def _too_long(journey: Journey, tokens: int, window: int) -> Refused:
    return Refused(
        Refusal.CAPABILITY_MISSING,
        f"The prompt has at least {tokens} tokens, and no target of the model {journey.model[:200]!r} takes more than "
        f"{max(0, window)} beside the answer that is asked for.",
        param=_field(journey, "images"),
        facts={"model": journey.model[:200], "input_tokens": tokens, "context_tokens": window},
    )


def _field(journey: Journey, capability: Capability) -> str:
    """Where in the request that is asked."""
    endpoint, dialect = journey.call.endpoint, journey.call.dialect.name
    if capability == "tools":
        return "toolConfig" if dialect == "bedrock" else "tools"
    if capability == "structured_output":
        return "text" if endpoint is Endpoint.RESPONSES else _FORMS.get(dialect, "response_format")
    if endpoint is Endpoint.RESPONSES:
        return "input"
    return "prompt" if endpoint is Endpoint.COMPLETIONS else _MESSAGES.get(dialect, "messages")
