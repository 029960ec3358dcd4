"""A board as a page: its form, and its panels as cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from proxy.admin.console.boards.asked import RANGES, BoardAsked
from proxy.admin.console.boards.plot import plot
from proxy.admin.console.boards.series import series_of, slots_of
from proxy.admin.console.boards.shipped import Board, Field, Panel, Section
from proxy.admin.console.boards.written import NOTHING, told, written
from proxy.admin.console.first_call import FirstCall, first_call_card
from proxy.admin.console.markup import Child, Html, el, join
from proxy.admin.console.shell import Place, card, heading, page, tile
from proxy.admin.console.spend_page import scroller
from proxy.telemetry import PanelRows

MOST_TABLE_ROWS: Final = 100
_IN_CONSOLE: Final = "${console}/console/"
_VALUE: Final = "${__value.raw:percentencode}"


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardFacts:
    """All that the page shows: of each panel its answer, or why there is none; of each variable what can be chosen."""

    board: Board
    asked: BoardAsked
    answers: Mapping[int, PanelRows | str]
    options: Mapping[str, Sequence[str]]


def boards_page(place: Place, boards: Sequence[Board]) -> str:
    """All boards."""
    items = [
        el(
            "li",
            el("h2", el("a", board.title, href=place.url(f"boards/{board.name}"))),
            el("p", ", ".join(section.title for section in board.sections if section.title), class_="muted"),
            class_="card",
        )
        for board in boards
    ]
    head = heading("Boards", "The panels that Grafana is given, from the same queries")
    return page(place, "Boards", head, el("ul", items, class_="boards"))


def board_page(place: Place, facts: BoardFacts, first_call: FirstCall) -> str:
    """One board over a range of time."""
    board, asked = facts.board, facts.asked
    lead = join(
        el("a", "All boards", href=place.url("boards")),
        f" · {asked.start:%d %b %Y %H:%M} – {asked.end:%d %b %Y %H:%M} UTC",
    )
    parts: list[Child] = [heading(board.title, join(lead, _whose(place))), _form(place, facts)]
    if asked.problem:
        parts.append(el("p", asked.problem, class_="flash warn", role="status"))
    if facts.answers and not any(_says_something(answer) for answer in facts.answers.values()):
        words = RANGES.get(asked.range, ("chosen range", None))[0].lower()
        parts.append(first_call_card(first_call, words))
    parts += [_section(place, facts, number, section) for number, section in enumerate(board.sections)]
    return page(place, board.title, *parts)


def _whose(place: Place) -> str:
    """Whose rows are shown, to who is bound: what belongs to nobody, such as the store's own figures, is left out."""
    who = None if place.session is None else place.session.identity
    if who is None or who.org is None:
        return ""
    return f" · only what is of {who.org if who.team is None else f'{who.org}/{who.team}'}"


def _says_something(answer: PanelRows | str) -> bool:
    if isinstance(answer, str):
        return True
    return any(cell not in (None, 0, 0.0, "") for row in answer.rows for cell in row)


def _form(place: Place, facts: BoardFacts) -> Html:
    asked = facts.asked
    ranges = [el("option", words, value=name, selected=name == asked.range) for name, (words, _) in RANGES.items()]
    if not asked.range:
        ranges.insert(0, el("option", "From … until", value="", selected=True))
    custom = {"since": "", "until": ""} if asked.range else asked.query
    fields = [
        el("span", el("label", "Time", for_="range"), el("select", ranges, name="range", id="range")),
        *(
            el(
                "span",
                el("label", words, for_=name),
                el("input", type="datetime-local", name=name, id=name, value=custom[name], class_="search"),
            )
            for name, words in (("since", "From (UTC)"), ("until", "Until (UTC)"))
        ),
        *(_choice(facts, choice.name, choice.label, choice.default) for choice in facts.board.choices),
        el("button", "Show", type="submit"),
        el("a", "Reset", href=place.url(f"boards/{facts.board.name}")),
    ]
    action = place.url(f"boards/{facts.board.name}")
    return el(
        "form", fields, method="get", action=action, class_="grouping many board-form", aria_label="What is shown"
    )


