"""`python -m tests.bench`: Flyball beside nginx, a bare relay and two peers, all on loopback, two cores."""

import argparse
import os
import secrets
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench import check, fixed_rate, loopback, nginx, peers, report, saturation, streams
from tests.bench.candidates import ALL, Candidate, Place, path_with_sbin
from tests.bench.processes import OTHER_CORE, NotReady, free_port, memory_kb, start, wait_for_port
from tests.bench.variants import OF_ALL, OF_RULED
from tests.frameworks.environments import node_folder, python_of

DOCS = Path(__file__).parents[2] / "docs"
CANDIDATES = {**ALL, "litellm": peers.litellm, "portkey": peers.portkey}
COMPARED = ("nginx", "flyball")


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float
    rate: int = 300
    streams_per_s: int = 20
    events: int = 60
    burst_streams: int = 32
    burst_events: int = 600


FULL = Plan(rounds=5, seconds=3.0)
QUICK = Plan(rounds=1, seconds=2.0)


def main() -> int:
    """Measure, print, and write the report."""
    options = _options()
    os.environ["PATH"] = path_with_sbin()
    missing = [tool for tool in ("nginx", "wrk", "taskset") if shutil.which(tool) is None]
    if missing or (os.cpu_count() or 1) < 2:
        print(f"the benchmark needs two cores and {', '.join(missing) or 'nothing else'}", file=sys.stderr)
        return 2
    if not {"litellm", "portkey"}.isdisjoint(options.candidates):
        python_of("litellm-proxy"), node_folder("portkey")  # as long as the registries can be reached
    loopback.enter("tests.bench")
    plan = QUICK if options.quick else FULL
    results, began = report.Results(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder, ExitStack() as stack:
        candidates = _start_all(options.candidates, Path(folder), stack)
        for number in range(options.rounds or plan.rounds):
            for candidate in candidates:
                _round(candidate, plan, results, Path(folder))
            print(f"round {number + 1} done after {time.monotonic() - began:.0f} s", flush=True)
        for candidate in candidates:
            if candidate.pids:
                _remember_memory(results, candidate, "")
    names = [candidate.name for candidate in candidates]
    print(report.table(results, names))
    if options.write:
        about = {**report.machine(), **peers.versions(), "rounds": options.rounds or plan.rounds, "plan": str(plan)}
        about["nothing called outside"] = "sure: loopback only" if loopback.is_alone() else "not enforced"
        print(f"written: {report.write(results, about, names, DOCS)}")
    if options.check:
        compared = check.compare(results, DOCS / "bench")
        print("\n".join(map(str, compared)))
        return int(any(each.is_worse for each in compared))
    return 0


def _start_all(names: list[str], folder: Path, stack: ExitStack) -> list[Candidate]:
    place = Place(folder, free_port(), free_port(), "fb-bench-" + secrets.token_hex(16))
    provider = nginx.start_provider(folder, place.unary, OTHER_CORE)
    stack.callback(provider.stop)
    command = [sys.executable, "-m", "tests.bench.sse_upstream", str(place.stream)]
    stream = start(command, core=OTHER_CORE, log=folder / "sse.log")
    stack.callback(stream.stop)
    wait_for_port(place.stream, stream)
    candidates = []
    for name in names:
        try:
            candidate = CANDIDATES[name](place)
        except NotReady as error:
            raise SystemExit(f"{name} did not start: {error}") from None
        stack.callback(candidate.stop)
        candidates.append(candidate)
    return candidates


def _round(candidate: Candidate, plan: Plan, results: report.Results, folder: Path) -> None:
    name = candidate.name
    if candidate.pids and name not in results.numbers.get("memory", {}):
        _remember_memory(results, candidate, "idle_")
    results.add("saturation", name, saturation.run(candidate, folder, plan.seconds))
    for variant in (*OF_ALL, *(OF_RULED if name == "flyball-ruled" else ())):
        results.add(variant.name, name, saturation.run(candidate, folder, plan.seconds // 2, variant))
    if candidate.only_unary:
        return
    results.add("fixed", name, fixed_rate.run(candidate, plan.rate, plan.seconds))
    paced = streams.Pattern(plan.streams_per_s, plan.seconds, plan.events, gap_ms=10)
    results.add("paced", name, streams.run(candidate, paced))
    burst = streams.Pattern(plan.burst_streams, 1.0, plan.burst_events, gap_ms=0)
    results.add("burst", name, streams.run(candidate, burst))


def _remember_memory(results: report.Results, candidate: Candidate, when: str) -> None:
    for kind, kilobytes in memory_kb(candidate.pids).items():
        results.put("memory", candidate.name, f"{when}{kind}_mb", kilobytes / 1024)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, at most a minute")
    parser.add_argument("--rounds", type=int, help="rounds instead of the plan's")
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=True, help="write docs/bench.md")
    parser.add_argument(
        "--candidates", nargs="+", choices=list(CANDIDATES), default=list(CANDIDATES), help="only these"
    )
    parser.add_argument("--check", action="store_true", help="compare with what is written, and write nothing")
    options = parser.parse_args()
    if options.check:
        options.write, options.candidates = False, list(COMPARED)
    return options


if __name__ == "__main__":
    sys.exit(main())
