"""What a worker tells the others of its targets: those asked lately, and those that are being left alone."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from proxy.routing.candidate import Candidate
from proxy.routing.health.guard import Guard
from proxy.routing.health.report import MOST_TOLD, TargetReport
from proxy.routing.health.target import TargetHealth

LATELY_S: Final = 60.0
MOST_SHOWN: Final = 100


class TargetNow(NamedTuple):
    """How a target stands at this worker: the state of its breaker, or `cooling`; its headroom from 0 to 1."""

    provider: str
    model: str
    state: str
    headroom: float


def standing(targets: Mapping[Candidate, TargetHealth], now_s: float) -> list[TargetNow]:
    """Those that `reports` tells of, a hundred at most."""
    return [
        TargetNow(key.provider, key.model, _word(each, now_s), round(each.headroom(now_s), 3))
        for key, each in _lately(targets, now_s, MOST_SHOWN)
    ]


def openings(targets: Mapping[Candidate, TargetHealth], providers: Mapping[str, Guard]) -> Counter[str]:
    """How often breakers opened at this worker, by provider."""
    found: Counter[str] = Counter()
    for key, each in targets.items():
        found[key.provider] += each.guard.breaker.opened
    for name, guard in providers.items():
        found[name] += guard.breaker.opened
    return +found


def reports(
    targets: Mapping[Candidate, TargetHealth], providers: Mapping[str, Guard], now_s: float
) -> list[TargetReport]:
    """One for each, providers first, then the targets asked last."""
    told = [
        TargetReport(provider=name, model=None, **_guarded(guard, now_s))
        for name, guard in providers.items()
        if guard.window.roll(now_s).calls or guard.breaker.state != "closed"
    ]
    return told + [_report(key, each, now_s) for key, each in _lately(targets, now_s, MOST_TOLD)]


def _lately(targets: Mapping[Candidate, TargetHealth], now_s: float, most: int) -> list[tuple[Candidate, TargetHealth]]:
    lately = [
        (key, each)
        for key, each in targets.items()
        if now_s - each.seen_s < LATELY_S or each.guard.breaker.state != "closed" or each.cools_until_s > now_s
    ]
    if len(lately) > most:
        lately.sort(key=lambda pair: -pair[1].seen_s)
    return lately[:most]


def _word(target: TargetHealth, now_s: float) -> str:
    state = target.guard.breaker.state
    return "cooling" if state == "closed" and target.cools_until_s > now_s else state


def _report(candidate: Candidate, target: TargetHealth, now_s: float) -> TargetReport:
    has_headroom = now_s < target.full_at_s
    return TargetReport(
        provider=candidate.provider,
        model=candidate.model,
        cools_s=max(0.0, target.cools_until_s - now_s),
        cooled_for_s=target.cooled_for_s,
        headroom=target.left if has_headroom else 1.0,
        headroom_s=target.full_at_s - now_s if has_headroom else 0.0,
        headroom_age_s=now_s - target.told_s if has_headroom else 0.0,
        ttft_ms=target.ttft_ms.mean(now_s),
        tokens_per_s=target.tokens_per_s.mean(now_s),
        busy=target.busy,
        **_guarded(target.guard, now_s),
    )


def _guarded(guard: Guard, now_s: float) -> dict[str, Any]:
    turn, counts = guard.breaker.turn(now_s), guard.window.roll(now_s)
    return {
        "state": guard.breaker.state,
        "version": turn.version,
        "turned": turn.state,
        "by": turn.by,
        "turn_left_s": turn.left_s,
        "calls": counts.calls,
        "faults": counts.faults,
        "slow": counts.slow,
    }
