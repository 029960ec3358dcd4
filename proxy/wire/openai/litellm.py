"""Members of a request's body that mean something to LiteLLM's proxy and nothing to a provider.

Source: LiteLLM's documentation of its proxy's request format and of its `completion()` arguments, as of Nov 2026.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct, field

from proxy.core.refusal import Refusal, Refused
from proxy.wire.members import raw_members, rewritten

Json: TypeAlias = Any
READ: Final = ("metadata", "litellm_metadata", "tags", "litellm_session_id", "litellm_trace_id")
"""Who and what a call belongs to. `metadata` is LiteLLM's own there: it is not passed on to providers either."""
OF_NO_USE: Final = (
    "fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "num_retries", "max_retries", "timeout",
    "stream_timeout", "request_timeout", "caching", "cache", "ttl", "drop_params", "additional_drop_params",
    "allowed_openai_params", "no-log", "litellm_call_id", "use_litellm_proxy",
)  # fmt: skip
"""How that proxy is to go about the call: here routes, providers and headers say so."""
REFUSED: Final = (
    "guardrails", "guardrail_config", "mock_response", "mock_timeout", "prompt_id", "prompt_variables", "api_base",
    "base_url", "api_key", "api_version", "custom_llm_provider", "user_config", "model_list",
)  # fmt: skip
"""What would change the answer, guard it, or send it elsewhere: leaving it out would be another call."""
MOST_TAGS: Final = 16
_LONGEST_NAME: Final = 64
_LONGEST_VALUE: Final = 256
_ALL: Final = frozenset(READ + OF_NO_USE)


class LitellmBody(Struct, frozen=True, kw_only=True):
    """A body without LiteLLM's members, and what they said: `session` names a run, `tags` are words or pairs."""

    body: bytes
    session: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def read_litellm(body: bytes) -> LitellmBody:
    """Take LiteLLM's members out of a JSON object; every other byte stays. Anything else comes back as it is.

    Raises:
        Refused: CAPABILITY_MISSING for a member that cannot be left out without changing what is asked for.
    """
    try:
        members = raw_members(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return LitellmBody(body=body)
    for name in REFUSED:
        if name in members and bytes(members[name]) not in (b"null", b"false", b"[]", b"{}"):
            raise Refused(
                Refusal.CAPABILITY_MISSING,
                f"`{name}` is LiteLLM's, and cannot be left out without asking for something else; send it no more.",
                param=name,
            )
    found = _ALL & members.keys()
    if not found:
        return LitellmBody(body=body)
    told: dict[str, Json] = {name: _decoded(bytes(members[name])) for name in READ if name in members}
    return LitellmBody(body=rewritten(body, members, {}, found), session=_session(told), tags=_tags(told))


def _session(told: Mapping[str, Json]) -> str:
    named = [told.get("litellm_session_id"), *(each.get("session_id") for each in _metadata(told))]
    named.append(told.get("litellm_trace_id"))
    return next((name for name in named if isinstance(name, str) and name), "")


def _tags(told: Mapping[str, Json]) -> dict[str, str]:
    given = [told.get("tags"), *(each.get("tags") for each in _metadata(told))]
    words = [word for tags in given if isinstance(tags, list) for word in tags if isinstance(word, str)]
    return dict(list(_pairs(words))[:MOST_TAGS])


def _pairs(words: Iterable[str]) -> Iterable[tuple[str, str]]:
    """LiteLLM's tags are words; `name=value` and `name:value` are read as what they say."""
    for word in words:
        name, sign, value = word.partition("=" if "=" in word else ":")
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:_LONGEST_NAME].strip("-")
        said = value if sign else "true"
        if plain and said.isprintable() and len(said.encode("utf-8", "replace")) <= _LONGEST_VALUE:
            yield plain, said


def _metadata(told: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    return [each for name in ("litellm_metadata", "metadata") if isinstance(each := told.get(name), dict)]


def _decoded(raw: bytes) -> Json:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
