"""Medians and spread of all rounds, as a table for people and JSON for machines."""

import json
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.bench.variants import OF_ALL, OF_RULED

BEGIN: Final = "<!-- results: written by `make bench` -->"
END: Final = "<!-- end of results -->"


@dataclass
class Results:
    """Numbers by scenario, candidate and measure: one per round."""

    numbers: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)

    def add(self, scenario: str, candidate: str, measured: Any) -> None:
        """Keep one round's dataclass of numbers."""
        for measure, value in asdict(measured).items():
            self.put(scenario, candidate, measure, value)

    def put(self, scenario: str, candidate: str, measure: str, value: float) -> None:
        """Keep one number."""
        self.numbers.setdefault(scenario, {}).setdefault(candidate, {}).setdefault(measure, []).append(round(value, 2))

    def median(self, scenario: str, candidate: str, measure: str) -> float | None:
        """The middle of the rounds, None when it was not measured."""
        found = self.numbers.get(scenario, {}).get(candidate, {}).get(measure)
        return statistics.median(found) if found else None


def machine() -> dict[str, str]:
    """What it ran on."""
    model = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?")
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": model,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nginx": _says(["nginx", "-v"]).rpartition("/")[2],
        "wrk": _says(["wrk", "-v"]).split("[")[0].strip(),
        **{name: version(name) for name in ("uvicorn", "uvloop", "httptools", "aiohttp", "msgspec")},
        "commit": _says(["git", "rev-parse", "--short", "HEAD"]),
    }


def table(results: Results, candidates: Sequence[str]) -> str:
    """The tables of docs/bench.md."""
    parts = []
    for scenario, title, columns in _TABLES:
        if scenario not in results.numbers:
            continue
        parts.append(f"### {title}\n\n| candidate | {' | '.join(columns.values())} |")
        parts.append("|---" * (len(columns) + 1) + "|")
        for name in candidates:
            if name in results.numbers[scenario]:
                cells = [_shown(results, scenario, name, measure) for measure in columns]
                parts.append(f"| {name} | {' | '.join(cells)} |")
        parts.append("")
    return "\n".join(parts)


def write(results: Results, about: Mapping[str, Any], candidates: Sequence[str], folder: Path) -> Path:
    """The raw numbers into docs/bench/, the tables into docs/bench.md; returns the raw file."""
    raw = folder / "bench" / f"{datetime.now(UTC):%Y-%m-%d}.json"
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text(json.dumps({"about": about, "results": results.numbers}, indent=1) + "\n")
    page = folder / "bench.md"
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    lines = "\n".join(f"- {name}: {value}" for name, value in about.items())
    body = f"{lines}\n- raw numbers: bench/{raw.name}\n\n{table(results, candidates)}"
    page.write_text(f"{before}{BEGIN}\n\n{body}\n{END}{after}")
    return raw


_SATURATION: Final = {
    "cpu_us_per_call": "CPU µs per call",
    "×cpu_us_per_call": "× relay",
    "calls_per_s": "calls/s seen",
    "calls_per_cpu_s": "calls per CPU second",
    "p50_us": "p50 µs (c=32)",
    "p99_us": "p99 µs (c=32)",
}
_STREAM: Final = {
    "cpu_us_per_event": "CPU µs per event",
    "×cpu_us_per_event": "× relay",
    "ttft_p50_us": "first event p50 µs",
    "+ttft_p50_us": "over direct",
    "ttft_p99_us": "first event p99 µs",
    "transit_p50_us": "event delay p50 µs",
    "transit_p99_us": "event delay p99 µs",
    "events_per_s": "events/s",
}
_FIXED: Final = {
    "p50_us": "p50 µs",
    "+p50_us": "over direct",
    "p99_us": "p99 µs",
    "+p99_us": "over direct",
    "cpu_us_per_call": "CPU µs per call",
}
_VARIANT: Final = {each: _SATURATION[each] for each in ("cpu_us_per_call", "calls_per_cpu_s", "p50_us", "p99_us")}
_TABLES: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    ("saturation", "Unary calls, as many as one core gives", _SATURATION),
    *[(each.name, f"The same, {each.name}", _VARIANT) for each in (*OF_ALL, *OF_RULED)],
    ("fixed", "Unary calls at a fixed rate, from the intended instant", _FIXED),
    ("paced", "Streams, events 10 ms apart", _STREAM),
    ("burst", "Streams, events back to back", _STREAM),
    (
        "memory",
        "Memory after the runs",
        {"rss_mb": "resident MB", "uss_mb": "private MB", "idle_rss_mb": "resident MB, idle"},
    ),
)


def _shown(results: Results, scenario: str, name: str, column: str) -> str:
    """A cell; `+x` is what x costs over the direct way, `×x` how many times the bare relay's x it is (of medians)."""
    mine = results.median(scenario, name, column.lstrip("+×"))
    if column[0] == "+":
        base = results.median(scenario, "direct", column[1:])
        return "–" if mine is None or base is None or name == "direct" else f"{mine - base:+,.0f}"
    if column[0] == "×":
        base = results.median(scenario, "relay", column[1:])
        return f"{mine / base:.2f}" if mine and base else "–"
    return _cell(results.numbers[scenario][name].get(column))


def _cell(rounds: Sequence[float] | None) -> str:
    if not rounds:
        return "–"
    middle = statistics.median(rounds)
    if len(rounds) == 1:
        return f"{middle:,.1f}"
    return f"{middle:,.1f} ({min(rounds):,.1f}–{max(rounds):,.1f})"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _says(command: Sequence[str]) -> str:
    """The first line of what a command says; nothing where it is not installed."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().partition("\n")[0]


if sys.platform != "linux":
    raise SystemExit("the benchmark reads /proc and binds processes to cores: it runs on Linux only")
