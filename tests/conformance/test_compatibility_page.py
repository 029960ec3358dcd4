"""docs/compatibility.md, whose lists are the code's own.

To write it anew: `python -m tests.conformance.test_compatibility_page > docs/compatibility.md`.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import pytest

from proxy.config.known_providers import KNOWN, KnownProvider
from proxy.core.refusal import MAX_RETRY_AFTER_S, NEVER_RETRIED, Refusal
from proxy.edge.anthropic import PATHS as ANTHROPIC_PATHS
from proxy.edge.anthropic import PREFIX as ANTHROPIC_PREFIX
from proxy.edge.credentials import BARE_HEADERS, OWN_HEADER
from proxy.edge.openai import PREFIXES
from proxy.edge.protocol import MAX_HEAD_BYTES, MAX_HEADERS, MAX_URL_BYTES
from proxy.journey.answer_headers import STREAM_HEADERS
from proxy.journey.rooms import JourneySettings
from proxy.runs.claims import CLAIM_HEADERS
from proxy.upstream import Provider
from proxy.upstream import headers as header_lists
from proxy.wire.encoding import KNOWN_ENCODINGS
from proxy.wire.endpoint import PATHS, Endpoint
from proxy.wire.openai.request import CLIENT_RUN_TOOLS
from proxy.wire.openai.stateful import _IN_RESPONSES
from proxy.wire.openai.surface import SERVED
from proxy.wire.profile import GENERIC, PROFILES, Arithmetic, Profile

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PAGE: Final = REPOSITORY / "docs" / "compatibility.md"
TEMPLATE: Final = Path(__file__).with_name("compatibility.template.md")

NESTING: Final = {
    Arithmetic.OPENAI: "cached and written tokens are part of the prompt, reasoning is part of the completion",
    Arithmetic.XAI: "reasoning is not in `completion_tokens`: output is their sum",
    Arithmetic.GEMINI_COMPAT: "thinking is only in the total: output is total minus prompt",
    Arithmetic.DEEPSEEK: "as OpenAI; cached is `prompt_cache_hit_tokens`",
    Arithmetic.OPENROUTER: "as OpenAI; `cost` is kept beside our own price",
    Arithmetic.MISTRAL: "as OpenAI; cached may be `num_cached_tokens`",
    Arithmetic.GROQ: "as OpenAI; in streams under `x_groq`",
    Arithmetic.TOP_LEVEL_CACHED: "as OpenAI; cached is `cached_tokens` at the top level",
}

MEANING: Final = {
    Refusal.INVALID_API_KEY: "no, wrong, expired or revoked key: always the same text",
    Refusal.MODEL_NOT_ALLOWED: "the key's own list of models",
    Refusal.POLICY_DENIED: "a rule said no; its code is in the facts",
    Refusal.RUN_STOPPED: "the run was stopped",
    Refusal.APPROVAL_REQUIRED: "a person has to decide first",
    Refusal.BUDGET_EXCEEDED: "the call's worst case does not fit; the budget's numbers are in the facts",
    Refusal.RATE_LIMITED: "too many requests, tokens or calls at once",
    Refusal.MODEL_NOT_FOUND: "no route for that name; the nearest names are in the facts",
    Refusal.PATH_NOT_FOUND: "a path that is not served, by name where it is known",
    Refusal.METHOD_NOT_ALLOWED: "a method that the path does not take",
    Refusal.NOT_FOUND: "an operation or an object that does not exist or is somebody else's",
    Refusal.UNPRICED_MODEL: "a hard budget and no price to hold by",
    Refusal.CAPABILITY_MISSING: "a field that cannot be governed yet; `param` names it",
    Refusal.INVALID_REQUEST: "what we read of the request cannot be meant; `param` names it",
    Refusal.HOST_NOT_ALLOWED: "a `Host` outside `server.allowed_hosts`",
    Refusal.REQUEST_TOO_LARGE: "a body over `server.max_body_bytes`, a file over `server.max_upload_bytes`",
    Refusal.CACHE_MISS: "only a cached answer was wanted, and there is none",
    Refusal.DEPENDENCY_UNAVAILABLE: "the ledger cannot be asked, so nothing may be spent",
    Refusal.SHUTTING_DOWN: "this process is stopping",
    Refusal.INTERNAL_ERROR: "a fault of Flyball's own",
    Refusal.UPSTREAM_TIMEOUT: "the provider was silent for too long",
    Refusal.UPSTREAM_REFUSED: "the provider could not be reached",
    Refusal.UPSTREAM_OVERLOADED: "all targets of the route are left alone for now; as 429, with the shortest wait",
    Refusal.UPSTREAM_TRUNCATED: "the provider broke off in the middle of its answer",
    Refusal.UPSTREAM_ERROR: "the provider broke off before its answer",
}


def variables(known: KnownProvider) -> str:
    return " or ".join(code(name) for name in (known.variable, known.also) if name)


def names(known: KnownProvider) -> str:
    return known.name if known.native is None else f"{known.name}, {known.native[0]} (`dialect: {known.native[1]}`)"


def page() -> str:
    """The page, with every list filled in from the code."""
    text = TEMPLATE.read_text()
    for name, value in lists().items():
        assert f"{{{{{name}}}}}" in text, name
        text = text.replace(f"{{{{{name}}}}}", value)
    assert "{{" not in text
    return text


def lists() -> dict[str, str]:
    """The template's blanks."""
    ping_s = JourneySettings().ping_after_s
    return {
        "paths": table(("path", "endpoint"), ((code(path), endpoint.value) for path, endpoint in PATHS.items())),
        "anthropic_paths": "\n".join(f"| {code(path)} | {e.value} |" for path, e in ANTHROPIC_PATHS.items()),
        "anthropic_prefix": ANTHROPIC_PREFIX,
        "prefixes": words(prefix for prefix in PREFIXES if prefix),
        "stateful": words(name for name in _IN_RESPONSES if name not in ("background", "prompt")),
        "kept": words(SERVED),
        "client_tools": words(sorted(CLIENT_RUN_TOOLS)),
        "key_headers": words([OWN_HEADER.decode(), *(name.decode() for name in BARE_HEADERS)]),
        "claim_headers": words(sorted(name.decode() for name in CLAIM_HEADERS)),
        "forwarded": words(sorted(name.decode() for name in header_lists._FORWARDED)),
        "families": words(f"{name.decode()}*" for name in header_lists._FORWARDED_FAMILIES),
        "never_forwarded": words(sorted(name.decode() for name in header_lists.NEVER_FORWARDED)),
        "not_relayed": words([*sorted(name.decode() for name in header_lists._NOT_RELAYED), "x-flyball-*"]),
        "encodings": words(sorted(KNOWN_ENCODINGS)),
        "stream_headers": ", ".join(f"`{name.decode()}: {value.decode()}`" for name, value in STREAM_HEADERS),
        "ping_s": f"{ping_s:g}",
        "option_endpoints": words(e.value for e in Endpoint if e.takes_stream_options),
        "profiles": table(
            ("profile", "known by its host", "asked for usage", "when a client leaves", "how its numbers nest"),
            map(profile_row, PROFILES.values()),
        ),
        "known": table(
            ("environment variable", "provider", "model names"),
            ((variables(each), names(each), words(each.models)) for each in KNOWN),
        ),
        "refusals": table(("status", "`code`", "`type`", "when"), map(refusal_row, Refusal)),
        "never_retried": words(why.code for why in Refusal if why in NEVER_RETRIED),
        "retry_after_s": str(MAX_RETRY_AFTER_S),
        "max_headers": str(MAX_HEADERS),
        "max_head_bytes": f"{MAX_HEAD_BYTES:,}",
        "max_url_bytes": f"{MAX_URL_BYTES:,}",
    }


