"""The journey of one operation as a timeline: each stage and each upstream request at its place in time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from proxy.admin.console.figures import duration
from proxy.admin.console.markup import Html, el
from proxy.admin.console.readings import AttemptSeen, OperationSeen
from proxy.admin.shapes.decisions import Decision

_LEAST_WIDTH: Final = 0.4


@dataclass(frozen=True, slots=True)
class Stretch:
    """A named piece of time, `start` and `length` in milliseconds after admission; `first_token` into it, if seen."""

    name: str
    start: float
    length: float
    kind: str
    first_token: float | None = None


def stretches(
    operation: OperationSeen, attempts: Sequence[AttemptSeen], decisions: Sequence[Decision] = ()
) -> list[Stretch]:
    """The stages one after the other, as they were first passed, then the upstream requests at their own start, then
    what policy decided, at its end."""
    found, at = [], 0.0
    for name, length in operation.stages_ms.items():
        found.append(Stretch(name.replace("_", " "), at, length, "stage"))
        at += length
    for one in attempts:
        start = max(0.0, (one.started_at - operation.charged_at).total_seconds() * 1000)
        found.append(Stretch(f"#{one.number} {one.provider}", start, one.duration_ms, "attempt", one.ttft_ms))
    for each in decisions:
        took = each.latency_us / 1000
        end = (datetime.fromisoformat(each.decided_at) - operation.charged_at).total_seconds() * 1000
        kind = "policy: " if not each.shadow else "tried: "
        found.append(
            Stretch(kind + (each.tool or each.point.replace("_", " ")), max(0.0, end - took), took, "decision")
        )
    return found


def timeline(operation: OperationSeen, attempts: Sequence[AttemptSeen], decisions: Sequence[Decision] = ()) -> Html:
    """One row per stretch: its name, its bar, how long it took."""
    rows = stretches(operation, attempts, decisions)
    if not rows:
        return el("p", "No stage of this call was timed.", class_="hint")
    whole = max([operation.duration_ms, 0.001, *(row.start + row.length for row in rows)])
    head = el(
        "tr",
        el("th", "Stage", scope="col"),
        el("th", _ruler(whole), scope="col", class_="lane"),
        el("th", "Took", scope="col", class_="num"),
    )
    caption = el("caption", "Stages and upstream requests in the order of the journey", class_="unseen")
    return el("table", caption, el("thead", head), el("tbody", [_row(row, whole) for row in rows]), class_="timeline")


def _row(row: Stretch, whole: float) -> Html:
    took = duration(row.length)
    note = f", first token after {duration(row.first_token)}" if row.first_token is not None else ""
    bar = el(
        "svg",
        el("title", f"{row.name}: from {duration(row.start)}, took {took}{note}"),
        _bar(row.start, row.length, whole, row.kind),
        _bar(row.start, row.first_token, whole, "waiting") if row.first_token is not None else None,
        width="100%",
        height=14,
        role="img",
        aria_label=f"from {duration(row.start)} to {duration(row.start + row.length)}{note}",
    )
    name = el("th", row.name, scope="row", class_=row.kind)
    return el("tr", name, el("td", bar, class_="lane"), el("td", took, class_="num"))


def _bar(start: float, length: float, whole: float, kind: str) -> Html:
    width = max(_LEAST_WIDTH, length / whole * 100)
    left = min(start / whole * 100, 100 - width)
    return el("rect", x=f"{left:.3f}%", width=f"{width:.3f}%", y=1, height=12, rx=2, class_=kind)


def _ruler(whole: float) -> Html:
    return el("span", el("span", "0"), el("span", duration(whole / 2)), el("span", duration(whole)), class_="ruler")
