"""`python -m tests.bench.ledger`: what holding and settling costs, embedded and in Redis; a minute or two."""

import argparse
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Final

from proxy.budget import BudgetEntry, BudgetStore
from proxy.processes.supervisor import CHECKPOINT_S
from proxy.state import StateFile
from tests.bench import report
from tests.bench.candidates import path_with_sbin
from tests.bench.fixed_rate import begin
from tests.bench.ledger_pairs import Order, Pairs, scope_of
from tests.bench.processes import CANDIDATE_CORE, cpu_ns
from tests.contract.ledger.redis_server import served

DOCS: Final = Path(__file__).parents[2] / "docs"
BEGIN: Final = "<!-- ledger results: written by `make bench` -->"
END: Final = "<!-- end of ledger results -->"
MODULE: Final = "tests.bench.ledger_pairs"
WORKERS: Final = 4
RATE: Final = 3_000
MANY: Final = 100_000
READ_ANEW: Final = "read anew"
SECONDS: Final = 300


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    pairs: int
    shared_s: float


FULL: Final = Plan(rounds=5, pairs=20_000, shared_s=10.0)
QUICK: Final = Plan(rounds=1, pairs=4_000, shared_s=3.0)


@dataclass
class Found:
    """Measures by what was measured, one per round (or per worker); `server_us` are a Redis server's per pair."""

    rounds: dict[str, list[Pairs]] = field(default_factory=dict)
    server_us: dict[str, list[float]] = field(default_factory=dict)

    def middle(self, name: str, measure: str) -> float:
        """The median."""
        return float(median(getattr(each, measure) for each in self.rounds[name]))

    def worst(self, name: str, measure: str) -> float:
        """The largest."""
        return float(max(getattr(each, measure) for each in self.rounds[name]))


def main() -> int:
    """Measure, print, and write the section."""
    options = _options()
    os.environ["PATH"] = path_with_sbin()
    plan, found = QUICK if options.quick else FULL, Found()
    with tempfile.TemporaryDirectory(prefix="flyball-ledger-") as folder, served() as redis:
        few, many = _budgets(Path(folder) / "few", 10), _budgets(Path(folder) / "many", options.budgets)
        for number in range(plan.rounds):
            for name, order in _alone(few, redis.tcp_url, plan).items():
                _one(found, name, order, redis.pids)
            print(f"round {number + 1} done", flush=True)
        _many(found, few, many, options.budgets, plan)
        _shared(found, few, plan)
    text = _text(found, options.budgets)
    print(text)
    if options.write:
        _write(found, plan, text)
    return 0


def _alone(few: str, redis: str, plan: Plan) -> Mapping[str, Order]:
    """One process on a core of its own."""
    made = {}
    for where, url in (("nothing", ""), ("embedded", ""), ("redis", redis)):
        for callers in (1, 32):
            for scopes in (1, 10):
                name = f"{where}, {scopes} scope{'s' * (scopes > 1)}, {callers} caller{'s' * (callers > 1)}"
                pairs = plan.pairs if callers > 1 else plan.pairs // 4
                made[name] = Order(
                    folder=few, url=url, nothing=where == "nothing", scopes=scopes, callers=callers, pairs=pairs
                )
    return made


def _one(found: Found, name: str, order: Order, servers: Sequence[int]) -> None:
    before = cpu_ns(servers)
    with _checkpointed(order.folder):
        pairs = Pairs(**begin(MODULE, asdict(order), CANDIDATE_CORE).report(SECONDS))
    found.rounds.setdefault(name, []).append(pairs)
    if order.url:
        found.server_us.setdefault(name, []).append((cpu_ns(servers) - before) / 1e3 / pairs.pairs)


def _many(found: Found, few: str, many: str, budgets: int, plan: Plan) -> None:
    """The same calls under few budgets and under very many; calls spread over all of those; those read anew."""
    for _ in range(plan.rounds):
        for name, folder, among in _sizes(few, many, budgets):
            _one(found, name, Order(folder=folder, scopes=3, callers=8, pairs=plan.pairs, among=among), ())
    rate = RATE / WORKERS
    order = Order(folder=many, scopes=3, rate=rate, pairs=int(rate * plan.shared_s), reloads=1)
    _one(found, READ_ANEW, order, ())


def _sizes(few: str, many: str, budgets: int) -> Sequence[tuple[str, str, int]]:
    calls = f"{budgets:,} budgets, calls under"
    return ("10 budgets", few, 10), (f"{calls} 10 of them", many, 10), (f"{calls} all of them", many, budgets)


