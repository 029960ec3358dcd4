"""Every resource method of the installed SDKs, once through the proxy and once directly: nothing may differ.

Methods are found by looking at the SDK, so that one of tomorrow is walked too, or fails here until it can be.
"""

import warnings
from collections.abc import Iterator
from typing import Any, Final

import anthropic
import openai
import pytest
from anthropic._resource import SyncAPIResource as AnthropicResource
from openai._resource import SyncAPIResource as OpenAIResource

from tests.conformance.recording_upstream import RecordingUpstream, Seen
from tests.conformance.sdk_methods import Method, NoArgument, methods_of
from tests.harness.flyball import Flyball

KEY: Final = "My API Key"
QUERY: Final = {"a[b]": "c d", "list": ["1", "2"]}
CONFIG: Final = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
providers:
  up: {base_url: "%s", api_key_env: UP_KEY, provider_state: shared, passthrough: true}
  claude: {dialect: anthropic, base_url: "%s", api_key_env: UP_KEY, provider_state: shared, passthrough: true}
routes: [{model: "claude-*", targets: [{provider: claude}]}, {model: "*", targets: [{provider: up}]}]
defaults: {provider: up}
tenants: [{org: acme, teams: [{team: t, keys: [{name: suite, key_env: SUITE_KEY, allow_weak: true}]}]}]
"""
HELPERS: Final = (
    "_and_poll",
    ".poll",
    ".connect",
    ".stream",
    ".create_and_stream",
    ".create_and_run_stream",
    ".parse",
    ".unwrap",
    ".verify_signature",
    ".wait_for_processing",
    ".upload_file_chunked",
    ".submit_tool_outputs_stream",
    ".prepare",
    ".prepare_directory",
    ".environments.files.upload",
    ".for_result",
    "vector_stores.files.upload",
    ".messages.thread",
    ".tool_runner",
    ".parse_unverified",
)
"""What is put together of other methods, or makes no HTTP request of its own."""
OURS: Final = frozenset({"models.list", "models.retrieve", "beta.models.list", "beta.models.retrieve"})
"""Answered by the proxy itself: which models a key may use."""


@pytest.fixture(scope="module")
def upstream() -> Iterator[RecordingUpstream]:
    with RecordingUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def flyball(upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    environment = {"UP_KEY": "provider-key", "SUITE_KEY": KEY}
    with Flyball(tmp_path_factory.mktemp("walk"), CONFIG % (upstream.url, upstream.url), environment) as running:
        yield running


def openai_at(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key=KEY, admin_api_key=KEY, max_retries=0, timeout=20)


def anthropic_at(url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0, timeout=20)


def walked(client: Any, resource: type) -> list[Method]:
    return [each for each in methods_of(client, resource) if not each.name.endswith(HELPERS)]


def called(method: Method, arguments: dict[str, Any], upstream: RecordingUpstream) -> tuple[list[Seen], str]:
    """What the upstream saw of a call, and what came of it."""
    upstream.take()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answer = method.call(**arguments, extra_query=QUERY)
            told = "|".join(repr(each) for each in answer) if arguments.get("stream") else shown(answer)
        except (openai.APIStatusError, anthropic.APIStatusError) as error:
            told = f"{type(error).__name__} {error.response.status_code}: {error}"
        except (openai.OpenAIError, anthropic.AnthropicError, TypeError, ValueError, AttributeError) as error:
            told = f"{type(error).__name__} {error}"
    return upstream.take(), told


def shown(answer: Any) -> str:
    return repr(answer.read()) if hasattr(answer, "iter_bytes") else repr(answer)


def test_every_method_of_openai_is_the_same_through_the_proxy(upstream: RecordingUpstream, flyball: Flyball) -> None:
    direct = walked(openai_at(upstream.url), OpenAIResource)
    assert len(direct) > 350
    compare(direct, walked(openai_at(flyball.data + "/v1"), OpenAIResource), upstream)


def test_every_method_of_anthropic_is_the_same_through_the_proxy(upstream: RecordingUpstream, flyball: Flyball) -> None:
    direct = walked(anthropic_at(upstream.url.removesuffix("/v1")), AnthropicResource)
    assert len(direct) > 20
    compare(direct, walked(anthropic_at(flyball.data), AnthropicResource), upstream)


def compare(direct: list[Method], proxied: list[Method], upstream: RecordingUpstream) -> None:
    """Call each method both ways; every one that differs, or that cannot be called, is told."""
    through = {each.name: each for each in proxied}
    differing: list[str] = []
    untaught: list[str] = []
    for method in direct:
        try:
            arguments = method.arguments()
        except NoArgument as problem:
            untaught.append(f"{method.name}: {problem}")
            continue
        forms = [arguments, {**arguments, "stream": True}] if method.can_stream else [arguments]
        for form in forms:
            wanted, told = called(method, form, upstream)
            got, answered = called(through[method.name], form, upstream)
            if method.name in OURS:
                continue
            if len(wanted) != 1:
                untaught.append(f"{method.name}: {len(wanted)} requests, {told[:200]}")
            elif got != wanted or answered != told:
                differing.append(f"{method.name}: {wanted} -> {got}\n   {told[:300]}\n-> {answered[:600]}")
    assert not untaught, "\n".join(untaught)
    assert not differing, f"{len(differing)}\n" + "\n".join(differing)
