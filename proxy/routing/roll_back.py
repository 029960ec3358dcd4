"""Whether a new target has done so much worse than the one it is compared with that it gets no more calls."""

from decimal import Decimal
from typing import NamedTuple

from proxy.core.money import Nano, to_usd_text
from proxy.routing.rollout import RollBackSettings


class Tried(NamedTuple):
    """What a target's calls came to: answered or failed ones, milliseconds of the answered at the 95th percentile (None
    where none was), and what those cost whose price is known."""

    calls: int = 0
    failed: int = 0
    p95_ms: float | None = None
    cost: Nano = Nano(0)
    priced: int = 0

    @property
    def failing(self) -> Decimal:
        """The share of its calls that failed."""
        return Decimal(self.failed) / self.calls if self.calls else Decimal(0)


def why_roll_back(rule: RollBackSettings, tried: Tried, steady: Tried) -> str:
    """In what the target is worse than its rule allows, in a sentence; empty for nothing, or too little known."""
    if steady.calls < rule.min_calls:
        return ""
    # A breaker keeps calls from what fails: failures count that are too many even if all missing calls had gone well.
    failing = Decimal(tried.failed) / max(tried.calls, rule.min_calls)
    if rule.max_more_errors is not None and failing - steady.failing > rule.max_more_errors:
        shares = f"{_percent(tried.failing)} of its {tried.calls} calls failed and {_percent(steady.failing)} of"
        return f"{shares} {rule.against}'s {steady.calls}, more than {_percent(rule.max_more_errors)} apart"
    if tried.calls < rule.min_calls:
        return ""
    return _too_slow(rule, tried, steady) or _too_dear(rule, tried, steady)


def _too_slow(rule: RollBackSettings, tried: Tried, steady: Tried) -> str:
    most = rule.max_latency_ratio
    if most is None or tried.p95_ms is None or not steady.p95_ms:
        return ""
    if Decimal(tried.p95_ms) <= most * Decimal(steady.p95_ms):
        return ""
    times = f"{tried.p95_ms:.0f} ms at the 95th percentile and {rule.against}'s {steady.p95_ms:.0f} ms"
    return f"its calls take {times}, more than {most} times as long"


def _too_dear(rule: RollBackSettings, tried: Tried, steady: Tried) -> str:
    most = rule.max_cost_ratio
    if most is None or min(tried.priced, steady.priced) < rule.min_calls or not steady.cost:
        return ""
    if tried.cost * steady.priced <= most * steady.cost * tried.priced:
        return ""
    ours, theirs = (to_usd_text(Nano(each.cost // each.priced)) for each in (tried, steady))
    return f"its calls cost {ours} USD each and {rule.against}'s {theirs}, more than {most} times as much"


def _percent(share: Decimal) -> str:
    return f"{share * 100:.1f} %"