def _shared(found: Found, few: str, plan: Plan) -> None:
    """Four workers on one file, and nobody is bound to a core."""
    rate = RATE / WORKERS
    order = Order(folder=few, scopes=3, rate=rate, pairs=int(rate * plan.shared_s))
    with _checkpointed(few):
        begun = [begin(MODULE, asdict(order), None) for _ in range(WORKERS)]
        found.rounds["shared"] = [Pairs(**each.report(SECONDS)) for each in begun]


@contextmanager
def _checkpointed(folder: str) -> Iterator[None]:
    """Within, the log is moved into the file as often as the supervisor does it."""
    state, over = StateFile(Path(folder) / "ledger.sqlite"), threading.Event()

    def work() -> None:
        while not over.wait(CHECKPOINT_S):
            state.checkpoint()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    state.checkpoint()
    state.close()


def _budgets(folder: Path, count: int) -> str:
    folder.mkdir()
    entries = [
        BudgetEntry(name=f"b{number:06d}", scope=scope_of(number), limit_usd=Decimal(10**6), window="month")
        for number in range(count)
    ]
    state = StateFile(folder / "ledger.sqlite")
    BudgetStore(state).sync_from_file(entries)
    state.close()
    return str(folder)


def _text(found: Found, budgets: int) -> str:
    anew = f"{found.worst(READ_ANEW, 'rss_added_reloaded_mb'):,.0f} MB added at the end"
    late = f"{found.worst(READ_ANEW, 'late_wall_us') / 1e3:,.1f} ms"
    loaded = ("three scopes, 8 callers", "CPU µs a pair", "loaded in s", "resident MB added")
    parts = [
        _costs(found),
        _table(*loaded, rows=_loaded(found, budgets)),
        f"All {budgets:,} read anew under {RATE // WORKERS} pairs a second: {anew}, the loop late by {late} at most.",
        f"{WORKERS} workers on one file, {RATE:,} pairs a second, three scopes; times in milliseconds:",
        _table(
            "longest in the ledger", "longest CPU", "99.9 % of times below", "loop late by at most", "p50", "p99",
            "file found locked", "CPU µs a pair", rows=[_of_workers(found)],
        ),
    ]  # fmt: skip
    return "\n\n".join(parts)


def _costs(found: Found) -> str:
    rows = []
    for name in (each for each in found.rounds if each.startswith(("embedded", "redis"))):
        one = name.replace("10 scopes", "1 scope")
        times = f"{_net(found, name) / _net(found, one):.2f}" if one != name else "–"
        server = f"{median(found.server_us[name]):.1f}" if name in found.server_us else "–"
        wall = (f"{found.middle(name, each):,.1f}" for each in ("wall_p50_us", "wall_p99_us"))
        rows.append([name, f"{_net(found, name):.1f}", times, server, *wall])
    return _table("hold + settle", "CPU µs", "ten scopes / one", "Redis server's CPU µs", "p50 µs", "p99 µs", rows=rows)


def _net(found: Found, name: str) -> float:
    """CPU without what the bench itself takes: its lines, its ids, its loop."""
    itself = "nothing," + name.partition(",")[2]
    return found.middle(name, "cpu_us") - found.middle(itself, "cpu_us")


def _loaded(found: Found, budgets: int) -> list[list[str]]:
    names = [name for name, _, _ in _sizes("", "", budgets)]
    measures = ("cpu_us", "load_s", "rss_added_mb")
    return [[name, *(f"{found.middle(name, each):,.2f}" for each in measures)] for name in names]


def _of_workers(found: Found) -> list[str]:
    worst = ("block_wall_us", "block_cpu_us", "block_p999_wall_us", "late_wall_us")
    cells = [found.worst("shared", each) for each in worst]
    cells += [found.middle("shared", each) for each in ("wall_p50_us", "wall_p99_us")]
    busy = sum(each.busy for each in found.rounds["shared"])
    return [*(f"{cell / 1e3:,.2f}" for cell in cells), f"{busy:,} times", f"{found.middle('shared', 'cpu_us'):,.0f}"]


def _table(*heads: str, rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _write(found: Found, plan: Plan, text: str) -> None:
    about = {**report.machine(), "plan": str(plan)}
    raw = DOCS / "bench" / f"ledger-{datetime.now(UTC):%Y-%m-%d}.json"
    rounds: dict[str, Any] = {name: [asdict(each) for each in rounds] for name, rounds in found.rounds.items()}
    kept = {"about": about, "rounds": rounds, "server_us": found.server_us}
    raw.write_text(json.dumps(kept, indent=1) + "\n")
    page = DOCS / "bench.md"
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    head = "\n".join(f"- {name}: {about[name]}" for name in ("when", "cpu", "python", "commit", "plan"))
    page.write_text(f"{before}{BEGIN}\n\n{head}\n- raw numbers: bench/{raw.name}\n\n{text}\n\n{END}{after}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ledger", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--budgets", type=int, default=MANY, help="how many are very many")
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=True, help="write docs/bench.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
