"""Stages as they are kept and as they are shown are the same ones."""

import re
from pathlib import Path
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from proxy.telemetry.migrate import migrations
from proxy.telemetry.stages import BESIDE, STAGES, UPSTREAM, kept_stages, shown_stages

_PROXY: Final = Path(__file__).parents[3] / "proxy"


def test_every_stage_that_a_journey_passes_has_its_place() -> None:
    sources = (path.read_text() for path in (_PROXY / "journey").glob("*.py"))
    passed = {stage for text in sources for stage in re.findall(r'\.mark\("(\w+)"', text)}
    assert passed == set(STAGES)


def test_the_column_has_a_place_for_each() -> None:
    step = next(each.sql for each in migrations() if each.name == "lighter_operations")
    columns = re.search(r"stages_us Tuple\((.*?)\) CODEC", step, re.DOTALL)
    assert columns is not None
    names = [each.split()[0] for each in columns[1].split(",")]
    assert names == [BESIDE if stage == UPSTREAM else stage for stage in STAGES]


@given(st.dictionaries(st.sampled_from(STAGES), st.integers(5_000, 10**12)), st.integers(5_000, 10**9))
def test_what_is_shown_is_what_was_measured(spent_ns: dict[str, int], tail_ns: int) -> None:
    total_us = (sum(spent_ns.values()) + tail_ns) // 1000
    seen = shown_stages(kept_stages(spent_ns, total_us), total_us / 1000)
    assert list(seen) == [stage for stage in STAGES if stage in spent_ns]
    for stage, spent in spent_ns.items():
        assert abs(seen[stage] - spent / 1e6) <= 0.002, stage
