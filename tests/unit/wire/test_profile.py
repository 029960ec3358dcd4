"""Provider facts: found by host, and never a guess for a host that is not known."""

import pytest

from proxy.wire.endpoint import PATHS, Endpoint
from proxy.wire.profile import GENERIC, PROFILES, Arithmetic, profile_of


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.openai.com", "openai"),
        ("eu.api.openai.com", "openai"),
        ("API.OpenAI.com.", "openai"),
        ("acme.openai.azure.com", "azure"),
        ("acme.services.ai.azure.com", "azure"),
        ("api.mistral.ai", "mistral"),
        ("api.groq.com", "groq"),
        ("api.deepseek.com", "deepseek"),
        ("openrouter.ai", "openrouter"),
        ("api.together.xyz", "together"),
        ("api.together.ai", "together"),
        ("router.huggingface.co", "huggingface"),
        ("api.x.ai", "xai"),
        ("us-east-1.api.x.ai", "xai"),
        ("api.z.ai", "zai"),
        ("generativelanguage.googleapis.com", "gemini"),
        ("us-central1-aiplatform.googleapis.com", "gemini"),
        ("bedrock-mantle.us-east-1.api.aws", "bedrock-mantle"),
        ("bedrock-runtime.us-east-1.amazonaws.com", "bedrock"),
        ("127.0.0.1", "openai-compatible"),
        ("localhost", "openai-compatible"),
        ("", "openai-compatible"),
    ],
)
def test_a_host_has_the_profile_of_its_provider(host: str, name: str) -> None:
    assert profile_of(host) is PROFILES[name]


@pytest.mark.parametrize(
    "host",
    ["api.openai.com.evil.example", "notapi.openai.com", "xopenai.azure.com", "evilmistral.ai", "openai.com.example"],
)
def test_a_look_alike_host_is_unknown_and_gets_nothing_injected(host: str) -> None:
    assert profile_of(host) is GENERIC
    assert not profile_of(host).inject_usage


def test_by_host_only_openai_and_azure_are_asked_for_usage() -> None:
    assert {p.name for p in PROFILES.values() if p.hosts and p.inject_usage} == {"openai", "azure"}


def test_providers_that_bill_on_after_a_cancel_are_drained() -> None:
    drained = {p.name for p in PROFILES.values() if p.on_client_disconnect == "drain"}
    assert {"groq", "mistral", "huggingface", "gemini", "bedrock-mantle"} <= drained
    assert drained.isdisjoint({"openai", "azure", "together", "xai", "deepseek", "openai-compatible", "vllm", "sim"})


def test_arithmetic_that_differs_is_told() -> None:
    assert PROFILES["xai"].arithmetic is Arithmetic.XAI
    assert PROFILES["gemini"].arithmetic is Arithmetic.GEMINI_COMPAT
    assert PROFILES["together"].arithmetic is PROFILES["huggingface"].arithmetic is Arithmetic.TOP_LEVEL_CACHED
    assert PROFILES["azure"].arithmetic is Arithmetic.OPENAI


def test_every_endpoint_has_its_path() -> None:
    ours = {endpoint for endpoint in Endpoint if endpoint.dialect == "openai" and not endpoint.is_carried}
    assert {*PATHS.values(), Endpoint.REALTIME} == ours  # a session is opened by GET
