"""Targets as all workers together see them: for people."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from proxy.routing.health.breaker import SEVERITY
from proxy.routing.health.hearing import FRESH_S, Key
from proxy.routing.health.report import TargetReport, Told, unpacked
from proxy.routing.health.speaking import LATELY_S


class TargetOverview(Struct, frozen=True, kw_only=True):
    """One target, or what is known of a whole provider's connections where `model` is None.

    `state` is the severest that any worker has, `workers` how many have which. Counts are of the breaker's window;
    paces are means over the calls that were counted. `headroom` is from 0 to 1.
    """

    provider: str
    model: str | None
    state: str
    workers: Mapping[str, int]
    calls: int
    faults: int
    slow: int
    busy: int
    cools_s: float
    headroom: float
    ttft_ms: float | None
    tokens_per_s: float | None


def overview(told: Iterable[Told]) -> list[TargetOverview]:
    """One for each, by name; what was told long ago is left out."""
    heard: defaultdict[Key, list[tuple[float, TargetReport]]] = defaultdict(list)
    for each in told:
        if each.age_s < LATELY_S:
            for report in unpacked(each.report):
                heard[report.provider, report.model].append((each.age_s, report))
    return [_together(heard[key]) for key in sorted(heard, key=lambda key: (key[0], key[1] or ""))]


def _together(heard: Sequence[tuple[float, TargetReport]]) -> TargetOverview:
    reports = [report for _, report in heard]
    fresh = [report for age_s, report in heard if age_s <= FRESH_S]
    first = reports[0]
    return TargetOverview(
        provider=first.provider,
        model=first.model,
        state=max((report.state for report in reports), key=SEVERITY.__getitem__),
        workers=Counter(report.state for report in reports),
        calls=sum(report.calls for report in fresh),
        faults=sum(report.faults for report in fresh),
        slow=sum(report.slow for report in fresh),
        busy=sum(report.busy for report in fresh),
        cools_s=max(0.0, *(report.cools_s - age_s for age_s, report in heard)),
        headroom=min((report.headroom for age_s, report in heard if report.headroom_s > age_s), default=1.0),
        ttft_ms=_mean([(report.ttft_ms, report.calls) for report in reports]),
        tokens_per_s=_mean([(report.tokens_per_s, report.calls) for report in reports]),
    )


def _mean(told: Iterable[tuple[float | None, int]]) -> float | None:
    weighed = [(value, max(1, calls)) for value, calls in told if value is not None]
    return sum(value * calls for value, calls in weighed) / sum(calls for _, calls in weighed) if weighed else None