def _choice(facts: BoardFacts, name: str, label: str, default: str | None) -> Html:
    value = (facts.asked.chosen.get(name) or ("",))[0]
    listed = f"{name}-choices" if facts.options.get(name) else None
    field = el(
        "input",
        name=name,
        id=f"choose-{name}",
        value=value,
        placeholder="all" if default is None else default,
        list=listed,
        autocomplete="off",
        class_="search",
    )
    options = el("datalist", [el("option", value=each) for each in facts.options.get(name, ())], id=listed)
    return el("span", el("label", label, for_=f"choose-{name}"), field, options if listed else None)


def _section(place: Place, facts: BoardFacts, number: int, section: Section) -> Html:
    cards = [_card(place, facts, panel) for panel in section.panels]
    title = el("h2", section.title, class_="section-title", id=f"section-{number}")
    return el("section", title, el("div", cards, class_="board"), aria_labelledby=f"section-{number}")


def _card(place: Place, facts: BoardFacts, panel: Panel) -> Html:
    answer = facts.answers.get(panel.number, "This panel was not asked.")
    if isinstance(answer, str):
        inside: Child = el("p", answer, class_="hint")
    elif panel.kind == "stat":
        return el("div", _stat(panel, answer), class_=f"panel w-{panel.width}", id=f"panel-{panel.number}")
    elif panel.kind == "timeseries":
        inside = _over_time(facts.asked, panel, answer)
    else:
        inside = _rows(place, panel, answer)
    shown = card(panel.title, inside, name=f"panel-{panel.number}", note=panel.about or None)
    return el("div", shown, class_=f"panel w-{panel.width}")


def _stat(panel: Panel, answer: PanelRows) -> Html:
    row = answer.rows[-1] if answer.rows else [None] * max(1, len(answer.names))
    alone = len(answer.names) <= 1
    tiles = []
    for place, value in enumerate(row):
        field = panel.columns.get(answer.names[place], panel.value) if answer.names else panel.value
        named = field.shown or (answer.names[place].replace("_", " ") if answer.names else "")
        bad = panel.bad_from is not None and isinstance(value, int | float) and value >= panel.bad_from
        label = panel.title if alone else f"{panel.title}: {named}"
        text = written(value, field if field.unit else panel.value)
        tiles.append(tile(label, text, panel.about if place == 0 else None, "bad" if bad else ""))
    return el("dl", tiles, class_="tiles")


def _over_time(asked: BoardAsked, panel: Panel, answer: PanelRows) -> Html:
    interval_s = asked.interval_s(panel.shortest_s)
    slots = slots_of(answer, asked.start, asked.end, interval_s)
    series = series_of(answer, slots, summed=panel.stacked)
    if not series:
        return el("p", "Nothing in this range.", class_="hint")
    return plot(panel.title, slots, series, panel.value, stacked=panel.stacked)


def _rows(place: Place, panel: Panel, answer: PanelRows) -> Html:
    if not answer.rows:
        return el("p", "Nothing in this range.", class_="hint")
    fields = [panel.columns.get(name, Field(shown=name.replace("_", " "))) for name in answer.names]
    numeric = [_is_number(answer, at) for at in range(len(fields))]
    head = [
        el("th", field.shown or name, scope="col", class_="num" if number else None)
        for field, name, number in zip(fields, answer.names, numeric, strict=True)
    ]
    rows = [
        el(
            "tr",
            [_cell(place, value, field, number) for value, field, number in zip(row, fields, numeric, strict=True)],
        )
        for row in answer.rows[:MOST_TABLE_ROWS]
    ]
    caption = el("caption", panel.title, class_="unseen")
    table = el("table", caption, el("thead", el("tr", head)), el("tbody", rows), class_="recent")
    more = len(answer.rows) - MOST_TABLE_ROWS
    note = el("p", f"and {more} more", class_="muted") if more > 0 else None
    return join(scroller(table, panel.title), note)


def _is_number(answer: PanelRows, at: int) -> bool:
    return any(not isinstance(row[at], str | bool | None) and not hasattr(row[at], "isoformat") for row in answer.rows)


def _cell(place: Place, value: Any, field: Field, number: bool) -> Html:
    text = written(value, field)
    link = _link(place, value, field)
    shown = el("a", text, href=link) if link else text
    return el("td", shown, class_="num" if number else "name", title=None if number else told(value, field))


def _link(place: Place, value: Any, field: Field) -> str | None:
    if not field.link.startswith(_IN_CONSOLE) or value in (None, "", NOTHING):
        return None
    return place.url(field.link.removeprefix(_IN_CONSOLE).replace(_VALUE, str(value)))
