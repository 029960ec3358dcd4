"""The health of all targets, as one worker sees it: looked at by whoever chooses, told of each attempt's end."""

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random
from typing import Final

from proxy.core.clock import Clock
from proxy.routing.candidate import Candidate
from proxy.routing.health.ended import Ended
from proxy.routing.health.guard import Guard
from proxy.routing.health.hearing import Hearing
from proxy.routing.health.look import UNSEEN, Look
from proxy.routing.health.report import Told, packed
from proxy.routing.health.settings import HealthSettings
from proxy.routing.health.speaking import TargetNow, openings, reports, standing
from proxy.routing.health.target import TargetHealth

MOST_TARGETS: Final = 2_000
"""Clients may name models by a pattern: of so many targets the ones asked longest ago are forgotten."""


class Health:
    """Targets by how they have been answering. For one event loop; no method waits for anything.

    `worker` is the name it is known by among those it shares what it knows with.
    """

    def __init__(
        self, settings: HealthSettings, clock: Clock, random: Random | None = None, worker: str = "this"
    ) -> None:
        self.worker = worker
        self._settings = settings
        self._clock = clock
        self._random = random or Random()
        self._targets: dict[Candidate, TargetHealth] = {}
        self._providers: dict[str, Guard] = {}
        """Those that could not be reached lately."""
        self._opened: Counter[str] = Counter()
        """The same of targets that are forgotten."""
        self._hearing = Hearing(worker)

    def standing(self) -> list[TargetNow]:
        """How the targets asked last stand, and those that are being left alone."""
        return standing(self._targets, self._now_s())

    def openings(self) -> Mapping[str, int]:
        """How often breakers have opened here, by provider."""
        return self._opened + openings(self._targets, self._providers)

    def look(self, candidate: Candidate) -> Look:
        """Whether a target should be asked now, and how it has been answering."""
        target = self._targets.get(candidate)
        provider = self._providers.get(candidate.provider)
        if target is None:
            if provider is None:
                return UNSEEN
            target = self._target(candidate)
        return target.look(self._now_s(), provider)

    def began(self, candidate: Candidate) -> None:
        """An attempt at a target begins; `ended` is told of it exactly once."""
        now_s = self._now_s()
        (self._targets.get(candidate) or self._target(candidate)).began(now_s)
        if self._providers and (provider := self._providers.get(candidate.provider)) is not None:
            provider.breaker.began(now_s)

    def answered(self, candidate: Candidate, after_ms: float) -> None:
        """An attempt's answer begins, so many milliseconds after the attempt: nothing waits for its end to know."""
        target, provider = self._targets.get(candidate), self._providers.get(candidate.provider)
        now_s = self._now_s()
        if target is not None:
            target.ttft_ms.add(after_ms, now_s)
        for guard in (None if target is None else target.guard, provider):
            if guard is not None and guard.breaker.state != "closed":
                guard.breaker.answered(now_s - after_ms / 1000, now_s)

    def asks_limits(self, candidate: Candidate) -> bool:
        """Whether to read what an answer's headers tell of rate limits: once a second will do."""
        target = self._targets.get(candidate)
        return target is not None and target.asks_limits(self._now_s())

    def ended(self, candidate: Candidate, ended: Ended) -> None:
        """An attempt at a target is over."""
        now_s = self._now_s()
        (self._targets.get(candidate) or self._target(candidate)).ended(ended, now_s)
        if not ended.reached:
            self._provider(candidate.provider).count(now_s - ended.took_ms / 1000, now_s, fault=True, slow=False)
        elif self._providers and (provider := self._providers.get(candidate.provider)) is not None:
            provider.count(now_s - ended.took_ms / 1000, now_s, fault=False, slow=False)

    def report(self) -> bytes:
        """What the other workers should know."""
        return packed(reports(self._targets, self._providers, self._now_s()))

    def hear(self, told: Iterable[Told]) -> None:
        """What the other workers know; what they said before and do not say now no longer counts."""
        self._hearing.take(told, self._now_s(), self._target_of, self._provider)

    def _target_of(self, candidate: Candidate) -> TargetHealth:
        return self._targets.get(candidate) or self._target(candidate)

    def _provider(self, name: str) -> Guard:
        provider = self._providers.get(name)
        if provider is None:
            provider = self._providers[name] = Guard(self._settings, self._random, self.worker)
        return provider

    def _target(self, candidate: Candidate) -> TargetHealth:
        if len(self._targets) >= MOST_TARGETS:
            idle = [key for key, each in self._targets.items() if not each.busy]
            idle.sort(key=lambda key: self._targets[key].seen_s)
            gone = {key: self._targets.pop(key) for key in idle[: MOST_TARGETS // 10]}
            self._opened += openings(gone, {})
        target = self._targets[candidate] = TargetHealth(self._settings, self._random, self.worker)
        return target

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9
