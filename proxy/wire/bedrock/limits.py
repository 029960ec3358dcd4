"""Under which names the bodies of Bedrock's models give their output limit: Converse has one, InvokeModel each maker's.

Sources: AWS's reference of inference parameters per model family, as of Nov 2026.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from proxy.wire.bedrock.fields import Fields
from proxy.wire.endpoint import Endpoint

Place: TypeAlias = tuple[str, ...]
"""Members that lead to a value, outermost first."""

CONVERSE_LIMIT: Final[Place] = ("inferenceConfig", "maxTokens")
_FLAT: Final = (
    "max_tokens", "max_completion_tokens", "max_tokens_to_sample", "max_gen_len", "maxTokens", "max_new_tokens",
)  # fmt: skip
_OF_TITAN: Final[Place] = ("textGenerationConfig", "maxTokenCount")
_INVOKE: Final[tuple[Place, ...]] = (
    *((name,) for name in _FLAT),
    CONVERSE_LIMIT,
    ("inferenceConfig", "max_new_tokens"),
    _OF_TITAN,
)
_CONVERSE: Final[tuple[Place, ...]] = (
    CONVERSE_LIMIT,
    # Passed to the model as they are: whichever of them it obeys, the largest bounds the call.
    *(("additionalModelRequestFields", name) for name in _FLAT),
    ("additionalModelRequestFields", "inferenceConfig", "maxTokens"),
    ("additionalModelRequestFields", "inferenceConfig", "max_new_tokens"),
)


def limits_in(endpoint: Endpoint, fields: Fields) -> Iterator[tuple[Place, object]]:
    """The output limits that a body gives, each with its place; null is none."""
    places = _INVOKE
    if endpoint is Endpoint.CONVERSE:
        places = _CONVERSE if "additionalModelRequestFields" in fields else _CONVERSE[:1]
    for place in places:
        value: object = fields
        for name in place:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            yield place, value


def own_limit(endpoint: Endpoint, fields: Fields) -> Place | None:
    """Where a body that gives no limit would have it; None where its kind is not known."""
    if endpoint is Endpoint.CONVERSE:
        return CONVERSE_LIMIT
    if "anthropic_version" in fields:
        return ("max_tokens",)
    if "schemaVersion" in fields or "inferenceConfig" in fields:
        return CONVERSE_LIMIT
    if "inputText" in fields:
        return _OF_TITAN
    return ("max_tokens",) if "messages" in fields else None
