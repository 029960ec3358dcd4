"""Lines and stacked bars over time as SVG: no script needed, sizes in percent so that they fit any width."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from proxy.admin.console.boards.series import Drawn
from proxy.admin.console.boards.shipped import Field
from proxy.admin.console.boards.written import short, told
from proxy.admin.console.markup import Html, el, join
from proxy.admin.console.ranking import colour
from proxy.admin.console.spend_page import scroller, swatch

HEIGHT: Final = 240
_TOP: Final = 12
_BOTTOM: Final = 26
_AXIS: Final = 70
_PLOT: Final = HEIGHT - _TOP - _BOTTOM
_MOST_LABELS: Final = 7
_STEPS: Final = (1, 2, 5, 10)
_BAR: Final = 0.76


def plot(title: str, slots: Sequence[datetime], series: Sequence[Drawn], field: Field, *, stacked: bool) -> Html:
    """The picture with its legend, and its numbers as a table."""
    highest = _highest(series, stacked=stacked)
    marks = _marks(highest)
    names = [el("li", swatch(colour(rank)), one.name) for rank, one in enumerate(series)]
    drawn = _bars(slots, series, marks[-1]) if stacked else _lines(slots, series, marks[-1])
    picture = el(
        "svg",
        [_line(mark, marks[-1]) for mark in marks],
        _labels(slots),
        [_slot(number, slots, series, field, stacked=stacked) for number in range(len(slots))],
        drawn,
        class_="plot",
        role="img",
        aria_label=title,
        width="100%",
        height=HEIGHT,
    )
    axis = el(
        "svg",
        [
            el("text", short(mark, field), x=_AXIS - 10, y=_at(_y(mark, marks[-1]) + 4), text_anchor="end")
            for mark in marks
        ],
        class_="axis",
        width=_AXIS,
        height=HEIGHT,
        aria_hidden="true",
    )
    legend = el("ul", names, class_="legend", aria_label="Legend")
    return el("figure", legend, el("div", axis, picture, class_="chart"), _table(title, slots, series, field))


def _highest(series: Sequence[Drawn], *, stacked: bool) -> float:
    columns = zip(*(one.values for one in series), strict=True)
    combine = sum if stacked else max
    return max((combine(value or 0.0 for value in column) for column in columns), default=0.0)


def _marks(highest: float) -> list[float]:
    """Zero and up to five round steps, the last at or above the highest value."""
    if highest <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(highest / 4))
    step = next((lead * power for lead in _STEPS if lead * power * 4 >= highest * 0.999999), 10 * power)
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def _line(mark: float, highest: float) -> Html:
    y = _at(round(_y(mark, highest)) + 0.5)
    return el("line", x1="0", x2="100%", y1=y, y2=y, class_="grid" if mark else "zero")


def _labels(slots: Sequence[datetime]) -> Html:
    every = -(-len(slots) // _MOST_LABELS)
    days = len(slots) > 1 and slots[-1] - slots[0] > timedelta(days=2)
    return join(
        el(
            "text",
            f"{at.day} {at:%b}" if days else f"{at:%H:%M}",
            x=_share(number + 0.5, slots),
            y=HEIGHT - 8,
            text_anchor="start" if number == 0 else "middle",
            class_="tick",
        )
        for number, at in enumerate(slots)
        if number % every == 0
    )


def _slot(number: int, slots: Sequence[datetime], series: Sequence[Drawn], field: Field, *, stacked: bool) -> Html:
    at = slots[number]
    values = [(one.name, one.values[number]) for one in series]
    said = [f"{name}  {told(value, field)}" for name, value in values if value]
    if stacked and len(said) > 1:
        said.insert(0, f"Total  {told(sum(value or 0.0 for _, value in values), field)}")
    title = el("title", "\n".join([f"{at.day} {at:%b %H:%M} UTC", *(said or ["nothing"])]))
    hit = el("rect", x=_share(number, slots), width=_share(1, slots), y=_TOP, height=_PLOT, class_="hit")
    return el("g", title, hit, class_="slot")


def _bars(slots: Sequence[datetime], series: Sequence[Drawn], highest: float) -> Html:
    bars = []
    for number in range(len(slots)):
        below = 0.0
        for rank, one in enumerate(series):
            value = one.values[number] or 0.0
            if value > 0:
                top, foot = _y(below + value, highest), _y(below, highest)
                left, width = _share(number + (1 - _BAR) / 2, slots), _share(_BAR, slots)
                bars.append(
                    el("rect", x=left, width=width, y=_at(top), height=_at(foot - top), class_=f"bar {colour(rank)}")
                )
                below += value
    return el("g", bars, class_="drawn")


def _lines(slots: Sequence[datetime], series: Sequence[Drawn], highest: float) -> Html:
    drawn = []
    for rank, one in enumerate(series):
        points = [(number, value) for number, value in enumerate(one.values) if value is not None]
        ends = [(_share(number + 0.5, slots), _at(_y(value, highest)), number) for number, value in points]
        for (x1, y1, before), (x2, y2, after) in pairwise(ends):
            if after == before + 1:
                drawn.append(el("line", x1=x1, x2=x2, y1=y1, y2=y2, class_=f"stroke {colour(rank)}"))
        drawn += [el("circle", cx=x, cy=y, r="2.2", class_=colour(rank)) for x, y, _ in ends]
    return el("g", drawn, class_="drawn")


def _table(title: str, slots: Sequence[datetime], series: Sequence[Drawn], field: Field) -> Html:
    head = el(
        "tr", el("th", "From (UTC)", scope="col"), [el("th", one.name, scope="col", class_="num") for one in series]
    )
    rows = [
        el(
            "tr",
            el("th", f"{at.day} {at:%b %H:%M}", scope="row"),
            [el("td", told(one.values[number], field), class_="num") for one in series],
        )
        for number, at in enumerate(slots)
        if any(one.values[number] for one in series)
    ]
    table = el("table", el("caption", title, class_="unseen"), el("thead", head), el("tbody", rows))
    return el("details", el("summary", "Show as a table"), scroller(table, f"{title} as a table"))


def _y(value: float, highest: float) -> float:
    return _TOP + _PLOT * (1 - value / highest)


def _at(pixel: float) -> str:
    return f"{pixel:.2f}"


def _share(number: float, slots: Sequence[datetime]) -> str:
    return f"{number / len(slots) * 100:.4f}%"
