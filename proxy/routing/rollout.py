"""What flyball.yaml says of new targets beside old ones: copies to try them on, and rules by which they are left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Protocol

_LONGEST: Final = 64


@dataclass(frozen=True, kw_only=True)
class ShadowSettings:
    """A target that is sent copies of a route's calls, to be compared with what clients were answered."""

    provider: str = field(metadata={"doc": "Name of a provider under `providers`."})
    model: str | None = field(
        default=None, metadata={"doc": "Model name sent to the provider; unset sends the client's own."}
    )
    variant: str = field(metadata={"doc": "What its rows are called by; unique within the route."})
    share: Decimal = field(metadata={"doc": "The fraction of the route's answered calls that is copied, 0 to 1."})


@dataclass(frozen=True, kw_only=True)
class RollBackSettings:
    """When a target gets no more calls: as soon as one of these holds, until a person lets it have some again."""

    against: str = field(metadata={"doc": "The variant of the same route that it is compared with."})
    max_more_errors: Decimal | None = field(
        default=Decimal("0.05"),
        metadata={"doc": "By how much its share of failed calls may be higher, as a fraction; null asks nothing."},
    )
    max_latency_ratio: Decimal | None = field(
        default=None, metadata={"doc": "How many times as long its calls may take, at the 95th percentile."}
    )
    max_cost_ratio: Decimal | None = field(
        default=None, metadata={"doc": "How many times as much its calls may cost on average."}
    )
    min_calls: int = field(
        default=50,
        metadata={
            "doc": "Nothing is judged before each of the two has had so many calls, but for failures that would be too "
            "many among so many: a breaker keeps calls from what fails."
        },
    )
    window_s: int = field(default=600, metadata={"doc": "The seconds of calls that are looked back on."})


class _Target(Protocol):
    @property
    def variant(self) -> str: ...

    @property
    def roll_back(self) -> RollBackSettings | None: ...


class _Route(Protocol):
    @property
    def model(self) -> str: ...

    @property
    def targets(self) -> Sequence[_Target]: ...

    @property
    def shadows(self) -> Sequence[ShadowSettings]: ...


def rollout_problems(route: _Route) -> Iterator[tuple[str, str]]:
    """Keys below the route that cannot be meant as they stand, and why."""
    if route.shadows and not route.model:
        yield "shadows", "is for routes of models; calls of a path are not copied"
    names = [each.variant for each in route.targets if each.variant] + [each.variant for each in route.shadows]
    for name in sorted({each for each in names if names.count(each) > 1}):
        yield "targets", f"calls two variants {name!r}"
    for at, target in enumerate(route.targets):
        key = f"targets[{at}]"
        if target.variant and not _is_name(target.variant):
            yield f"{key}.variant", f"must be 1 to {_LONGEST} printable characters without / or *"
        if target.roll_back is not None:
            yield from ((f"{key}.{name}", what) for name, what in _of_roll_back(route, target, target.roll_back))
    for at, shadow in enumerate(route.shadows):
        if not _is_name(shadow.variant):
            yield f"shadows[{at}].variant", f"must be 1 to {_LONGEST} printable characters without / or *"
        if not 0 < shadow.share <= 1:
            yield f"shadows[{at}].share", f"must be a fraction above 0, at most 1; it is {shadow.share}"


def _of_roll_back(route: _Route, target: _Target, rule: RollBackSettings) -> Iterator[tuple[str, str]]:
    if not target.variant:
        yield "variant", "is what a target with roll_back is called by; give it a name"
    steady = [each.variant for each in route.targets if each.variant and each.roll_back is None]
    if rule.against not in steady:
        yield "roll_back.against", f"names no variant of the route that stays itself; it is {rule.against!r}"
    if rule.max_more_errors is not None and not 0 <= rule.max_more_errors < 1:
        yield "roll_back.max_more_errors", f"must be a fraction from 0 up to 1; it is {rule.max_more_errors}"
    ratios = {"max_latency_ratio": rule.max_latency_ratio, "max_cost_ratio": rule.max_cost_ratio}
    for name, ratio in ratios.items():
        if ratio is not None and ratio < 1:
            yield f"roll_back.{name}", f"must be 1 or more; it is {ratio}"
    if rule.max_more_errors is None and not any(ratio is not None for ratio in ratios.values()):
        yield "roll_back", "has no rule: state max_more_errors, max_latency_ratio or max_cost_ratio"
    if rule.min_calls < 1:
        yield "roll_back.min_calls", f"must be 1 or more; it is {rule.min_calls}"
    if not 10 <= rule.window_s <= 86_400:
        yield "roll_back.window_s", f"must be 10 to 86400 seconds; it is {rule.window_s}"


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable() and text == text.strip() and not set("/*") & set(text)
