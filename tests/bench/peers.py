"""Two peers beside us, ungoverned and each in an environment of its own: LiteLLM's proxy and Portkey's gateway.

They relay to the same provider, with no keys, budgets, policies or stores of theirs; nothing of them calls outside when
the benchmark runs where only loopback is (`unshare --map-root-user --net`).
"""

import json
from pathlib import Path
from typing import Final

from tests.bench.candidates import Candidate, Place, wait_for_answer
from tests.bench.processes import CANDIDATE_CORE, free_port, start, wait_for_port
from tests.frameworks.environments import node_folder, python_of

_START_S: Final = 180.0
_LITELLM: Final = """
model_list:
  - model_name: bench-unary
    litellm_params: {{model: openai/bench-unary, api_base: "http://127.0.0.1:{unary}/v1", api_key: sk-bench}}
litellm_settings: {{telemetry: false}}
"""
_LITELLM_SETTINGS: Final = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOG": "ERROR",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}


def litellm(place: Place) -> Candidate:
    """LiteLLM's proxy as `pip install litellm[proxy]` makes it, one worker."""
    folder, port = _own(place, "litellm"), free_port()
    config = folder / "config.yaml"
    config.write_text(_LITELLM.format(unary=place.unary))
    command = [str(python_of("litellm-proxy").with_name("litellm")), "--config", str(config), "--host", "127.0.0.1"]
    running = start(
        [*command, "--port", str(port), "--num_workers", "1"],
        core=CANDIDATE_CORE,
        log=folder / "log",
        environment=_LITELLM_SETTINGS,
    )
    wait_for_port(port, running, _START_S)
    return _answering(Candidate("litellm", port, place.key, running=running, only_unary=True))


def portkey(place: Place) -> Candidate:
    """Portkey's open gateway as `npm install @portkey-ai/gateway` makes it."""
    folder, port = _own(place, "portkey"), free_port()
    built = node_folder("portkey") / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    command = ["node", str(built), f"--port={port}", "--headless"]
    trusted = {"TRUSTED_CUSTOM_HOSTS": "localhost,127.0.0.1", "NODE_ENV": "production"}
    running = start(command, core=CANDIDATE_CORE, log=folder / "log", environment=trusted)
    wait_for_port(port, running, _START_S)
    where = ("x-portkey-provider: openai", f"x-portkey-custom-host: http://127.0.0.1:{place.unary}/v1")
    return _answering(Candidate("portkey", port, place.key, running=running, only_unary=True, more_headers=where))


def versions() -> dict[str, str]:
    """Which releases they are, from their locks."""
    lock = Path(__file__).parents[2] / "requirements" / "frameworks-litellm-proxy.in"
    package = Path(__file__).parents[1] / "frameworks" / "portkey" / "package.json"
    dependencies = json.loads(package.read_text())["dependencies"]
    return {"litellm": lock.read_text().strip().partition("==")[2], "portkey": dependencies["@portkey-ai/gateway"]}


def _own(place: Place, name: str) -> Path:
    folder = place.folder / name
    folder.mkdir()
    return folder


def _answering(candidate: Candidate) -> Candidate:
    wait_for_answer(candidate, _START_S)
    if candidate.running is not None:
        candidate.pids = candidate.running.tree()
    return candidate
