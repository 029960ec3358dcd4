"""What must be known of a request before it is let through: read once, strictly; the model stands in the path."""

from typing import Final

from proxy.wire.bedrock.fields import Fields, Json, child, hosted_tools, read_fields, refuse, text, tool_specs
from proxy.wire.bedrock.limits import limits_in
from proxy.wire.bedrock.paths import read_path
from proxy.wire.endpoint import Endpoint
from proxy.wire.facts import RequestFacts

MAX_MODEL_CHARS: Final = 2048
"""The longest that AWS takes; an ARN of an inference profile has about a hundred."""
MAX_OUTPUT_TOKENS: Final = 2**31 - 1
_OBJECTS: Final = ("inferenceConfig", "toolConfig", "additionalModelRequestFields", "textGenerationConfig")
_LISTS: Final = ("messages", "system", "tools")
_KEPT_THERE: Final = (":prompt/",)
"""In an ARN: what the model is asked for stands at the provider, so nothing of it can be counted or looked at."""


def read_request(endpoint: Endpoint, path: str, body: bytes) -> RequestFacts:
    """The facts of a request; fields that are not read are not looked at.

    Raises:
        Refused: INVALID_REQUEST, naming the field and what to do.
    """
    read = read_path(path)
    if read is None:
        refuse("the path must be /model/{id}/converse or one of its like, the id percent-encoded")
    fields = read_fields(body)
    _check(endpoint, fields)
    specs, hosted = list(tool_specs(fields)), tuple(hosted_tools(fields))
    return RequestFacts(
        model=_checked_model(read.model),
        streamed=read.streamed,
        asked_for_usage=True,
        max_output_tokens=_output_limit(endpoint, fields),
        has_tools=bool(specs or hosted),
        hosted_tools=hosted,
        user=text(child(fields, "metadata").get("user_id")) or None,
        session=text(child(fields, "requestMetadata").get("session_id")) or None,
        stateful=tuple(f"modelId ({mark.strip(':/')})" for mark in _KEPT_THERE if mark in read.model),
        service_tier=text(child(fields, "serviceTier").get("type")) or None,
    )


def _check(endpoint: Endpoint, fields: Fields) -> None:
    for name in _OBJECTS:
        value = fields.get(name)
        if value is not None and not isinstance(value, dict):
            refuse(f"`{name}` must be an object", name)
    for name in _LISTS:
        value = fields.get(name)
        is_text = endpoint is Endpoint.INVOKE and isinstance(value, str)
        if value is not None and not isinstance(value, list) and not is_text:
            refuse(f"`{name}` must be an array", name)
    for name in ("messages", "tools"):
        _check_objects(name, fields.get(name))
    _check_objects("toolConfig.tools", child(fields, "toolConfig").get("tools"))


def _check_objects(name: str, value: Json) -> None:
    if isinstance(value, list) and not all(isinstance(each, dict) for each in value):
        refuse(f"`{name}` must be an array of objects", name)


def _checked_model(model: str) -> str:
    if not model.strip() or len(model) > MAX_MODEL_CHARS or not model.isprintable():
        refuse(f"the model in the path must be at most {MAX_MODEL_CHARS} printable characters", "modelId")
    return model


def _output_limit(endpoint: Endpoint, fields: Fields) -> int | None:
    most = 0
    for place, value in limits_in(endpoint, fields):
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            refuse(f"`{'.'.join(place)}` must be an integer", ".".join(place))
        if value <= 0:
            return None
        most = max(most, int(value))
    return min(most, MAX_OUTPUT_TOKENS) or None
