"""As many calls as one core gives: wrk, 32 connections."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.candidates import Candidate
from tests.bench.processes import OTHER_CORE, cpu_ns
from tests.bench.variants import ORDINARY, Variant

CONNECTIONS: Final = 32
_LATENCY: Final = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)", re.M)
_TO_US: Final = {"us": 1.0, "ms": 1e3, "s": 1e6}


class Unsound(RuntimeError):
    """A measurement of something that did not answer as it should."""


@dataclass(frozen=True)
class Saturation:
    """One run. Times in microseconds."""

    cpu_us_per_call: float
    calls_per_s: float
    calls_per_cpu_s: float
    p50_us: float
    p99_us: float


def run(candidate: Candidate, folder: Path, seconds: float, variant: Variant = ORDINARY) -> Saturation:
    """Load a candidate with wrk; raises Unsound when answers were not of the status that the variant has."""
    script = folder / f"wrk-{candidate.name}.lua"
    script.write_text(_lua(candidate, variant))
    before = cpu_ns(candidate.pids)
    output = _wrk(candidate, script, seconds)
    spent = cpu_ns(candidate.pids) - before
    calls = int(_found(r"(\d+) requests in", output))
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    if (int(refused[1]) if refused else 0) != (calls if variant.status >= 400 else 0) or "Socket errors" in output:
        raise Unsound(f"{candidate.name}, {variant.name}: wrk says\n{output}")
    times = {percent: float(value) * _TO_US[unit] for percent, value, unit in _LATENCY.findall(output)}
    return Saturation(
        cpu_us_per_call=spent / 1e3 / calls,
        calls_per_s=float(_found(r"Requests/sec:\s+([\d.]+)", output)),
        calls_per_cpu_s=calls / (spent / 1e9) if spent else 0.0,
        p50_us=times["50"],
        p99_us=times["99"],
    )


def _wrk(candidate: Candidate, script: Path, seconds: float) -> str:
    url = f"http://127.0.0.1:{candidate.port}{candidate.unary_path}"
    command = [
        "taskset", "-c", str(OTHER_CORE), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency",
        "-s", str(script), url,
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 30).stdout


def _lua(candidate: Candidate, variant: Variant) -> str:
    lines = [
        f"wrk.headers[{name!r}] = {value!r}"
        for name, _, value in (each.partition(": ") for each in candidate.headers())
    ]
    body = candidate.body(variant.model, streamed=False, prompts=variant.prompts).decode()
    if variant.key_end:
        lines.append(f"wrk.headers['authorization'] = 'Bearer {candidate.key}{variant.key_end}'")
    return "\n".join(['wrk.method = "POST"', f"wrk.body = [==[{body}]==]", *lines])


def _found(pattern: str, output: str) -> str:
    match = re.search(pattern, output)
    if match is None:
        raise Unsound(f"wrk did not say {pattern!r}:\n{output}")
    return match.group(1)
