"""The boards' own queries, as Grafana sends them over 30 days of the bench, and what they cost."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final

from clickhouse_connect.driver.httpclient import HttpClient

from dashboards.build import FOLDER
from tests.unit.dashboards.grafana import Asked, expand

SPAN: Final = (datetime(2026, 10, 1, 7, 10, tzinfo=UTC), datetime(2026, 10, 31, 7, 10, tzinfo=UTC))
ZONES: Final = ("UTC", "Europe/Berlin")
_SHOWN: Final = 12


@dataclass
class Cost:
    """What a panel took, each time it was asked: seconds of the clock, and of CPU of the whole collector."""

    clock: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def panels(zone: str) -> Iterator[tuple[str, str]]:
    """Every panel of every board by name, with nothing chosen."""
    asked = Asked(*SPAN, {}, zone, 7200)
    for path in sorted(FOLDER.glob("*.json")):
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for panel in loaded["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.stem}: {panel['title']}", expand(target["rawSql"], asked)


def ask(client: HttpClient, cpu_s: Callable[[], float], costs: dict[str, Cost]) -> None:
    """Ask all of them once, in both time zones; `cpu_s` tells what the collector has used."""
    for zone in ZONES:
        for name, sql in panels(zone):
            cost = costs.setdefault(f"{name} ({zone})", Cost())
            began, cpu = time.perf_counter(), cpu_s()
            client.query(sql)
            cost.clock.append(time.perf_counter() - began)
            cost.cpu.append(cpu_s() - cpu)


def text_of(costs: dict[str, Cost]) -> list[str]:
    """The dearest of them as a table, and how the others did."""
    if not costs:
        return []
    ranked = sorted(costs.items(), key=lambda each: -median(each[1].cpu))
    within = sum(median(cost.clock) <= 1 for cost in costs.values())
    light = sum(median(cost.cpu) <= 1 for cost in costs.values())
    lines = [
        f"The boards' own panels over 30 days, in UTC and in Europe/Berlin: of {len(costs)}, {within} took at most 1 s"
        f" of the clock and {light} at most 1 s of CPU of the whole collector. The dearest:",
        "",
        "| panel | seconds of the clock, median | most | seconds of CPU, median |",
        "| --- | --- | --- | --- |",
    ]
    for name, cost in ranked[:_SHOWN]:
        lines.append(f"| {name} | {median(cost.clock):.2f} | {max(cost.clock):.2f} | {median(cost.cpu):.2f} |")
    return [*lines, ""]
