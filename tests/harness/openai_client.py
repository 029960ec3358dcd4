"""The openai package against a running Flyball with a simulated provider behind it, sync and async alike."""

import inspect
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import openai

from proxy.sim import SimProvider, SimServer, SimSettings
from tests.harness.flyball import Flyball

KEYS: Final = {
    "OPEN": "sdk-open-key-0123456789abcdef",
    "NARROW": "sdk-narrow-key-0123456789abcdef",
    "POOR": "sdk-poor-key-0123456789abcdef",
    "RICH": "sdk-rich-key-0123456789abcdef",
}

AZURE_VERSION: Final = "2026-05-01-preview"
CLIENTS: Final[Mapping[str, type[openai.OpenAI | openai.AsyncOpenAI]]] = MappingProxyType(
    {
        "sync": openai.OpenAI,
        "async": openai.AsyncOpenAI,
        "azure": openai.AzureOpenAI,
        "async azure": openai.AsyncAzureOpenAI,
    }
)
KINDS: Final = tuple(CLIENTS)
"""The package's clients; Azure's name their model in the path, and an `api-version` in the query."""


@dataclass
class Bench:
    """A running Flyball and the provider behind it."""

    flyball: Flyball
    provider: SimProvider

    def row(self, operation: str) -> dict[str, Any]:
        """The operation's row."""
        (row,) = self.flyball.wait_for_rows(1, where=f"operation_id = '{operation}'")
        return row


@dataclass
class Sdk:
    """One client of the openai package. `sent` are the HTTP requests it made, retries counted."""

    client: Any
    sent: list[Any] = field(default_factory=list)
    kind: str = "sync"

    @property
    def is_async(self) -> bool:
        """Whether it is the async client."""
        return isinstance(self.client, openai.AsyncOpenAI)


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Flyball with four keys: open, narrow (one model), poor (nothing left of its budget) and rich."""
    provider = SimProvider(settings=SimSettings(speed=0))
    with SimServer(provider) as sim, Flyball(folder, json.dumps(_config(sim.url)), KEYS) as flyball:
        yield Bench(flyball, provider)


def sdk(bench: Bench, key: str = "OPEN", *, kind: str = "sync", **options: Any) -> Sdk:
    """A client as its users make one (a `KINDS`): base URL, key, and nothing else unless a test says so."""
    sent: list[Any] = []
    azure = {"azure_endpoint": bench.flyball.data, "api_version": AZURE_VERSION}
    given = {"api_key": KEYS.get(key, key), **(azure if "azure" in kind else {"base_url": bench.flyball.data + "/v1"})}
    made: Any = CLIENTS[kind]
    if issubclass(made, openai.AsyncOpenAI):

        async def note(request: Any) -> None:
            sent.append(request)

        http = openai.DefaultAsyncHttpxClient(event_hooks={"request": [note]})
        return Sdk(made(http_client=http, **given, **options), sent, kind)
    plain = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    return Sdk(made(http_client=plain, **given, **options), sent, kind)


async def done(value: Any) -> Any:
    """What a call of either client gives."""
    return await value if inspect.isawaitable(value) else value


async def each(stream: Any) -> AsyncIterator[Any]:
    """The items of either client's stream."""
    if hasattr(stream, "__aiter__"):
        async for item in stream:
            yield item
    else:
        for item in stream:
            yield item


async def all_of(stream: Any) -> list[Any]:
    """All items of a stream, or of a call that gives one."""
    return [item async for item in each(await done(stream))]


async def refusal(error: type[openai.APIError], call: Any) -> Any:
    """The error that a call (given as a function) ends in; it must be of that very class."""
    try:
        await done(call())
    except openai.APIError as raised:
        assert type(raised) is error, repr(raised)
        return raised
    raise AssertionError(f"no {error.__name__} was raised")


def _config(url: str) -> dict[str, Any]:
    keys: list[dict[str, Any]] = [{"name": name.lower(), "key_env": name} for name in KEYS]
    keys[1]["models"] = ["sim-small"]
    return {
        "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": 1},
        "providers": {
            "sim": {"base_url": url, "profile": "sim"},
            # Nobody listens on the discard port.
            "gone": {"base_url": "http://127.0.0.1:9/v1", "profile": "sim"},
        },
        "routes": [
            {"model": "sim-*", "targets": [{"provider": "sim"}]},
            {"model": "gone", "targets": [{"provider": "gone", "model": "sim-small"}]},
        ],
        "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": keys}]}],
        "budgets": [
            {"name": "poor", "scope": "key:acme/t/poor", "window": "total", "limit_usd": "0.000001"},
            {"name": "rich", "scope": "key:acme/t/rich", "window": "total", "limit_usd": 5},
        ],
    }
