"""A real hour's calls over three targets, one of which fails for five minutes and one is slow (docs/health.md)."""

import os
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.journey.simulated_hour import FAILING, SLOW, TRACES, Asked, Hour, simulated, trace

FIVE_MINUTES_S = 300.0
RECOVERY_S = 10.0
RAMP_S = 10.0


def failing_from(begins_s: float) -> Callable[[str, float], bool]:
    return lambda target, at_s: target == FAILING and begins_s <= at_s < begins_s + FIVE_MINUTES_S


def p99_s(hour: Hour, numbers: list[int]) -> float:
    """Of these calls the time that all but one in a hundred were answered in."""
    took = sorted(hour.calls[number].took_s for number in numbers)
    return took[len(took) * 99 // 100]


def busiest(hour: Hour, since_s: float, until_s: float) -> int:
    """The most calls that the failing target had under way, of those it answered in that time."""
    return max(each.under_way for each in hour.sent if each.target == FAILING and since_s <= each.at_s < until_s)


def hold(folder: Path, calls: list[Asked], begins_s: float) -> None:
    """Run the calls with the failure and without, and compare."""
    ends_s = begins_s + FIVE_MINUTES_S
    for name in ("failing", "well"):
        (folder / name).mkdir()
    hour = simulated(folder / "failing", calls, failing_from(begins_s))
    well = simulated(folder / "well", calls, lambda _target, _at_s: False)

    good = sum(call.status == 200 and call.is_whole for call in hour.calls)
    assert good >= 0.999 * len(calls)
    assert len(hour.sent) <= 1.1 * len(calls)
    assert len(well.sent) == len(calls)
    assert Counter(row["outcome"] for row in hour.rows) == {"ok": len(calls)}

    back = [each.at_s - ends_s for each in hour.sent if each.target == FAILING and each.at_s >= ends_s]
    assert back[0] <= RECOVERY_S
    first_s = ends_s + back[0]
    # No herd: while it comes back it never has more to do than it had before it failed.
    assert busiest(hour, first_s, first_s + RAMP_S) <= busiest(hour, 0, begins_s)
    steady = sum(each.target == FAILING and first_s <= each.at_s < first_s + RAMP_S / 2 for each in well.sent)
    assert sum(after_s < back[0] + RAMP_S / 2 for after_s in back) <= steady * 0.8 + 2

    meanwhile = [number for number, call in enumerate(calls) if begins_s <= call.at_s < ends_s]
    alike = p99_s(hour, meanwhile) / p99_s(well, meanwhile)
    print(  # noqa: T201 - figures for whoever runs the tests
        f"{len(calls)} calls: {good} good, {len(hour.sent) / len(calls):.3f} requests each, back in {back[0]:.1f} s, "
        f"p99 {alike:.3f} of what it is without the failure; "
        f"{sum(each.target == SLOW for each in hour.sent)} to the slow one"
    )
    assert 0.9 <= alike <= 1.1
    assert all(one.at_s <= other.at_s for one, other in pairwise(hour.sent))


def there(seconds: float) -> list[Asked]:
    """The trace, or none where it is not there: told, and a failure where CI runs."""
    calls = trace(seconds)
    if not calls:
        print(f"not run: no traces in {TRACES}")  # noqa: T201 - as above
        assert "CI" not in os.environ
    return calls


def test_seven_minutes_of_it(tmp_path: Path) -> None:
    if calls := there(420):
        hold(tmp_path, calls, begins_s=60)


@pytest.mark.long
def test_all_of_it(tmp_path: Path) -> None:
    if calls := there(3_600):
        hold(tmp_path, calls, begins_s=1_200)
