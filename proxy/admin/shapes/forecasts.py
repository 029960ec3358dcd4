"""Forecasts, and how a budget's window went so far."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from proxy.admin.shapes.common import NanoInt, Shape, UsdText, maybe_moment, moment
from proxy.budget import WORDS, Forecast, NoForecast, Unit
from proxy.core.money import Nano, to_usd_text

CONFIDENCE: Final = "0.8"


class ForecastAmounts(Shape, frozen=True, kw_only=True):
    """What will have been spent: expected, and the range that holds the truth four times in five."""

    expected_usd: UsdText | UnsetType = UNSET
    expected_nano: NanoInt | UnsetType = UNSET
    low_usd: UsdText | UnsetType = UNSET
    low_nano: NanoInt | UnsetType = UNSET
    high_usd: UsdText | UnsetType = UNSET
    high_nano: NanoInt | UnsetType = UNSET
    expected_tokens: int | UnsetType = UNSET
    low_tokens: int | UnsetType = UNSET
    high_tokens: int | UnsetType = UNSET
    expected_requests: int | UnsetType = UNSET
    low_requests: int | UnsetType = UNSET
    high_requests: int | UnsetType = UNSET


class BudgetForecast(ForecastAmounts, frozen=True, kw_only=True):
    """How a budget's window goes on if the next days go like the last four weeks; docs/console.md has the method.

    Without amounts where the window never ends; `none` says why where there is no forecast at all.
    """

    confidence: Annotated[str, Meta(description="How often the range holds the truth.")] = CONFIDENCE
    days: Annotated[int | UnsetType, Meta(description="How many days of the past it rests on.")] = UNSET
    exceeds_limit: Annotated[bool | UnsetType, Meta(description="Whether the limit is expected to be used up.")] = UNSET
    exhausted_at: Annotated[datetime | UnsetType | None, Meta(description="When the limit is used up, expected.")] = (
        UNSET
    )
    exhausted_earliest_at: Annotated[
        datetime | UnsetType | None, Meta(description="The same at the range's high side.")
    ] = UNSET
    none: Annotated[str | UnsetType, Meta(description="Why there is no forecast.")] = UNSET
    none_code: Annotated[str | UnsetType, Meta(description="The same as a word for programs.")] = UNSET


class CourseStep(ForecastAmounts, frozen=True, kw_only=True):
    """A step of a window: `spent` behind us, a forecast ahead."""

    at: datetime
    spent_usd: UsdText | UnsetType = UNSET
    spent_nano: NanoInt | UnsetType = UNSET
    spent_tokens: int | UnsetType = UNSET
    spent_requests: int | UnsetType = UNSET


class Course(Shape, frozen=True, kw_only=True):
    """A budget's window from its beginning to its end; the last step of `past` and the first ahead are now."""

    budget: str
    scope: str
    window: str
    starts_at: datetime
    ends_at: datetime | None
    past: tuple[CourseStep, ...]
    ahead: tuple[CourseStep, ...]
    forecast: BudgetForecast
    object: Literal["course"] = "course"


def show_forecast(found: Forecast | NoForecast, unit: Unit) -> BudgetForecast:
    """A forecast as it is shown."""
    if isinstance(found, NoForecast):
        return BudgetForecast(none=found.words, none_code=found.code)
    end = {} if found.end is None else {"expected": found.end.expected, "low": found.end.low, "high": found.end.high}
    return BudgetForecast(
        days=found.days,
        exceeds_limit=found.exhausted_ns is not None,
        exhausted_at=maybe_moment(found.exhausted_ns),
        exhausted_earliest_at=maybe_moment(found.exhausted_earliest_ns),
        **amounts(unit, **end),
    )


def show_step(unit: Unit, at_ns: int, **told: int) -> CourseStep:
    """A step with its amounts."""
    return CourseStep(at=moment(at_ns), **amounts(unit, **told))


def amounts(unit: Unit, **told: int) -> dict[str, Any]:
    """Amounts under their names with the unit's ending; dollars as text and as nano-dollars."""
    if unit is not Unit.USD:
        return {f"{name}_{WORDS[unit]}": int(amount) for name, amount in told.items()}
    texts = {f"{name}_usd": to_usd_text(Nano(amount)) for name, amount in told.items()}
    return texts | {f"{name}_nano": int(amount) for name, amount in told.items()}
