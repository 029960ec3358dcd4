"""An agent that never ends: it calls its model with the openai package again and again until it is stopped."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import openai

from proxy.sim import SimProvider, SimServer, SimSettings
from tests.harness.flyball import Flyball

KEYS: Final = {
    "COUNTED": "loop-counted-key-0123456789abcdef",
    "TOOLED": "loop-tooled-key-0123456789abcdef0",
    "PRICED": "loop-priced-key-0123456789abcdef0",
    "TIMED": "loop-timed-key-0123456789abcdef01",
    "NESTED": "loop-nested-key-0123456789abcdef0",
    "CROWDED": "loop-crowded-key-0123456789abcdef",
    "FREE": "loop-free-key-0123456789abcdef012",
    "OTHER": "loop-other-key-0123456789abcdef01",
}
CALLS: Final = 5
TOOL_CALLS: Final = 3
SECONDS: Final = 2
DEPTH: Final = 2
ROOM: Final = 7
LIMITS: Final = [
    {"scope": "key:acme/t/counted", "calls": CALLS},
    {"scope": "key:acme/t/other", "calls": CALLS},
    {"scope": "key:acme/t/tooled", "tool_calls": TOOL_CALLS},
    {"scope": "key:acme/t/priced", "usd": "0.02"},
    {"scope": "key:acme/t/timed", "seconds": SECONDS},
    {"scope": "key:acme/t/nested", "depth": DEPTH},
    {"scope": "key:acme/t/crowded", "calls": ROOM},
]
PRICES: Final = """
models:
  sim-small: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
"""
TOOL: Final = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"where": {"type": "string"}}}},
}
HISTORY: Final[list[Any]] = [{"role": "system", "content": "Look everywhere."}, {"role": "user", "content": "Find it."}]


@dataclass
class Loop:
    """A running Flyball with limits for runs and the provider behind it."""

    flyball: Flyball
    sim: SimServer

    def agent(self, key: str, **headers: str) -> "Agent":
        """An agent with that key; headers as in `x_flyball_run="r1"`."""
        return Agent(
            self.flyball.data + "/v1", KEYS[key], {name.replace("_", "-"): value for name, value in headers.items()}
        )

    def upstream(self) -> int:
        """How many requests the provider has seen."""
        return self.sim.provider.seen.total


@dataclass
class Agent:
    """One agent; `sent` are the HTTP requests its client made, retries counted."""

    url: str
    secret: str
    headers: dict[str, str]
    sent: list[Any] = field(default_factory=list)

    def client(self) -> openai.OpenAI:
        """A client as its users make one: with the package's own retries."""
        http = openai.DefaultHttpxClient(event_hooks={"request": [self.sent.append]})
        return openai.OpenAI(base_url=self.url, api_key=self.secret, default_headers=self.headers, http_client=http)

    def call(self, **more: Any) -> Any:
        """One call of the loop."""
        options = {"model": "sim-small", "max_tokens": 50, "messages": HISTORY, **more}
        return self.client().chat.completions.create(**options)

    def loop(self, most: int = 50, **more: Any) -> "tuple[int, openai.APIStatusError]":
        """Calls until one is refused: how many were answered, and the refusal."""
        for answered in range(most):
            try:
                self.call(**more)
            except openai.APIStatusError as refused:
                return answered, refused
        raise AssertionError(f"{most} calls and nobody stopped it")


@contextmanager
def looping(folder: Path, *, workers: int = 2, speed: float = 0, **runs: Any) -> Iterator[Loop]:
    """Flyball with a limit of its own kind for each key."""
    (folder / "prices.yaml").write_text(PRICES)
    with (
        SimServer(SimProvider(settings=SimSettings(speed=speed))) as sim,
        Flyball(folder, _config(sim.url, workers, runs), KEYS) as flyball,
    ):
        yield Loop(flyball, sim)


def _config(url: str, workers: int, runs: dict[str, Any]) -> str:
    keys = [{"name": name.lower(), "key_env": name} for name in KEYS]
    return json.dumps(
        {
            "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": workers},
            "providers": {"sim": {"base_url": url, "profile": "sim"}},
            "routes": [{"model": "sim-*", "targets": [{"provider": "sim"}]}],
            "prices": {"overlay": "prices.yaml"},
            "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": keys}]}],
            "runs": {"limits": LIMITS, **runs},
        }
    )


def stopped(refused: openai.APIStatusError) -> dict[str, Any]:
    """The facts of a refusal that must be the run's own: 403, and nothing that a client would try again."""
    assert type(refused) is openai.PermissionDeniedError, repr(refused)
    assert refused.code == "run_stopped"
    assert refused.response.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.response.headers
    facts: dict[str, Any] = refused.response.json()["error"]["flyball"]
    return facts
