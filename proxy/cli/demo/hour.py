"""The shape of an hour of real traffic: how many calls came when, and how long their prompts and answers were."""

import csv
import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Final

import yaml

SLOTS: Final = 120
SLOT_S: Final = 30
_QUANTILES: Final = 101
TRACE: Final = "azure_llm_2023_conv.csv"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hour:
    """Calls per half minute of the hour, and the percentiles (0 to 100) of prompt and answer lengths in tokens."""

    calls: tuple[int, ...]
    prompt_tokens: tuple[int, ...]
    output_tokens: tuple[int, ...]

    def moments(self, count: int, seconds: float, chance: Random) -> list[float]:
        """When so many calls come if the hour passes in so many seconds; in order, from 0."""
        ends = list(accumulate(self.calls))
        slot_s = seconds / len(self.calls)
        moments = []
        for _ in range(count):
            slot = bisect_right(ends, chance.random() * ends[-1])
            moments.append((min(slot, len(ends) - 1) + chance.random()) * slot_s)
        return sorted(moments)

    def sizes(self, chance: Random) -> tuple[int, int]:
        """The prompt and answer length of one call, in tokens."""
        return _between(self.prompt_tokens, chance.random()), _between(self.output_tokens, chance.random())


def the_hour() -> Hour:
    """The hour from the trace itself where it lies on this machine, else the shipped figures made from it."""
    trace = Path(os.environ.get("FLYBALL_TRACES", "../shared/traces")) / TRACE
    return hour_of_trace(trace) if trace.is_file() else shipped_hour()


def shipped_hour() -> Hour:
    """The figures in hour.yaml."""
    data = yaml.safe_load(resources.files(__package__ or "").joinpath("hour.yaml").read_text())
    return Hour(
        calls=tuple(data["calls"]),
        prompt_tokens=tuple(data["prompt_tokens"]),
        output_tokens=tuple(data["output_tokens"]),
    )


def hour_of_trace(path: Path) -> Hour:
    """Reduce a trace (TIMESTAMP, ContextTokens, GeneratedTokens) to its shape, slots without a call at the end too."""
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    moments = [datetime.fromisoformat(row["TIMESTAMP"][:26]) for row in rows]
    calls = [0] * SLOTS
    for moment in moments:
        calls[min(SLOTS - 1, int((moment - moments[0]).total_seconds() // SLOT_S))] += 1
    return Hour(
        calls=tuple(calls),
        prompt_tokens=_percentiles([int(row["ContextTokens"]) for row in rows]),
        output_tokens=_percentiles([int(row["GeneratedTokens"]) for row in rows]),
    )


def _percentiles(values: Sequence[int]) -> tuple[int, ...]:
    ordered = sorted(values)
    return tuple(ordered[(len(ordered) - 1) * step // (_QUANTILES - 1)] for step in range(_QUANTILES))


def _between(percentiles: Sequence[int], fraction: float) -> int:
    """The value at a fraction of the distribution, in a straight line between its percentiles."""
    place = fraction * (len(percentiles) - 1)
    lower = percentiles[int(place)]
    upper = percentiles[min(int(place) + 1, len(percentiles) - 1)]
    return max(1, round(lower + (upper - lower) * (place - int(place))))
