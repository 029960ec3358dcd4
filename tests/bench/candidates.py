"""What is measured: the provider directly, plain nginx, the bare relay, our transport in that relay, and Flyball."""

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from tests.bench import nginx
from tests.bench.processes import CANDIDATE_CORE, OTHER_CORE, NotReady, Running, free_port, pin, start, wait_for_port

PROMPT: Final = "Why does a steam engine need a governor, and what happens when it has none? " * 13
"""About 1 KB."""

CONFIG: Final = """
server: {{listen: "127.0.0.1:{port}", admin_listen: "127.0.0.1:{admin}", workers: 1}}
telemetry: {{listen: "127.0.0.1:0"}}
providers:
  unary:  {{base_url: "http://127.0.0.1:{unary}/v1", profile: openai, api_key_env: BENCH_PROVIDER_KEY}}
  stream: {{base_url: "http://127.0.0.1:{stream}/v1", profile: openai, api_key_env: BENCH_PROVIDER_KEY}}
routes:
  - {{model: bench-stream, targets: [{{provider: stream}}]}}
  - {{model: "bench-*", targets: [{{provider: unary}}]}}
tenants:
  - org: acme
    teams:
      - team: support
        keys:
          - {{name: bot, key_env: BENCH_KEY, models: ["bench-*"]}}
          - {{name: poor, key_env: BENCH_POOR_KEY, models: ["bench-*"]}}
budgets:
  - {{name: acme-month, scope: "org:acme", window: month, limit_usd: 1000000, hard: true}}
  - {{name: bot-total, scope: "key:acme/support/bot", window: total, limit_usd: 1000000, hard: true}}
  - {{name: poor-total, scope: "key:acme/support/poor", window: total, limit_usd: 0.000001, hard: true}}
prices: {{overlay: prices.yaml}}
{more}
"""
RULED: Final = "policy: {{settings: {settings}}}"
POOR: Final = "-poor"
"""What the key without money has behind the other's."""
PRICES: Final = """
models:
  bench-unary: {input_usd_per_mtok: 2, output_usd_per_mtok: 8, since: 2026-01-01, source: bench}
  bench-stream: {input_usd_per_mtok: 2, output_usd_per_mtok: 8, since: 2026-01-01, source: bench}
"""


@dataclass
class Place:
    """The ground everything stands on: the providers' ports, a folder, the client's key."""

    folder: Path
    unary: int
    stream: int
    key: str


@dataclass
class Candidate:
    """Something that answers at a port. `pids` are the processes whose cost counts (none for the direct way)."""

    name: str
    port: int
    key: str
    stream_path: str = "/s/v1/chat/completions"
    unary_path: str = "/v1/chat/completions"
    running: Running | None = None
    pids: list[int] = field(default_factory=list)
    stream_port: int = 0
    more_headers: tuple[str, ...] = ()
    only_unary: bool = False
    """Whether it is asked for whole answers only, as many as it gives: a peer, slower by an order."""

    def body(self, model: str, *, streamed: bool, prompts: int = 1) -> bytes:
        """A call of about 1 KB times `prompts`, as an SDK writes it."""
        flag, prompt = ',"stream":true' if streamed else "", PROMPT * prompts
        text = f'{{"model":"{model}","messages":[{{"role":"user","content":"{prompt}"}}],"max_tokens":256{flag}}}'
        return text.encode()

    def request(self, *, streamed: bool, query: str = "") -> bytes:
        """The whole request as it goes over the wire."""
        path = self.stream_path if streamed else self.unary_path
        body = self.body("bench-stream" if streamed else "bench-unary", streamed=streamed)
        lines = [f"POST {path}{query} HTTP/1.1", f"host: 127.0.0.1:{self.port}", *self.headers()]
        return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body

    def headers(self) -> list[str]:
        """What the OpenAI SDK sends, more or less."""
        return [
            f"authorization: Bearer {self.key}",
            "content-type: application/json",
            "accept: application/json",
            "user-agent: OpenAI/Python 3.0.0",
            "x-stainless-lang: python",
            "x-stainless-package-version: 3.0.0",
            "x-stainless-os: Linux",
            "x-stainless-arch: x64",
            "x-stainless-runtime: CPython",
            "x-stainless-runtime-version: 3.11.7",
            "x-stainless-retry-count: 0",
            "x-stainless-read-timeout: 600",
            *self.more_headers,
        ]

    def stop(self) -> None:
        """End what was started."""
        if self.running is not None:
            self.running.stop()


