"""What a worker takes from the reports of the others."""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from proxy.routing.candidate import Candidate
from proxy.routing.health.breaker import Turn
from proxy.routing.health.ended import Headroom
from proxy.routing.health.guard import Guard
from proxy.routing.health.report import TargetReport, Told, unpacked
from proxy.routing.health.target import TargetHealth
from proxy.routing.health.window import NONE, Counts

FRESH_S: Final = 5.0
"""A count that is older is of a worker that has gone quiet."""
Key: TypeAlias = tuple[str, str | None]


class Hearing:
    """Takes breakers, counts, cooldowns and headroom; remembers whose counts are held, to let go of them."""

    def __init__(self, me: str) -> None:
        self._me = me
        self._counted: set[Key] = set()

    def take(
        self,
        told: Iterable[Told],
        now_s: float,
        target_of: Callable[[Candidate], TargetHealth],
        provider_of: Callable[[str], Guard],
    ) -> None:
        """Take all there is: first what was decided, then the counts, by which this worker may decide more."""
        heard = [(each.age_s, report) for each in told if each.worker != self._me for report in unpacked(each.report)]
        counts: dict[Key, Counts] = {}
        guards: dict[Key, Guard] = {}
        for age_s, report in heard:
            guard = guards[report.provider, report.model] = self._guard_of(report, age_s, now_s, target_of, provider_of)
            guard.take(Turn(report.version, report.turned, report.by, max(0.0, report.turn_left_s - age_s)), now_s)
        for age_s, report in heard:
            key = (report.provider, report.model)
            if age_s <= FRESH_S and report.version == guards[key].breaker.version:
                counts[key] = counts.get(key, NONE).plus(Counts(report.calls, report.faults, report.slow))
        for provider, model in self._counted - counts.keys():
            gone = provider_of(provider) if model is None else target_of(Candidate(provider, model)).guard
            gone.take_counts(NONE, now_s)
        for key, counted in counts.items():
            guards[key].take_counts(counted, now_s)
        self._counted = set(counts)

    def _guard_of(
        self,
        report: TargetReport,
        age_s: float,
        now_s: float,
        target_of: Callable[[Candidate], TargetHealth],
        provider_of: Callable[[str], Guard],
    ) -> Guard:
        if report.model is None:
            return provider_of(report.provider)
        target = target_of(Candidate(report.provider, report.model))
        target.take_cooldown(report.cools_s - age_s, report.cooled_for_s, now_s)
        if report.headroom_s > age_s:
            headroom = Headroom(report.headroom, report.headroom_s - age_s)
            target.take_headroom(headroom, now_s, now_s - report.headroom_age_s - age_s)
        return target.guard
