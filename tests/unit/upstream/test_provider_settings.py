"""A provider from its settings: what is filled in, and what is refused with its reason."""

from typing import Any

import pytest

from proxy.core.secret import Secret
from proxy.upstream import BadProvider, Provider, ProviderSettings
from proxy.wire.profile import PROFILES


def made(base_url: str = "https://api.openai.com/v1", **settings: Any) -> Provider:
    return Provider.of("p", ProviderSettings(base_url=base_url, **settings))


def test_what_is_left_open_comes_from_the_hosts_profile() -> None:
    openai = made()
    assert (openai.profile, openai.auth_header, openai.on_client_disconnect) == (PROFILES["openai"], "bearer", "cancel")
    groq = made("https://api.groq.com/openai/v1")
    assert (groq.profile.name, groq.on_client_disconnect, groq.profile.inject_usage) == ("groq", "drain", False)
    azure = made("https://x.openai.azure.com/openai/v1/", query={"api-version": "2026-01-01 preview"})
    assert (azure.profile.name, azure.auth_header) == ("azure", "api-key")
    assert azure.query == b"api-version=2026-01-01%20preview"
    assert azure.base_url == "https://x.openai.azure.com/openai/v1"
    assert made("http://10.0.0.1:8000/v1").profile.name == "openai-compatible"


def test_what_is_set_wins() -> None:
    provider = made(
        profile="vllm",
        inject_usage=False,
        auth_header="api-key",
        on_client_disconnect="drain",
        extra_headers={"X-Team": "a"},
        forward_headers=("X-Session",),
        connect_timeout_s=1,
        first_byte_timeout_s=2,
        idle_timeout_s=3,
        total_timeout_s=4,
        max_connections=5,
        allow_private=True,
        api_key=Secret("sk-1"),
    )
    assert (provider.profile.name, provider.profile.inject_usage) == ("vllm", False)
    assert PROFILES["vllm"].inject_usage
    assert (provider.auth_header, provider.on_client_disconnect) == ("api-key", "drain")
    assert provider.extra_headers == {"x-team": "a"}
    assert provider.forward_headers == frozenset({b"x-session"})
    assert (provider.connect_s, provider.first_byte_s, provider.idle_s, provider.total_s) == (1, 2, 3, 4)
    assert (provider.max_connections, provider.allow_private, provider.api_key) == (5, True, Secret("sk-1"))


@pytest.mark.parametrize(
    "base_url",
    [
        "api.openai.com/v1", "ftp://x/v1", "https://", "https:///v1", "https://user:pw@x/v1", "https://x/v1?a=b",
        "https://x/v1#f", "https://x/v 1", "https://x:99999/v1", "https://x/v1\r\nx: y", "https://ex\u00e4mple/v1",
    ],
)  # fmt: skip
def test_a_base_url_that_cannot_work_is_refused(base_url: str) -> None:
    with pytest.raises(BadProvider, match="provider p: base_url"):
        made(base_url)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"profile": "nobody"}, "profile 'nobody' is not known"),
        ({"extra_headers": {"x y": "1"}}, "extra_headers"),
        ({"extra_headers": {"x": "1\r\ny: 2"}}, "extra_headers"),
        ({"extra_headers": {"Host": "evil"}}, "set by the connection"),
        ({"extra_headers": {"Content-Length": "1"}}, "set by the connection"),
        ({"forward_headers": ("Authorization",)}, "never passed on"),
        ({"forward_headers": ("Cookie",)}, "never passed on"),
        ({"forward_headers": ("x-flyball-user",)}, "never passed on"),
        ({"forward_headers": ("transfer-encoding",)}, "never passed on"),
        ({"forward_headers": ("a b",)}, "never passed on"),
        ({"api_key": Secret("a b")}, "api key"),
        ({"api_key": Secret("a\r\nx: y")}, "api key"),
        ({"connect_timeout_s": 0}, "times must be above 0"),
        ({"idle_timeout_s": float("nan")}, "times must be above 0"),
        ({"total_timeout_s": float("inf")}, "times must be above 0"),
        ({"max_connections": 0}, "max_connections"),
    ],
)
def test_other_settings_that_cannot_work_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(BadProvider, match=says):
        made(**settings)


def test_a_refused_key_is_not_shown() -> None:
    with pytest.raises(BadProvider) as refused:
        made(api_key=Secret("sk-canary with space"))
    assert "canary" not in str(refused.value)
    assert "canary" not in repr(made(api_key=Secret("sk-canary")))


def test_every_setting_is_explained() -> None:
    for each in ProviderSettings.__dataclass_fields__.values():
        assert each.metadata["doc"].endswith("."), each.name
