"""Routes: the first match wins, and a miss names the nearest."""

import pytest

from proxy.core.refusal import Refusal, Refused
from proxy.routing import Candidate, Router, RouteSettings, TargetSettings


def route(model: str, *targets: tuple[str, str | None]) -> RouteSettings:
    return RouteSettings(
        model=model, targets=tuple(TargetSettings(provider=provider, model=name) for provider, name in targets)
    )


ROUTER = Router(
    [
        route("gpt-4o", ("azure", "my-deployment")),
        route("gpt-*", ("openai", None), ("azure", None)),
        route("gpt-5", ("never", None)),
        route("fast", ("local", "llama3.1:8b")),
    ]
)


@pytest.mark.parametrize(
    ("model", "matched", "first"),
    [
        ("gpt-4o", "gpt-4o", Candidate("azure", "my-deployment")),
        ("gpt-4o-mini", "gpt-*", Candidate("openai", "gpt-4o-mini")),
        ("gpt-5", "gpt-*", Candidate("openai", "gpt-5")),
        ("fast", "fast", Candidate("local", "llama3.1:8b")),
    ],
)
def test_first_match_wins(model: str, matched: str, first: Candidate) -> None:
    resolution = ROUTER.resolve(model)
    assert (resolution.route, resolution.candidates[0]) == (matched, first)


def test_a_prefix_of_the_clients_names_is_not_sent_and_stands_in_the_list() -> None:
    target = TargetSettings(provider="openai", strip_prefix="openai/")
    router = Router([RouteSettings(model="openai/*", targets=(target,))])
    assert router.resolve("openai/gpt-4o").candidates == (Candidate("openai", "gpt-4o"),)
    assert router.names(lambda name: True, lambda provider: ["gpt-4o", "o3"]) == ["openai/gpt-4o", "openai/o3"]


def test_a_miss_names_the_nearest_names_that_may_be_used() -> None:
    with pytest.raises(Refused) as refused:
        ROUTER.resolve("fats", lambda: ["gpt-4o", "fast"])
    assert refused.value.why is Refusal.MODEL_NOT_FOUND
    assert refused.value.facts["nearest"] == ["fast"]


def test_a_miss_tells_no_names_that_nobody_listed() -> None:
    with pytest.raises(Refused) as refused:
        ROUTER.resolve("fats")
    assert refused.value.facts["nearest"] == []
    assert "fast" not in refused.value.message


def test_names_expand_globs_by_what_a_provider_is_known_to_have() -> None:
    known = {"openai": ["gpt-5", "o3", "gpt-4o"], "azure": ["gpt-5"], "local": [], "never": []}
    names = ROUTER.names(lambda name: name != "gpt-5", known.__getitem__)
    assert names == ["gpt-4o", "fast"]
