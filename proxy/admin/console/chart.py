"""A stacked bar chart drawn as SVG on the server: no script needed, sizes in percent so that it fits any width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from proxy.admin.console.axis import ticks
from proxy.admin.console.figures import usd, usd_short
from proxy.admin.console.markup import Html, el, join
from proxy.core.money import Nano

HEIGHT: Final = 300
TOP: Final = 12
BOTTOM: Final = 28
AXIS_WIDTH: Final = 64
_PLOT: Final = HEIGHT - TOP - BOTTOM
_BAR_SHARE: Final = 0.72
_MOST_LABELS: Final = 8


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the chart: a name, the number of its colour class, an amount for each slot."""

    name: str
    colour: str
    amounts: Sequence[Nano]


@dataclass(frozen=True, slots=True)
class Slot:
    """One place on the x axis: what stands under it, and what is said about it when pointed at."""

    label: str
    words: str


def stacked_bars(title: str, slots: Sequence[Slot], series: Sequence[Series]) -> Html:
    """The chart with its axes; `title` is what a screen reader says in place of the picture."""
    totals = [Nano(sum(one.amounts[index] for one in series)) for index in range(len(slots))]
    marks = ticks(Nano(max(totals, default=0)))
    bars = [_slot(index, len(slots), slot, series, totals[index], marks[-1]) for index, slot in enumerate(slots)]
    plot = el(
        "svg",
        _grid(marks),
        _labels(slots),
        bars,
        class_="plot",
        role="img",
        aria_label=title,
        width="100%",
        height=HEIGHT,
    )
    return el("div", _money_axis(marks), plot, class_="chart")


def _money_axis(marks: Sequence[Nano]) -> Html:
    texts = [
        el("text", usd_short(mark), x=AXIS_WIDTH - 10, y=_pixel(_y(mark, marks[-1]) + 4), text_anchor="end")
        for mark in marks
    ]
    return el("svg", texts, class_="axis", width=AXIS_WIDTH, height=HEIGHT, aria_hidden="true")


def _grid(marks: Sequence[Nano]) -> Html:
    lines = []
    for mark in marks:
        y = _pixel(round(_y(mark, marks[-1])) + 0.5)
        lines.append(el("line", x1="0", x2="100%", y1=y, y2=y, class_="zero" if mark == 0 else "grid"))
    return join(lines)


def _labels(slots: Sequence[Slot]) -> Html:
    every = -(-len(slots) // _MOST_LABELS)
    return join(
        el(
            "text",
            slot.label,
            x=_percent((index + 0.5) / len(slots)),
            y=HEIGHT - 8,
            text_anchor="middle",
            class_="tick",
        )
        for index, slot in enumerate(slots)
        if index % every == 0
    )


def _slot(index: int, number: int, slot: Slot, series: Sequence[Series], total: Nano, highest: Nano) -> Html:
    told = [f"{one.name}  {usd(one.amounts[index])}" for one in series if one.amounts[index] > 0]
    title = el("title", "\n".join([slot.words, f"Total  {usd(total)}", *told]))
    hit = el("rect", x=_percent(index / number), width=_percent(1 / number), y=TOP, height=_PLOT, class_="hit")
    return el("g", title, hit, _stack(index, number, series, highest), class_="slot")


def _stack(index: int, number: int, series: Sequence[Series], highest: Nano) -> Html:
    left, width = _percent((index + (1 - _BAR_SHARE) / 2) / number), _percent(_BAR_SHARE / number)
    rects, below = [], 0
    for one in series:
        if one.amounts[index] > 0:
            top, foot = _y(below + one.amounts[index], highest), _y(below, highest)
            rects.append(
                el("rect", x=left, width=width, y=_pixel(top), height=_pixel(foot - top), class_=f"bar {one.colour}")
            )
            below += one.amounts[index]
    return join(rects)


def _y(amount: int, highest: int) -> float:
    return TOP + _PLOT * (1 - amount / highest)


def _pixel(value: float) -> str:
    return f"{value:.2f}"


def _percent(share: float) -> str:
    return f"{share * 100:.4f}%"