def profile_row(profile: Profile) -> tuple[str, ...]:
    hosts = "any other" if profile is GENERIC else words(profile.hosts) if profile.hosts else "by name only"
    asked = "yes" if profile.inject_usage else "no"
    leaves = {"cancel": "the stream is dropped", "drain": "it is read on to its usage"}[profile.on_client_disconnect]
    return code(profile.name), hosts, asked, leaves, NESTING[profile.arithmetic]


def refusal_row(why: Refusal) -> tuple[str, ...]:
    return str(why.status), code(why.code), code(why.error_type), MEANING[why]


def code(text: str) -> str:
    return f"`{text}`"


def words(texts: Iterable[str]) -> str:
    return ", ".join(map(code, texts))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def test_the_page_tells_the_codes_own_lists() -> None:
    assert PAGE.read_text() == page(), f"run: python -m tests.conformance.{Path(__file__).stem} > docs/compatibility.md"


@pytest.mark.parametrize("header", ["accept", "traceparent", "x-stainless-retry-count", "openai-project"])
def test_headers_said_to_pass_do(header: str) -> None:
    pair = (header.encode(), b"1")
    provider = any_provider()
    assert header_lists.forwardable([pair], provider) == [pair]


@pytest.mark.parametrize("header", ["authorization", "cookie", "x-flyball-run", "x-forwarded-for", "x-made-up"])
def test_headers_not_said_to_pass_do_not(header: str) -> None:
    assert header_lists.forwardable([(header.encode(), b"1")], any_provider()) == []


def any_provider() -> Provider:
    return Provider(name="p", base_url="http://127.0.0.1:1/v1")


if __name__ == "__main__":
    sys.stdout.write(page())
