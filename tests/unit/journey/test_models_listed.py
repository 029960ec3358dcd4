"""Lists of models: each dialect is told the models that it can call, and no other."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.harness.one_worker import Client, OneWorker, config, one_worker

GOOGLE: Final = [(b"x-goog-api-key", b"k")]
ANTHROPIC: Final = [(b"anthropic-version", b"2023-06-01")]
HELLO: Final = [{"role": "user", "content": "Hello"}]
DIALECTS: Final = ("openai", "anthropic", "gemini", "bedrock", "cohere", "ollama")
CALLED: Final = {
    "openai": {"openai", "anthropic", "gemini", "bedrock", "cohere", "ollama"},
    "anthropic": {"openai", "anthropic"},
    "gemini": {"gemini"},
}
"""Whom a client of each dialect can ask: its own dialect's, and those that a pair translates to."""
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneWorker]:
    providers = ", ".join(
        f'{name}: {{dialect: {name}, base_url: "http://127.0.0.1:9/v1", api_key_env: BOT_KEY}}' for name in DIALECTS
    )
    routes = ", ".join(
        f"{{model: {name}-x, targets: [{{provider: {name}}}]}}, "
        f'{{model: "any-{name}*", targets: [{{provider: {name}}}]}}'
        for name in DIALECTS
    )
    text = config().replace("providers: {up:", f"providers: {{{providers}, up:")
    text = text.replace("routes: [", f"routes: [{routes}, {{model: both, targets: [{{provider: up}}, ")
    text = text.replace("{provider: up}, {model: m", "{provider: up}, {provider: gemini}]}, {model: m")
    with one_worker(tmp_path_factory.mktemp("listed"), text) as made:
        yield made
        await made.parts.ledger.close()


async def listed(house: OneWorker, dialect: str) -> set[str]:
    """The models that a client of the dialect finds."""
    path, headers = {
        "openai": ("/v1/models", []),
        "anthropic": ("/v1/models", ANTHROPIC),
        "gemini": ("/v1beta/models", []),
    }[dialect]
    client = await house.call(Client(b"", path=path, method="GET", headers=list(headers)))
    told: dict[str, Any] = json.loads(client.text)
    return {each.get("id") or each["name"].removeprefix("models/") for each in told.get("data") or told["models"]}


async def one(house: OneWorker, dialect: str, model: str) -> int:
    """The status of asking for one model."""
    path = "/v1beta/models/" if dialect == "gemini" else "/v1/models/"
    given = ANTHROPIC if dialect == "anthropic" else []
    return (await house.call(Client(b"", path=path + model, method="GET", headers=list(given)))).status


async def refused_for_its_dialect(house: OneWorker, dialect: str, model: str) -> bool:
    """Whether a call of the dialect to the model is refused because nobody there can be asked in it."""
    body: dict[str, Any] = {"model": model, "messages": HELLO, "max_tokens": 5}
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}.get(dialect)
    if path is None:
        path, body = f"/v1beta/models/{model}:generateContent", {"contents": [{"parts": [{"text": "Hello"}]}]}
    client = Client(json.dumps(body).encode(), path=path)
    try:
        await house.call(client)
    except IndexError:  # there is no answer for it: it got as far as to the provider
        return False
    return client.status == 400 and b"is served in the dialect" in client.text


@pytest.mark.parametrize("dialect", CALLED)
async def test_what_is_listed_is_what_can_be_called(house: OneWorker, dialect: str) -> None:
    names = await listed(house, dialect)
    for provider in DIALECTS:
        can_be = provider in CALLED[dialect]
        assert (f"{provider}-x" in names) is can_be
        assert await refused_for_its_dialect(house, dialect, f"{provider}-x") is not can_be
        assert (await one(house, dialect, f"{provider}-x") == 200) is can_be


@pytest.mark.parametrize("dialect", CALLED)
async def test_a_model_with_one_target_that_can_be_asked_is_listed(house: OneWorker, dialect: str) -> None:
    assert "both" in await listed(house, dialect)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_a_model_of_a_pattern_is_shown_to_whom_it_serves(house: OneWorker, dialect: str) -> None:
    for provider in DIALECTS:
        can_be = provider in CALLED[dialect]
        assert await one(house, dialect, f"any-{provider}-1") == (200 if can_be else 404)


async def test_a_keys_own_page_names_all_its_models(house: OneWorker) -> None:
    client = await house.call(Client(b"", path="/v1/flyball/key", method="GET"))
    assert {f"{each}-x" for each in DIALECTS} <= set(json.loads(client.text)["models"])
