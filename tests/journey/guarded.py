"""A Flyball before a scripted upstream that is meant to see nothing, and the keys that work and do not work."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from proxy.sim import SimProvider, SimServer
from proxy.sim.settings import SimSettings
from tests.harness.flyball import Flyball
from tests.journey.raw_http import Answer, exchange, request

KEY: Final = "fb-guarded-key-0123456789-abcdefghij"
TAGGED_KEY: Final = "fb-tagged-key-0123456789-abcdefghijk"
UNKNOWN_KEY: Final = "fb-unknown-key-9876543210-abcdefghij"
CHAT: Final = {"model": "sim-small", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]}
MAX_BODY: Final = 4 * 1024 * 1024
PRICES: Final = """
models:
  sim-small: {input_usd_per_mtok: 10, output_usd_per_mtok: 100, since: 2026-01-01, source: test}
"""


def config(sim_url: str, more: str = "", server: str = "") -> str:
    """A file with two routes, two keys and the given further parts."""
    return f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1, max_body_bytes: {MAX_BODY}{server}}}
providers: {{sim: {{base_url: "{sim_url}", profile: sim}}}}
prices: {{overlay: prices.yaml}}
routes:
  - {{model: "sim-*", targets: [{{provider: sim}}]}}
  - {{model: fast, targets: [{{provider: sim, model: sim-small}}]}}
tenants:
  - {{org: acme, teams: [{{team: support, keys: [
      {{name: bot, key_env: BOT_KEY}},
      {{name: triage, key_env: TRIAGE_KEY, agents: [triage, sorter], models: ["sim-*"]}}]}}]}}
{more}
"""


class Guarded:
    """The running Flyball, its upstream, and what calls should have left behind."""

    def __init__(self, flyball: Flyball, sim: SimServer) -> None:
        self.flyball = flyball
        self.sim = sim
        self.expected: dict[str, str] = {}
        self.unanswered: Counter[str] = Counter()
        self.strangers: set[str] = set()

    def ask(self, raw: bytes) -> Answer:
        """Send a request by hand; there must be an answer."""
        answer = exchange(self.flyball.data, raw)
        assert answer is not None
        return answer

    def post(self, body: bytes | dict[str, Any], *, key: str | None = KEY, **more: Any) -> Answer:
        """POST a body with the good key."""
        return self.ask(request(body if isinstance(body, bytes) else json.dumps(body).encode(), key=key, **more))

    def refused(self, answer: Answer, status: int, code: str) -> dict[str, Any]:
        """Check that an identified call was refused so; its error object. Its row is expected at the end."""
        error = self._checked(answer, status, code)
        self.expected[answer.headers["x-flyball-operation"]] = code
        return error

    def turned_away(self, answer: Answer, status: int, code: str) -> dict[str, Any]:
        """The same for a call that no key stands behind, or that is none: it must leave no row."""
        error = self._checked(answer, status, code)
        if operation := answer.headers.get("x-flyball-operation"):
            self.strangers.add(operation)
        return error

    def _checked(self, answer: Answer, status: int, code: str) -> dict[str, Any]:
        error = answer.error
        assert (answer.status, error["code"]) == (status, code), answer
        assert answer.headers["content-type"] == "application/json"
        return error

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Nothing within may reach the upstream, kill or slow a worker, or leave a traceback in the log."""
        seen, pids = self.sim.provider.seen.total, self.flyball.pids("worker")
        yield
        began = time.monotonic()
        assert httpx.get(self.flyball.data + "/healthz", timeout=10).status_code == 200
        assert time.monotonic() - began < 2.0
        assert self.sim.provider.seen.total == seen
        assert self.flyball.pids("worker") == pids
        log = self.flyball.log.read_text()
        assert "traceback" not in log.lower(), log[-4000:]


@contextmanager
def guarded(folder: Path, more: str = "", server: str = "") -> Iterator[Guarded]:
    """Start both."""
    (folder / "prices.yaml").write_text(PRICES)
    with SimServer(SimProvider(settings=SimSettings(speed=0))) as sim:
        keys = {"BOT_KEY": KEY, "TRIAGE_KEY": TAGGED_KEY}
        with Flyball(folder, config(sim.url, more, server), keys) as flyball:
            yield Guarded(flyball, sim)
