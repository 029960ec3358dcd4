"""What a request asks of the simulated provider, read once and checked as the real one checks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.sim.bad_request import BadRequest
from proxy.sim.faults import NO_FAULTS, Faults, UnknownFault, parse_faults
from proxy.sim.models import MODELS, SimModel
from proxy.sim.prompts import count_of_ids, count_of_inputs, overhead_of, texts_of, words_of
from proxy.wire.endpoint import Endpoint


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One request, understood.

    `tokens` are the prompt's words, which its token count and its cached prefix go by; `inputs` how many things are to
    be answered or embedded (a completion may bring several prompts). `natural_tokens` is the length the caller wants to
    see, whatever the model would have said.
    """

    endpoint: Endpoint
    model: SimModel
    body: Mapping[str, Any]
    tokens: tuple[str, ...]
    overhead_tokens: int
    inputs: int = 1
    streamed: bool = False
    wants_usage: bool = False
    limit: int | None = None
    choices: int = 1
    tool: Mapping[str, Any] | None = None
    schema: Any = None
    natural_tokens: int | None = None
    faults: Faults = NO_FAULTS
    texts: tuple[str, ...] = field(default=())

    @property
    def prompt_tokens(self) -> int:
        """Never more than a real tokenizer of the GPT family would count: it starts a token at each white space."""
        return len(self.tokens) + self.overhead_tokens


def read_ask(endpoint: Endpoint, raw: bytes) -> Ask:
    """Read a request's body.

    Raises:
        BadRequest: what the provider answers 400 or 404 to.
    """
    try:
        body = json.loads(raw)
    except ValueError:
        raise BadRequest("We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body of your request must be a JSON object.")
    try:
        return _understood(endpoint, body)
    except (AttributeError, TypeError, KeyError):
        raise BadRequest("Invalid type for a parameter of your request.", code="invalid_type") from None


def _understood(endpoint: Endpoint, body: Mapping[str, Any]) -> Ask:
    model, faults = _model_and_faults(body)
    texts = tuple(texts_of(body, endpoint))
    metadata: Mapping[str, Any] = body.get("metadata") or {}
    return Ask(
        endpoint=endpoint,
        model=model,
        body=body,
        texts=texts,
        tokens=tuple(words_of(texts)) + ("",) * count_of_ids(body),
        overhead_tokens=overhead_of(body, endpoint),
        inputs=count_of_inputs(body, endpoint),
        streamed=body.get("stream") is True,
        wants_usage=_wants_usage(body),
        limit=_limit(body),
        choices=_whole(body, "n") or 1,
        tool=_tool(body),
        schema=_schema(body),
        natural_tokens=_whole(metadata, "sim_output_tokens"),
        faults=_faults(metadata["sim_fault"]) if metadata.get("sim_fault") else faults,
    )


def _model_and_faults(body: Mapping[str, Any]) -> tuple[SimModel, Faults]:
    asked = body.get("model")
    if not isinstance(asked, str) or not asked:
        raise BadRequest("you must provide a model parameter")
    name, _, wanted = asked.partition("!")
    model = MODELS.get(name)
    if model is None:
        message = f"The model `{asked}` does not exist or you do not have access to it."
        raise BadRequest(message, code="model_not_found", status=404)
    return model, _faults(wanted)


def _faults(text: str) -> Faults:
    try:
        return parse_faults(str(text))
    except UnknownFault as unknown:
        raise BadRequest(str(unknown), code="unknown_fault") from None


def _wants_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if body.get("stream") is not True:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise BadRequest(message, param="stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _limit(body: Mapping[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"):
        if body.get(name) is not None:
            return _whole(body, name)
    return None


def _whole(holder: Mapping[str, Any], name: str) -> int | None:
    """A whole number above zero; a string of digits is taken too (metadata values are strings)."""
    value = holder.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        message = f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value!r} instead."
        raise BadRequest(message, param=name, code="integer_below_min_value")
    return value


def _tool(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The tool to call, if any: the one named, or the first when one is required or a user has the last word."""
    tools = [tool.get("function", tool) for tool in body.get("tools") or () if tool.get("type") == "function"]
    choice = body.get("tool_choice", "auto")
    if not tools or choice == "none":
        return None
    if isinstance(choice, dict):
        wanted = choice.get("function", choice).get("name")
        return next((tool for tool in tools if tool.get("name") == wanted), None)
    if choice == "required" or _users_turn(body):
        first: Mapping[str, Any] = tools[0]
        return first
    return None


def _users_turn(body: Mapping[str, Any]) -> bool:
    turns = body.get("messages", body.get("input"))
    if not isinstance(turns, list):
        return True
    return isinstance(turns[-1], dict) and turns[-1].get("role") == "user"


def _schema(body: Mapping[str, Any]) -> Any:
    """The schema the answer must meet; `{}` for `json_object`; None for free text."""
    wanted = body.get("response_format") or (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_object":
        return {"type": "object"}
    if wanted.get("type") == "json_schema":
        return wanted.get("json_schema", wanted).get("schema", {})
    return None
