"""A window's course as SVG: what was spent, how it is expected to go on, and the limit with its ladder's rungs."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from proxy.admin.console.axis import ticks
from proxy.admin.console.chart import AXIS_WIDTH, BOTTOM, HEIGHT, TOP
from proxy.admin.console.figures import count_short, usd_short
from proxy.admin.console.forecast_words import about
from proxy.admin.console.gauge import Gauge
from proxy.admin.console.markup import Html, el, join
from proxy.admin.console.meter import percent
from proxy.admin.shapes.forecasts import Course
from proxy.budget import Unit
from proxy.core.money import Nano

_PLOT: Final = HEIGHT - TOP - BOTTOM
_SIDE: Final = 1000
_MOST_SLOTS: Final = 60
"""How many steps of the past, and of what lies ahead, are told one by one."""
_MOST_LABELS: Final = 8
_LINE_HEIGHT: Final = 15
_HIGHEST: Final = 2
"""How many limits high the picture is at most: beyond it the cone leaves it."""


class _Step(NamedTuple):
    """One step with its amounts; `low` and `high` None where it is past."""

    at: datetime
    amount: int
    low: int | None = None
    high: int | None = None


class _Field:
    """Where times and amounts lie in the picture, of `_SIDE` by `_SIDE`."""

    def __init__(self, starts_at: datetime, ends_at: datetime, highest: int) -> None:
        self.starts_at, self._length = starts_at, (ends_at - starts_at).total_seconds()
        self.marks = ticks(Nano(highest))

    def x(self, at: datetime) -> float:
        return _SIDE * min(1.0, max(0.0, (at - self.starts_at).total_seconds() / self._length))

    def y(self, amount: int) -> float:
        return _SIDE * (1 - amount / self.marks[-1])

    def pixel(self, amount: int) -> float:
        return TOP + _PLOT * (1 - amount / self.marks[-1])

    def points(self, steps: Sequence[tuple[datetime, int]]) -> str:
        return " ".join(f"{self.x(at):.2f},{self.y(amount):.2f}" for at, amount in steps)


def burn_chart(gauge: Gauge, course: Course) -> Html | None:
    """The picture with its numbers as a table; None for a window that has no course."""
    if course.ends_at is None or not course.past:
        return None
    past = [_Step(step.at, gauge.amount("spent", step)) for step in course.past]
    ahead = [_ahead(gauge, step) for step in course.ahead]
    ground = _Field(course.starts_at, course.ends_at, _highest(gauge, past, ahead))
    plot = el(
        "svg",
        _grid(ground),
        _curves(gauge, ground, past, ahead),
        _rungs(gauge, ground),
        _now(ground, past[-1].at),
        _dates(ground, course.ends_at),
        _slots(gauge, ground, past, ahead),
        class_="plot burn",
        role="img",
        aria_label=_title(gauge, bool(ahead)),
        width="100%",
        height=HEIGHT,
    )
    chart = el("div", _axis(gauge, ground), plot, class_="chart")
    return el("figure", _legend(bool(ahead)), chart, _numbers(gauge, past, ahead))


def _ahead(gauge: Gauge, step: Any) -> _Step:
    expected, low, high = (gauge.amount(name, step) for name in ("expected", "low", "high"))
    return _Step(step.at, expected, low, high)


def _highest(gauge: Gauge, past: Sequence[_Step], ahead: Sequence[_Step]) -> int:
    reached = max(gauge.limit, *(step.amount for step in past), 1)
    return max(reached, min(_HIGHEST * reached, max((step.high or 0 for step in ahead), default=0)))


def _title(gauge: Gauge, goes_on: bool) -> str:
    on = ", and how it is expected to go on" if goes_on else ""
    return f"What was spent of {gauge.name} in its window{on}, against its limit of {gauge.told(gauge.limit)}"


def _curves(gauge: Gauge, ground: _Field, past: Sequence[_Step], ahead: Sequence[_Step]) -> Html:
    spent = [(step.at, step.amount) for step in past]
    base = [(past[-1].at, 0), (past[0].at, 0)]
    cone = [(step.at, step.high or 0) for step in ahead]
    cone += [(step.at, step.low or 0) for step in reversed(ahead)]
    return el(
        "svg",
        el("polygon", points=ground.points([*spent, *base]), class_="under"),
        el("polygon", points=ground.points(cone), class_="cone") if cone else None,
        el("polyline", points=ground.points([(step.at, step.amount) for step in ahead]), class_="expected")
        if ahead
        else None,
        el("polyline", points=ground.points(spent), class_="spent-line"),
        viewBox=f"0 0 {_SIDE} {_SIDE}",
        preserveAspectRatio="none",
        x=0,
        y=TOP,
        width="100%",
        height=_PLOT,
    )


def _rungs(gauge: Gauge, ground: _Field) -> Html:
    marks = [(int(Decimal(rung.at) * gauge.limit), f"{percent(rung.at)} {rung.do}", rung.do) for rung in _ladder(gauge)]
    marks.append((gauge.limit, f"limit {_short(gauge, gauge.limit)}", "limit"))
    lines, last = [], float("-inf")
    for amount, words, kind in sorted(marks, key=lambda mark: (-mark[0], mark[2] != "limit")):
        y = ground.pixel(amount)
        lines.append(el("line", x1="0", x2="100%", y1=f"{y:.2f}", y2=f"{y:.2f}", class_=f"mark {kind}"))
        if y - last >= _LINE_HEIGHT:
            lines.append(el("text", words, x="6", y=f"{y - 4:.2f}", class_=f"mark-name {kind}"))
            last = y
    return join(lines)


def _ladder(gauge: Gauge) -> Sequence[Any]:
    ladder: Sequence[Any] = gauge.fact("ladder") or ()
    return ladder


def _now(ground: _Field, at: datetime) -> Html:
    x = f"{ground.x(at) / 10:.3f}%"
    return el("line", x1=x, x2=x, y1=TOP, y2=TOP + _PLOT, class_="now")


def _grid(ground: _Field) -> Html:
    lines = []
    for mark in ground.marks:
        y = f"{round(ground.pixel(mark)) + 0.5:.2f}"
        lines.append(el("line", x1="0", x2="100%", y1=y, y2=y, class_="zero" if mark == 0 else "grid"))
    return join(lines)


def _axis(gauge: Gauge, ground: _Field) -> Html:
    texts = [
        el("text", _short(gauge, mark), x=AXIS_WIDTH - 10, y=f"{ground.pixel(mark) + 4:.2f}", text_anchor="end")
        for mark in ground.marks
    ]
    return el("svg", texts, class_="axis", width=AXIS_WIDTH, height=HEIGHT, aria_hidden="true")


def _dates(ground: _Field, ends_at: datetime) -> Html:
    length = ends_at - ground.starts_at
    days = length.total_seconds() > 2 * 86_400
    return join(
        el(
            "text",
            f"{at.day} {at:%b}" if days else f"{at:%H:%M}",
            x=f"{ground.x(at) / 10:.3f}%",
            y=HEIGHT - 8,
            text_anchor="start" if number == 0 else "middle",
            class_="tick",
        )
        for number in range(_MOST_LABELS)
        for at in [ground.starts_at + length * number / _MOST_LABELS]
    )


def _slots(gauge: Gauge, ground: _Field, past: Sequence[_Step], ahead: Sequence[_Step]) -> Html:
    steps = [*_thinned(past), *_thinned(ahead[1:])]
    slots, left = [], 0.0
    for step in steps:
        right = max(left, ground.x(step.at))
        title = el("title", "\n".join([_said(step.at), *_lines(gauge, step)]))
        hit = el("rect", x=f"{left / 10:.3f}%", width=f"{(right - left) / 10:.3f}%", y=TOP, height=_PLOT, class_="hit")
        slots.append(el("g", title, hit, class_="slot"))
        left = right
    return join(slots)


def _lines(gauge: Gauge, step: _Step) -> list[str]:
    if step.low is None or step.high is None:
        return [f"Spent  {gauge.told(step.amount)}"]
    return [
        f"Expected  {about(gauge, step.amount)}",
        f"At least  {about(gauge, step.low)}",
        f"At most  {about(gauge, step.high)}",
    ]


def _numbers(gauge: Gauge, past: Sequence[_Step], ahead: Sequence[_Step]) -> Html:
    head = [
        el("th", words, scope="col", class_=kind or None)
        for words, kind in (("Until (UTC)", ""), ("Spent", "num"), ("Expected", "num"), ("Range", "num"))
    ]
    rows = [
        el("tr", el("th", _said(step.at), scope="row"), _cells(gauge, step))
        for step in [*_thinned(past), *_thinned(ahead[1:])]
    ]
    caption = el("caption", "The window so far, and how it is expected to go on", class_="unseen")
    table = el("table", caption, el("thead", el("tr", head)), el("tbody", rows))
    box = el("div", table, class_="scroller", role="region", aria_label="The window as a table", tabindex="0")
    return el("details", el("summary", "Show as a table"), box)


def _cells(gauge: Gauge, step: _Step) -> Html:
    if step.low is None or step.high is None:
        return join(el("td", gauge.shown(step.amount), class_="num"), el("td"), el("td"))
    span = f"{about(gauge, step.low)} – {about(gauge, step.high)}"
    return join(el("td"), el("td", about(gauge, step.amount), class_="num"), el("td", span, class_="num"))


def _legend(goes_on: bool) -> Html:
    told = [("under-swatch", "Spent")]
    told += [("cone-swatch", "Expected, with the range that holds four times in five")] if goes_on else []
    told.append(("limit-swatch", "Limit and ladder"))
    items = [
        el(
            "li",
            el("svg", el("rect", width=10, height=10, rx=2, class_=kind), width=10, height=10, aria_hidden="true"),
            words,
        )
        for kind, words in told
    ]
    return el("ul", items, class_="legend", aria_label="Legend")


def _thinned(steps: Sequence[_Step]) -> list[_Step]:
    every = -(-len(steps) // _MOST_SLOTS)
    return [step for number, step in enumerate(steps) if number % every == 0 or number == len(steps) - 1]


def _short(gauge: Gauge, amount: int) -> str:
    return usd_short(Nano(amount)) if gauge.unit is Unit.USD else count_short(amount)


def _said(at: datetime) -> str:
    return f"{at.day} {at:%b %H:%M}"
