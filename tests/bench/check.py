"""`make bench-check`: whether Flyball has become dearer than it was when docs/bench was last written.

Machines differ, and so does one machine by the hour: compared are ratios to plain nginx in the same run.
"""

import json
import statistics
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.report import Results

MOST_WORSE: Final = 0.15
RATIOS: Final = (("saturation", "cpu_us_per_call"), ("paced", "cpu_us_per_event"), ("burst", "cpu_us_per_event"))


class Compared(NamedTuple):
    """A figure of Flyball's over nginx's: as it was written, and as it is."""

    scenario: str
    before: float
    now: float

    @property
    def is_worse(self) -> bool:
        """Whether it has grown by more than chance lets it."""
        return self.now > self.before * (1 + MOST_WORSE)

    def __str__(self) -> str:
        verdict, by = "WORSE" if self.is_worse else "ok", self.now / self.before - 1
        return f"{self.scenario}: {self.now:.2f} times nginx, was {self.before:.2f} ({by:+.0%}) {verdict}"


def compare(results: Results, folder: Path) -> list[Compared]:
    """Each ratio beside the one in the latest of docs/bench/*.json that is a run of `make bench`."""
    latest = max(each for each in folder.glob("2*.json"))
    written = Results(json.loads(latest.read_text())["results"])
    return [
        Compared(scenario, _ratio(written, scenario, measure), _ratio(results, scenario, measure))
        for scenario, measure in RATIOS
    ]


def _ratio(results: Results, scenario: str, measure: str) -> float:
    ours, floor = (results.numbers[scenario][name][measure] for name in ("flyball", "nginx"))
    return statistics.median(ours) / statistics.median(floor)
