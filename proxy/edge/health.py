"""/healthz and /readyz: whether this worker lives, and whether it can serve. No provider is ever asked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proxy.edge.answers import answer_json
from proxy.edge.exchange import AsgiExchange


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a worker can serve, its configuration's generation, and the state of each dependency."""

    ready: bool
    config_generation: str
    dependencies: dict[str, str]


HEALTH_PATHS = frozenset({b"/healthz", b"/readyz"})


async def answer_health(exchange: AsgiExchange, path: bytes, readiness: Callable[[], Readiness]) -> None:
    """Answer a health probe: 200, or 503 from /readyz while a dependency that must be there is not."""
    if path == b"/healthz":
        await answer_json(exchange, {"status": "ok"})
        return
    state = readiness()
    facts: dict[str, Any] = {
        "status": "ready" if state.ready else "not_ready",
        "config_generation": state.config_generation,
        "dependencies": state.dependencies,
    }
    await answer_json(exchange, facts, 200 if state.ready else 503)
