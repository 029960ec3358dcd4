"""A Flyball with a key that has no money left and one that has, and a relay before it that counts requests."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from proxy.sim import Faults, SimProvider, SimServer, SimSettings
from tests.frameworks.counting import CountingRelay
from tests.harness.flyball import Flyball

POOR: Final = "fb-frameworks-poor-key-0123456789"
RICH: Final = "fb-frameworks-rich-key-0123456789"
MODEL: Final = "gpt-4o-mini"
"""A name that frameworks know; it is the simulated provider that answers."""
CLAUDE: Final = "claude-sonnet-5"
"""A name that Anthropic's packages know; nobody answers who has no money."""
CALLER_S: Final = 100


@dataclass
class Stopped:
    """What runs, and what was asked of it."""

    flyball: Flyball
    provider: SimProvider
    relay: CountingRelay

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The requests made within, as `POST /v1/…`."""
        asked: list[str] = []
        before = len(self.relay.asked)
        yield asked
        asked += self.relay.asked[before:]

    @contextmanager
    def overloaded(self) -> Iterator[None]:
        """The provider answers 503 within: what anyone should try again."""
        self.provider.script.always = Faults(status=503)
        try:
            yield
        finally:
            self.provider.script.always = None

    def refusals(self) -> int:
        """How many rows there are of calls that a budget stopped."""
        (found,) = self.flyball.query("SELECT count() AS calls FROM operations WHERE code = 'budget_exceeded'")
        return int(found["calls"])


@contextmanager
def stopped(folder: Path) -> Iterator[Stopped]:
    """Start all three."""
    provider = SimProvider(settings=SimSettings(speed=0))
    with (
        SimServer(provider) as sim,
        Flyball(folder, json.dumps(_config(sim.url)), {"POOR": POOR, "RICH": RICH}) as flyball,
        CountingRelay(flyball.data) as relay,
    ):
        yield Stopped(flyball, provider, relay)


def made_by(command: Sequence[str], stopped: Stopped, key: str) -> dict[str, Any]:
    """What a caller in an environment of its own says of its one call; address and key are in its environment."""
    return all_made_by(command, stopped, key)[-1]


def all_made_by(command: Sequence[str], stopped: Stopped, key: str) -> list[dict[str, Any]]:
    """What a caller says of each of its calls."""
    url = stopped.relay.url + "/v1"
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    quiet = {"CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true", "CREWAI_TRACING_ENABLED": "false"}
    ours = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": url, "OPENAI_API_BASE": url}
    ours |= {"ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": stopped.relay.url}
    done = subprocess.run(
        command, env={**plain, **quiet, **ours}, cwd=stopped.flyball.folder, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=CALLER_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    said = [line.removeprefix("told:") for line in done.stdout.splitlines() if line.startswith("told:")]
    assert said, done.stdout[-3000:]
    return [json.loads(line) for line in said]


def _config(url: str) -> dict[str, Any]:
    keys = [{"name": name, "key_env": name.upper()} for name in ("poor", "rich")]
    return {
        "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": 1},
        "providers": {
            "sim": {"base_url": url, "profile": "sim"},
            "anthropic": {"dialect": "anthropic", "base_url": url},
        },
        "routes": [
            {"model": MODEL, "targets": [{"provider": "sim", "model": "sim-small"}]},
            {"model": CLAUDE, "targets": [{"provider": "anthropic"}]},
            {"model": "embed", "targets": [{"provider": "sim", "model": "sim-embed"}]},
        ],
        "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": keys}]}],
        "budgets": [{"name": "poor", "scope": "key:acme/t/poor", "window": "total", "limit_usd": "0.000000001"}],
    }
