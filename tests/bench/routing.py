"""`python -m tests.bench.routing`: what choosing among five targets costs a call, with five hundred routes; a minute.

CPU of this process, so that other load does not matter much: resolving the model, looking at conditions and at what
targets take, ranking them. Policy and the ledger are not asked; counting tokens is the estimate's, and not in it.
"""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from proxy.journey.estimate import estimate
from proxy.journey.rank import conversation_of
from proxy.journey.resolve import resolve, take_best
from proxy.journey.state import Journey
from proxy.routing import Pin
from proxy.routing.settings import Strategy
from proxy.routing.strategies import STRATEGIES
from tests.harness.one_worker import OneWorker, chat, one_worker
from tests.harness.routed import begun

ROUTES: Final = 500
ROUNDS: Final = 7
CALLS: Final = 100
"""Different ones; each is routed many times, so that what is kept of it does not grow into work for the collector."""
TIMES: Final = 40
MOST_US: Final = 25.0
"""What a call may cost (the issue's bound)."""
PROVIDERS: Final = ("a", "b", "c", "d", "e")


def config(strategy: Strategy) -> str:
    """Five hundred routes, half of them patterns, a tenth with conditions, ten of them of the model that is called."""
    routes = [f'{{model: "other-{number}", targets: [{{provider: a}}]}}' for number in range(ROUTES // 2)]
    routes += [f'{{model: "old-{number}-*", targets: [{{provider: a}}]}}' for number in range(ROUTES // 2 - 51)]
    routes += [
        f"{{model: {name}, when: {{steps: [step-{number}]}}, targets: [{{provider: a}}]}}"
        for number in range(10)
        for name in ("pool", "p1", "p2", "p3", "p4")
    ]
    targets = ", ".join(
        f"{{provider: {name}, model: m, weight: {at}, capabilities: [tools, images], context_tokens: 100000}}"
        for at, name in enumerate(PROVIDERS, 1)
    )
    routes.append(f"{{model: pool, strategy: {strategy}, targets: [{targets}]}}")
    providers = ", ".join(f'{name}: {{base_url: "http://127.0.0.1:9/v1"}}' for name in PROVIDERS)
    return "\n".join(
        [
            'server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}',
            f"providers: {{{providers}}}",
            "routes:",
            *(f"  - {route}" for route in routes),
            "prices: {overlay: prices.yaml}",
            "tenants: [{org: acme, teams: [{team: support, keys: [{name: bot, key_env: BOT_KEY}]}]}]",
            'budgets: [{name: own, scope: "org:acme", window: total, hard: true, limit_usd: 1000}]',
        ]
    )


async def measured(house: OneWorker) -> float:
    """Microseconds of CPU for a call: the median of the rounds."""
    rounds = []
    body = chat(model="pool", messages=[{"role": "user", "content": "word " * 300}])
    journeys = [await begun(house, body, {b"x-flyball-run": b"r%d" % (n % 50)}, n) for n in range(CALLS)]
    for journey in journeys:
        resolve(journey, house.rooms)
        await estimate(journey, house.rooms)
        if (resolution := journey.resolution) is not None:
            name = conversation_of(journey, resolution.plan)
            pin = Pin(resolution.candidates[1], input_tokens=100, at_ns=time.monotonic_ns())
            house.rooms.pins.set(name, pin)
    for each in range(ROUNDS):
        rounds.append(await _cpu_us(house, journeys))
        print(".", end="" if each < ROUNDS - 1 else "\n", flush=True)
    return median(rounds)


async def _cpu_us(house: OneWorker, journeys: list[Journey]) -> float:
    began = time.process_time_ns()
    for journey in journeys * TIMES:
        resolve(journey, house.rooms)
        await take_best(journey, house.rooms)
    return (time.process_time_ns() - began) / (len(journeys) * TIMES) / 1000


async def main() -> int:
    """Measure every strategy and print what it costs; 1 where one costs more than it may."""
    found: dict[str, float] = {}
    for strategy in STRATEGIES:
        with (
            tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder,
            one_worker(Path(folder), config(strategy)) as house,
        ):
            found[strategy] = round(await measured(house), 1)
            await house.parts.ledger.close()
    print(json.dumps(found, indent=1))
    return int(max(found.values()) > MOST_US)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
