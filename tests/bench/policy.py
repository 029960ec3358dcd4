"""`python -m tests.bench.policy`: what decisions cost at each point, and what they leave in memory; some minutes."""

import argparse
import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

from proxy.journey.ask import reads_at
from proxy.journey.decide import decide
from proxy.journey.gate_calls import CallJudge
from proxy.journey.policy_facts import policy_facts
from proxy.journey.state import Journey
from proxy.policy import EmbeddedRego, Point
from proxy.wire.tool_calls import ToolCall
from tests.bench import report
from tests.bench.policy_calls import NAMES, SETTINGS, TOOLS, at_request, ruled_worker, with_estimate, with_ticket
from tests.bench.processes import CANDIDATE_CORE, memory_kb
from tests.harness.emitted import DONE, call, chunk, ends, part
from tests.harness.one_worker import Answer, Client, OneWorker, chat

DOCS: Final = Path(__file__).parents[2] / "docs"
BEGIN: Final = "<!-- policy results: written by `make bench` -->"
END: Final = "<!-- end of policy results -->"
USAGE: Final = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}\n\n'
UNGATED: Final = "stream with a tool call, grant only"
GATED: Final = "stream with a tool call that is decided"
CALLERS: Final = 1_000
"""Over this many callers a million decisions are spread; so many that not all of what is known of them is kept."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    calls: int
    streams: int
    decisions: int
    tenants: int


FULL: Final = Plan(rounds=7, calls=2_000, streams=200, decisions=1_000_000, tenants=100_000)
QUICK: Final = Plan(rounds=3, calls=300, streams=40, decisions=50_000, tenants=10_000)


@dataclass
class Found:
    """Microseconds of CPU by what was measured, one per round; megabytes by when they were looked at."""

    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    rss_mb: dict[str, float] = field(default_factory=dict)

    async def time(self, name: str, calls: int, one: Callable[[int], Awaitable[object]]) -> None:
        """Do it so often, each time with another number."""
        numbers = range(len(self.cpu_us.get(name, ())) * calls, (len(self.cpu_us.get(name, ())) + 1) * calls)
        await one(numbers[0])
        began = time.thread_time_ns()
        for number in numbers:
            await one(number)
        self.cpu_us.setdefault(name, []).append((time.thread_time_ns() - began) / 1e3 / calls)

    def remember_memory(self, name: str) -> None:
        """What is resident now."""
        gc.collect()
        self.rss_mb[name] = memory_kb([os.getpid()])["rss"] / 1024


async def measured(plan: Plan, folder: Path) -> Found:
    """Everything, one after the other."""
    found = Found()
    with (
        ruled_worker(folder / "plain") as plain,
        ruled_worker(folder / "gated", "tool_calls") as gated,
        ruled_worker(folder / "ruled", *SETTINGS) as ruled,
    ):
        journeys = await at_request(plain), await at_request(ruled)
        for _ in range(plan.rounds):
            await _points(found, plan.calls, (plain, journeys[0]), (ruled, journeys[1]))
            for name, worker in ((UNGATED, plain), (GATED, gated)):
                await found.time(name, plan.streams, lambda _, worker=worker: _stream(worker))  # type: ignore[misc]
        await _memory(found, plan, ruled, journeys[1])
    return found


async def _points(found: Found, calls: int, plain: tuple[OneWorker, Journey], ruled: tuple[OneWorker, Journey]) -> None:
    worker, journey = plain
    await found.time("request, grant only", calls, lambda _: decide(journey, worker.rooms, Point.REQUEST))
    worker, asked = ruled
    engine = asked.snapshot.policy
    facts = await policy_facts(asked, worker.rooms, Point.REQUEST, reads_at(engine, Point.REQUEST))
    anew = EmbeddedRego(engine.bundle, memo_entries=0) if isinstance(engine, EmbeddedRego) else engine

    def made(number: int) -> Awaitable[object]:
        with_estimate(asked, number)
        return policy_facts(asked, worker.rooms, Point.REQUEST, reads_at(engine, Point.REQUEST))

    def told(number: int) -> dict[str, Any]:
        return {**facts, "estimate_usd": f"0.{number:09d}"}

    async def another(number: int) -> None:
        with_ticket(asked, number)
        await decide(asked, worker.rooms, Point.REQUEST)

    async def next_one(number: int) -> None:
        with_estimate(asked, number)
        await decide(asked, worker.rooms, Point.REQUEST)

    async def route(number: int) -> None:
        await decide(asked, worker.rooms, Point.ROUTE)

    async def tool_call(number: int) -> None:
        emitted = ToolCall(id="a", name=NAMES[0], arguments='{"path":"a"}', index=0)
        await CallJudge(asked, worker.rooms).judge([emitted])

    for name, one in (
        ("request, ten rules: the input is made", made),
        ("request, ten rules: asked the same again", lambda _: engine.decide(Point.REQUEST, facts)),
        ("request, ten rules: asked with another estimate", lambda n: engine.decide(Point.REQUEST, told(n))),
        ("request, ten rules: all evaluated anew", lambda n: anew.decide(Point.REQUEST, told(n))),
        ("request, ten rules: the whole step, another estimate", next_one),
        ("request, ten rules: the whole step, nothing met before", another),
        ("route, two rules: the whole step", route),
        ("tool_call, five rules: the whole step", tool_call),
    ):
        await found.time(name, calls, one)


async def _stream(worker: OneWorker) -> None:
    """A stream with one tool call in twenty pieces."""
    pieces = (chunk({"tool_calls": [part(0, None, "x")]}) for _ in range(20))
    begin, close = call("read_file", '{"path":"'), chunk({"tool_calls": [part(0, None, '"}')]})
    claimed = Client(chat(stream=True, tools=TOOLS), headers=[(b"x-flyball-tags", b"ticket=7")])
    await worker.call(claimed, Answer(begin, *pieces, close, ends(), USAGE, DONE))
    if claimed.status != 200 or b"[DONE]" not in claimed.text or b"read_file" not in claimed.text:
        raise RuntimeError(f"the measured stream was answered {claimed.status}: {claimed.text[:500]!r}")


async def _memory(found: Found, plan: Plan, ruled: OneWorker, journey: Journey) -> None:
    """A great many decisions, then a great many tenants, each with an estimate of its own."""
    engine = journey.snapshot.policy
    facts = await policy_facts(journey, ruled.rooms, Point.REQUEST, reads_at(engine, Point.REQUEST))

    async def ask(numbers: Iterator[int], tenants: int) -> None:
        for number in numbers:
            tenant = number % tenants
            own = {"org": f"org-{tenant}", "key": f"key-{tenant}", "estimate_usd": f"0.{number:09d}"}
            await engine.decide(Point.REQUEST, {**facts, **own})

    warm = plan.decisions // 10
    await ask(iter(range(warm)), CALLERS)
    found.remember_memory(f"{warm:,} decisions of {CALLERS:,} tenants")
    await ask(iter(range(warm, plan.decisions)), CALLERS)
    found.remember_memory(f"{plan.decisions:,} decisions of {CALLERS:,} tenants")
    for end in (plan.tenants // 2, plan.tenants):
        await ask(iter(range(end - plan.tenants // 2, end)), plan.tenants)
        found.remember_memory(f"then one decision each of {end:,} tenants")


def text_of(found: Found) -> str:
    """The tables of docs/bench.md."""
    gate = [gated - plain for gated, plain in zip(found.cpu_us[GATED], found.cpu_us[UNGATED], strict=True)]
    rows = [[name, _cell(cpu)] for name, cpu in {**found.cpu_us, "what the gate adds to the stream": gate}.items()]
    memory = [[name, f"{mb:,.1f}"] for name, mb in found.rss_mb.items()]
    return "\n\n".join((_table(("decision", "CPU µs"), rows), _table(("after", "resident MB"), memory)))


def _cell(rounds: Sequence[float]) -> str:
    return f"{median(rounds):,.1f} ({min(rounds):,.1f}–{max(rounds):,.1f})"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *rows))


def _write(found: Found, plan: Plan, text: str) -> None:
    about = {**report.machine(), "plan": str(plan)}
    raw = DOCS / "bench" / f"policy-{datetime.now(UTC):%Y-%m-%d}.json"
    raw.write_text(json.dumps({"about": about, "cpu_us": found.cpu_us, "rss_mb": found.rss_mb}, indent=1) + "\n")
    page = DOCS / "bench.md"
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    head = "\n".join(f"- {name}: {about[name]}" for name in ("when", "cpu", "python", "commit", "plan"))
    page.write_text(f"{before}{BEGIN}\n\n{head}\n- raw numbers: bench/{raw.name}\n\n{text}\n\n{END}{after}")


def main() -> int:
    """Measure, print, and write the section."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.policy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three short rounds")
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=True, help="write docs/bench.md")
    options = parser.parse_args()
    os.sched_setaffinity(0, {CANDIDATE_CORE})
    plan = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="flyball-policy-") as folder:
        found = asyncio.run(measured(plan, Path(folder)))
    text = text_of(found)
    print(text)
    if options.write:
        _write(found, plan, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