def direct(place: Place) -> Candidate:
    """No proxy at all."""
    return Candidate("direct", place.unary, place.key, stream_path="/v1/chat/completions", stream_port=place.stream)


def floor(place: Place) -> Candidate:
    """nginx with proxy_pass."""
    port = free_port()
    running = nginx.start_floor(place.folder, port, place.unary, place.stream, CANDIDATE_CORE)
    return Candidate("nginx", port, place.key, running=running, pids=running.tree())


def relay(place: Place, name: str = "relay", *options: str) -> Candidate:
    """The bare ASGI relay."""
    port = free_port()
    urls = [f"http://127.0.0.1:{place.unary}", f"http://127.0.0.1:{place.stream}"]
    command = [sys.executable, "-m", "tests.bench.relay", str(port), *urls, *options]
    running = start(command, core=CANDIDATE_CORE, log=place.folder / f"{name}.log")
    wait_for_port(port, running)
    return Candidate(name, port, place.key, running=running, pids=running.tree())


def door(place: Place) -> Candidate:
    """The same relay over our own transport."""
    return relay(place, "relay-door", "--client=door")


def flyball(place: Place) -> Candidate:
    """Flyball as installed, everything on: one worker on the candidates' core, its other processes on the other."""
    return _flyball(place, "flyball")


def ruled(place: Place) -> Candidate:
    """Flyball with a rule of the starter library set, and a key without money: what is asked of it besides."""
    (place.folder / "settings.json").write_text('{"settings": {"models": {"blocked": ["bench-blocked"]}}}')
    candidate = _flyball(place, "flyball-ruled", RULED.format(settings=place.folder / "settings.json"))
    candidate.only_unary = True
    return candidate


def _flyball(place: Place, name: str, more: str = "") -> Candidate:
    home, port = place.folder / name, free_port()
    home.mkdir()
    settings = CONFIG.format(port=port, admin=free_port(), unary=place.unary, stream=place.stream, more=more)
    (home / "flyball.yaml").write_text(settings)
    (home / "prices.yaml").write_text(PRICES)
    environment: Mapping[str, str] = {
        "BENCH_KEY": place.key,
        "BENCH_POOR_KEY": place.key + POOR,
        "BENCH_PROVIDER_KEY": "sk-bench-" + secrets.token_hex(20),
        "FLYBALL_HOME": str(home / "state"),
    }
    command = [sys.executable, "-m", "proxy", "serve", "--config", str(home / "flyball.yaml")]
    running = start(command, core=OTHER_CORE, log=home / "log", environment=environment)
    wait_for_port(port, running)
    candidate = Candidate(name, port, place.key, stream_path=Candidate.unary_path, running=running)
    wait_for_answer(candidate)
    candidate.pids = [pid for pid in running.tree() if _is_worker(pid)]
    if len(candidate.pids) != 1:
        raise NotReady(f"one worker was to be found, not {candidate.pids}")
    pin(candidate.pids, CANDIDATE_CORE)
    return candidate


def wait_for_answer(candidate: Candidate, patience_s: float = 60.0) -> None:
    """The port is open before the worker is there; wait until a whole call goes through."""
    connection = HTTPConnection("127.0.0.1", candidate.port, timeout=patience_s)
    headers = dict(line.split(": ", 1) for line in candidate.headers())
    connection.request("POST", candidate.unary_path, candidate.body("bench-unary", streamed=False), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise NotReady(f"{candidate.name} answers {answer.status}: {text[:500]!r}")


def _is_worker(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text().strip() == "flyball-worker"


ALL: Final[Mapping[str, Callable[[Place], Candidate]]] = {
    "direct": direct,
    "nginx": floor,
    "relay": relay,
    "relay-door": door,
    "flyball": flyball,
    "flyball-ruled": ruled,
}


def path_with_sbin() -> str:
    """The search path with the folder where Debian keeps nginx."""
    return os.environ["PATH"] + ":/usr/sbin"
