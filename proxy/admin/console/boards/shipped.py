"""The shipped boards as the pages need them: sections of panels, their queries, and what can be chosen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from dashboards.shipped import shipped_boards

MOST_COLUMNS: Final = 24
_TITLE: Final = "Flyball: "
_UID: Final = "flyball-"
_UNITS_S: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """How a value is written: under which name, in which unit, with how many decimals, leading where."""

    shown: str = ""
    unit: str = ""
    decimals: int | None = None
    link: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One panel: `kind` is Grafana's type, `width` of 24, `bad_from` the value from which on it is told in red."""

    number: int
    kind: str
    title: str
    about: str
    width: int
    sql: str
    value: Field
    columns: Mapping[str, Field]
    stacked: bool
    shortest_s: int
    bad_from: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A variable: the query for its values where they are asked for, its value where none is chosen (None: all)."""

    name: str
    label: str
    sql: str
    default: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """One board; `name` is its address."""

    name: str
    title: str
    sections: Sequence[Section]
    choices: Sequence[Choice] = field(default_factory=tuple)


@cache
def boards() -> Mapping[str, Board]:
    """Every shipped board by name, in the order of their titles."""
    made = [_board(uid.removeprefix(_UID), told) for uid, told in shipped_boards().items()]
    return {board.name: board for board in sorted(made, key=lambda board: board.title)}


def _board(name: str, told: Mapping[str, Any]) -> Board:
    title = str(told["title"]).removeprefix(_TITLE)
    return Board(
        name=name,
        title=title[:1].upper() + title[1:],
        sections=tuple(_sections(told["panels"])),
        choices=tuple(
            _choice(variable) for variable in told["templating"]["list"] if variable["type"] in ("query", "custom")
        ),
    )


def _sections(panels: Sequence[Mapping[str, Any]]) -> Iterator[Section]:
    title, inside = "", list[Panel]()
    for panel in panels:
        if panel["type"] == "row":
            if inside:
                yield Section(title=title, panels=inside)
            title, inside = panel["title"], [_panel(each) for each in panel["panels"]]
        else:
            inside.append(_panel(panel))
    if inside:
        yield Section(title=title, panels=inside)


def _panel(told: Mapping[str, Any]) -> Panel:
    config = told.get("fieldConfig", {})
    defaults = config.get("defaults", {})
    custom = defaults.get("custom", {})
    targets = told.get("targets", [])
    return Panel(
        number=told["id"],
        kind=told["type"],
        title=told["title"],
        about=told.get("description", ""),
        width=min(MOST_COLUMNS, told["gridPos"]["w"]),
        sql=targets[0]["rawSql"] if targets else "",
        value=Field(unit=defaults.get("unit", ""), decimals=defaults.get("decimals")),
        columns={
            each["matcher"]["options"]: _column(each["properties"])
            for each in config.get("overrides", [])
            if each["matcher"]["id"] == "byName"
        },
        stacked=custom.get("stacking", {}).get("mode") == "normal",
        shortest_s=_seconds(told.get("interval") or "1m"),
        bad_from=_bad_from(defaults.get("thresholds", {}).get("steps", [])),
    )


def _column(properties: Sequence[Mapping[str, Any]]) -> Field:
    told = {each["id"]: each["value"] for each in properties}
    links = told.get("links") or [{}]
    return Field(
        shown=told.get("displayName", ""),
        unit=told.get("unit", ""),
        decimals=told.get("decimals"),
        link=links[0].get("url", ""),
    )


def _bad_from(steps: Sequence[Mapping[str, Any]]) -> float | None:
    return next((each["value"] for each in steps if each["color"] == "red" and each["value"] is not None), None)


def _seconds(text: str) -> int:
    return int(text[:-1]) * _UNITS_S.get(text[-1], 60) if text[:-1].isdigit() else 60


def _choice(told: Mapping[str, Any]) -> Choice:
    current = (told.get("current") or {}).get("value", "")
    value = current[0] if isinstance(current, list) else current
    query = told.get("query", "")
    return Choice(
        name=told["name"],
        label=told.get("label") or told["name"],
        sql=query if isinstance(query, str) else str(query.get("rawSql", "")),
        default=None if told.get("includeAll") or value == "$__all" else value,
    )
