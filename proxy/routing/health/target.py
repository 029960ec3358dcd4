"""What is known of one target: its breaker, its cooldown, its headroom, its pace, and what it is doing."""

from random import Random
from typing import Final

from proxy.routing.health.breaker import LEAST_SHARE, PASS, Verdict
from proxy.routing.health.ended import Ended, Headroom
from proxy.routing.health.guard import Guard
from proxy.routing.health.look import Look
from proxy.routing.health.pace import Pace
from proxy.routing.health.settings import HealthSettings

_LEAST_TOKENS: Final = 32
_MOST_DOUBLED: Final = 6
_LIMITS_S: Final = 1.0


class TargetHealth:
    """One provider under one model name. Times are seconds of a clock that never goes back."""

    __slots__ = (
        "_asks_at_s",
        "_limited",
        "_random",
        "_settings",
        "busy",
        "cooled_for_s",
        "cools_until_s",
        "full_at_s",
        "guard",
        "left",
        "seen_s",
        "tokens_per_s",
        "told_s",
        "ttft_ms",
    )

    def __init__(self, settings: HealthSettings, random: Random, worker: str = "") -> None:
        self._settings = settings
        self._random = random
        self.guard = Guard(settings, random, worker)
        self.busy = 0
        self.seen_s = 0.0
        self.cools_until_s = 0.0
        self.cooled_for_s = 0.0
        self._limited = 0
        self._asks_at_s = 0.0
        self.left = 1.0
        self.full_at_s = 0.0
        self.told_s = 0.0
        self.ttft_ms = Pace()
        self.tokens_per_s = Pace()

    def look(self, now_s: float, provider: Guard | None) -> Look:
        """See Health.look."""
        breaker = self.guard.breaker
        verdict = PASS if breaker.state == "closed" else breaker.verdict(now_s)
        if self.cools_until_s:
            verdict = _worse(verdict, self._cooling(now_s))
        if provider is not None and not (of_it := provider.breaker.verdict(now_s)).ready:
            verdict = _worse(verdict, Verdict(False, f"its provider: {of_it.why}", of_it.wait_s))
        return Look(
            verdict.ready,
            verdict.why,
            verdict.wait_s,
            self.ttft_ms.mean(now_s),
            self.tokens_per_s.mean(now_s),
            self.busy,
            self.headroom(now_s),
        )

    def headroom(self, now_s: float) -> float:
        """What is left of its rate limits."""
        return self.left if now_s < self.full_at_s else 1.0

    def asks_limits(self, now_s: float) -> bool:
        """See Health.asks_limits."""
        if now_s < self._asks_at_s:
            return False
        self._asks_at_s = now_s + _LIMITS_S
        return True

    def began(self, now_s: float) -> None:
        """See Health.began."""
        self.busy += 1
        self.seen_s = now_s
        self.guard.breaker.began(now_s)

    def ended(self, ended: Ended, now_s: float) -> None:
        """See Health.ended."""
        self.busy = max(0, self.busy - 1)
        self.seen_s = now_s
        is_slow = self._paced(ended, now_s)
        if ended.headroom is not None:
            self.take_headroom(ended.headroom, now_s, now_s)
        if ended.kind == "limited":
            self._cool(ended.retry_after_s, now_s)
        elif ended.kind in ("ok", "slow") or (ended.kind == "fault" and ended.reached):
            self._limited = 0
            fault = ended.kind == "fault"
            self.guard.count(now_s - ended.took_ms / 1000, now_s, fault=fault, slow=is_slow and not fault)

    def _paced(self, ended: Ended, now_s: float) -> bool:
        """Take its times; whether it was slow."""
        settings, ttft_ms, tokens = self._settings, ended.ttft_ms, ended.output_tokens
        if ended.kind not in ("ok", "cancelled", "slow"):
            return False
        if ttft_ms is None and ended.kind == "slow":
            ttft_ms = ended.took_ms
        if ttft_ms is not None:
            self.ttft_ms.add(ttft_ms, now_s)
        is_slow = ended.kind == "slow" or (ttft_ms is not None and ttft_ms > settings.slow_ttft_s * 1000)
        if tokens is not None and tokens >= _LEAST_TOKENS:
            per_s = tokens * 1000 / max(1.0, ended.took_ms - (ttft_ms or 0.0))
            self.tokens_per_s.add(per_s, now_s)
            is_slow |= per_s < settings.slow_tokens_per_s
        return is_slow

    @property
    def _ramp_s(self) -> float:
        """How long it comes back after a cooldown: as long as that was, within bounds."""
        return min(self._settings.ramp_s, self.cooled_for_s)

    def _cooling(self, now_s: float) -> Verdict:
        left_s = self.cools_until_s - now_s
        if left_s > 0:
            return Verdict(False, "it asked to be left alone", left_s)
        if -left_s >= self._ramp_s:
            self.cools_until_s = 0.0
            return PASS
        share = max(LEAST_SHARE, -left_s / self._ramp_s)
        return PASS if self._random.random() < share else Verdict(False, "it is coming back", 0.0)

    def take_headroom(self, headroom: Headroom, now_s: float, told_s: float) -> None:
        """What was told of the rate limits then, here or at another worker; the latest counts."""
        if told_s < self.told_s:
            return
        self.told_s = told_s
        self.left = min(1.0, max(0.0, headroom.left))
        self.full_at_s = now_s + min(headroom.for_s, self._settings.max_cooldown_s)

    def take_cooldown(self, left_s: float, whole_s: float, now_s: float) -> None:
        """A cooldown of so many seconds, of which these are left."""
        if left_s > 0 and now_s + left_s > self.cools_until_s:
            self.cools_until_s, self.cooled_for_s = now_s + left_s, whole_s

    def _cool(self, retry_after_s: float | None, now_s: float) -> None:
        if now_s >= self.cools_until_s:
            self._limited += 1  # those that were under way when it first said so are no news
        if retry_after_s is None:
            retry_after_s = self._settings.cooldown_s * 2 ** min(self._limited - 1, _MOST_DOUBLED)
        for_s = min(max(0.0, retry_after_s), self._settings.max_cooldown_s)
        self.take_cooldown(for_s, for_s, now_s)


def _worse(one: Verdict, other: Verdict) -> Verdict:
    """What keeps calls away, for the longer time."""
    if one.ready or (not other.ready and other.wait_s > one.wait_s):
        return other
    return one
