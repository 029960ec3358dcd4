"""What must be known of a Gemini request before it is let through: read once, strictly, and only these fields."""

import math
from typing import Final

import msgspec
from msgspec import Raw

from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import RequestFacts
from proxy.wire.gemini.names import Members, camel, decoded, invalid
from proxy.wire.gemini.paths import STREAM, place_of
from proxy.wire.gemini.stateful import state_fields
from proxy.wire.gemini.tools import hosted_tools, offered
from proxy.wire.members import begins

MAX_MODEL_CHARS: Final = 512
MAX_OUTPUT_TOKENS: Final = 2**31 - 1
"""An output limit above this is taken as this: no model reaches it, and money stays within 64 bits."""
MAX_CANDIDATES: Final = 128
"""No model makes more; a larger number is a slip, or an attack on the arithmetic of holds."""
_MODEL_PREFIX: Final = "models/"
_TIER_PREFIX: Final = "service_tier_"
_OBJECTS: Final = ("generationConfig", "generateContentRequest", "systemInstruction", "toolConfig")


def read_request(endpoint: Endpoint, path: str, body: bytes) -> RequestFacts:
    """The facts of a request: model and method from its path, the rest from its body.

    Raises:
        Refused: INVALID_REQUEST, naming the field and what to do, for anything but a JSON object in UTF-8 with the
            right types in the fields read, none of them repeated, and no other model than the path's.
    """
    place = place_of(path)
    if place is None:
        raise RuntimeError("a request is read whose path is none of a model")
    members = _members(body)
    members.refuse_repeats()
    _check_model(place.model)
    _check_models(endpoint, members, place.model)
    for name in _OBJECTS:
        value = members.get(name)
        if value is not None and not begins(value, b"{") and name != "systemInstruction":
            invalid(f"`{name}` must be an object", name)
    config = members.object("generationConfig")
    if config is not None:
        config.refuse_repeats("generationConfig.")
    tools = offered(members.get("tools"))
    hosted = hosted_tools(tools)
    return RequestFacts(
        model=place.model,
        streamed=place.method == STREAM,
        # Every chunk tells the usage so far, asked or not.
        asked_for_usage=True,
        max_output_tokens=_number(config, "maxOutputTokens", MAX_OUTPUT_TOKENS),
        choices=_candidates(config),
        has_tools=bool(tools),
        hosted_tools=hosted,
        stateful=state_fields(members, tools),
        service_tier=_tier(members.get("serviceTier")),
    )


def _members(body: bytes) -> Members:
    try:
        body.decode()
        return Members(body)
    except UnicodeDecodeError as error:
        invalid(f"the body is not valid UTF-8 (byte {error.start}); send JSON in UTF-8")
    except RecursionError:
        invalid("the body is nested too deeply")
    except msgspec.ValidationError:
        invalid("the body must be a JSON object")
    except msgspec.DecodeError as error:
        if not body.strip():
            invalid("the body is empty; send a JSON object")
        invalid(f"the body is not valid JSON: {str(error).removeprefix('JSON is malformed: ')}")


def _check_model(model: str) -> None:
    if model.isspace() or len(model) > MAX_MODEL_CHARS or not model.isprintable():
        invalid(f"the model in the path must be at most {MAX_MODEL_CHARS} printable characters", "model")


def _check_models(endpoint: Endpoint, members: Members, model: str) -> None:
    """A model in the body must be the path's: of two one would be governed and the other one served."""
    _check_same(members.get("model"), model, "model")
    if endpoint is Endpoint.BATCH_EMBED_CONTENTS:
        requests = members.get("requests")
        parts = msgspec.json.decode(requests, type=list[Raw]) if requests and begins(requests, b"[") else []
        for part in parts:
            if begins(part, b"{"):
                each = Members(bytes(part))
                each.refuse_repeats("requests[].")
                _check_same(each.get("model"), model, "requests[].model")
    elif (nested := members.object("generateContentRequest")) is not None:
        nested.refuse_repeats("generateContentRequest.")
        _check_same(nested.get("model"), model, "generateContentRequest.model")


def _check_same(given: Raw | None, model: str, param: str) -> None:
    if given is None:
        return
    name = decoded(given)
    if not isinstance(name, str) or name.rpartition(_MODEL_PREFIX)[2] != model:
        invalid(f"`{param}` must be the model of the path, {model[:200]!r}", param)


def _candidates(config: Members | None) -> int:
    count = _number(config, "candidateCount", 2**31)
    if count is None:
        return 1
    if count > MAX_CANDIDATES:
        invalid(f"`candidateCount` must be between 1 and {MAX_CANDIDATES}", "generationConfig.candidateCount")
    return count


def _number(config: Members | None, name: str, most: int) -> int | None:
    """A whole number above nothing; None where none is given. Google takes one in quotes, or written as 100.0, too."""
    given = None if config is None else config.get(name)
    if given is None:
        return None
    value = decoded(given)
    if isinstance(value, str) and value.isascii() and value.removeprefix("-").isdigit():
        value = int(value[:20])
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        invalid(f"`{name}` must be an integer", f"generationConfig.{name}")
    return min(value, most) if value > 0 else None


def _tier(given: Raw | None) -> str | None:
    value = None if given is None else decoded(given)
    return tier_name(value) if isinstance(value, str) else None


def tier_name(told: str) -> str | None:
    """A service tier as price books name it: `flex`, `priority`, …; None for the standard one.

    Vertex AI tells it as the traffic's type, `ON_DEMAND_FLEX`.
    """
    name = camel(told) if told.islower() else told
    name = name.lower().removeprefix(_TIER_PREFIX).removeprefix("on_demand").removeprefix("_")
    return None if name in ("", "standard", "unspecified", "traffic_type_unspecified") else name
