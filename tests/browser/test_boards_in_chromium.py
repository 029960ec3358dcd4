"""The boards as pages in a real browser: every panel of every board shows its numbers, readable in light and dark."""

import re
from decimal import Decimal
from typing import Literal

import pytest
from playwright.sync_api import expect

from proxy.admin.console.boards.shipped import boards
from proxy.admin.console.figures import count, usd
from proxy.core.money import Nano, exact_usd
from tests.browser.conftest import Browse
from tests.browser.seeded_console import HOSTILE, NOW, Site
from tests.browser.test_console_in_chromium import CONTRAST

pytestmark = pytest.mark.browser
RANGE = "range=7d"
NAMES = list(boards())
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def test_every_board_is_listed_and_opens(browse: Browse) -> None:
    page = browse("boards")
    assert page.locator(".boards li").count() == len(NAMES)
    page.get_by_role("link", name=boards()["cost-overview"].title, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(boards()["cost-overview"].title)


def test_every_panel_shows_numbers_that_can_be_read(browse: Browse, site: Site) -> None:
    page = browse("boards")
    for name, board in boards().items():
        page.goto(f"{site.url}/console/boards/{name}?{RANGE}")
        for width in (1280, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(CONTRAST) == [], (name, scheme)
        panels = [panel for section in board.sections for panel in section.panels]
        assert page.locator(".panel").count() == len(panels), name
        told = page.locator("main").inner_text()
        for wrong in ("only Grafana knows", "cannot answer", "too large", "took too long", "was not asked"):
            assert wrong not in told, name
        for panel in panels:
            assert page.locator(f"#panel-{panel.number}").count() == 1, (name, panel.title)


def test_the_numbers_are_those_of_the_rows(browse: Browse, site: Site) -> None:
    page = browse(f"boards/cost-overview?{RANGE}")
    start = f"{NOW.replace(day=NOW.day - 7):%F %T}"
    rows = [row for row in site.rows if row.charged_at > start]
    spent = Nano(sum(exact_usd(row.cost_usd) for row in rows if row.cost_usd))
    tiles = dict(
        zip(page.locator(".tile dt").all_inner_texts(), page.locator(".tile dd.value").all_inner_texts(), strict=True)
    )
    # The first quarter-hour is counted whole.
    assert abs(exact_usd(tiles["Spend"].replace("$", "").replace(",", "")) - spent) < 5 * 10**9
    assert spent > 0 and usd(spent)[0] == "$"
    assert 0 <= int(tiles["Calls"].replace(",", "")) - len(rows) <= 5, count(len(rows))
    bars = page.locator("#panel-8 ~ *, section.card").filter(has=page.locator("#panel-8"))
    assert bars.locator("rect.bar").count() > 10
    bars.locator("summary").click()
    cells = bars.locator("tbody td").all_inner_texts()
    told = sum(Decimal(re.sub(r"[$,]", "", text)) for text in cells if text != "–")
    assert abs(told - Decimal(spent) / 10**9) < 5


def test_what_is_chosen_narrows_every_panel(browse: Browse, site: Site) -> None:
    page = browse(f"boards/cost-overview?{RANGE}")
    page.get_by_label("Model", exact=True).fill(HOSTILE)
    page.get_by_role("button", name="Show").click()
    legend = page.locator("section.card").filter(has=page.locator("#panel-8")).locator(".legend li")
    assert legend.all_inner_texts() == [HOSTILE]
    assert page.evaluate("window.pwned") is None
    page.get_by_label("Model", exact=True).fill("no such model")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#empty")).to_have_text("No calls yet")
    expect(page.locator("main")).to_contain_text("Nothing in this range.")


def test_who_is_bound_sees_their_own_rows_on_every_board(browse: Browse, site: Site) -> None:
    """Neither another org's nor another team's of their own."""
    page = browse("boards", who="team-token")
    seen = []
    for name in NAMES:
        page.goto(f"{site.url}/console/boards/{name}?{RANGE}")
        told = page.locator("main").inner_text() + "".join(page.locator("title, option").all_text_contents())
        assert not re.search("globex|support", told), name
        seen.append("acme/research/ci" in told)
    assert any(seen)
    page.goto(f"{site.url}/console/boards/cost-overview?{RANGE}&org=globex&team=support")
    assert page.locator("#empty").count() == 1


def test_wrong_times_and_zones_are_told(browse: Browse) -> None:
    page = browse("boards/cost-overview?since=2026-11-20T10:00&until=2026-11-19T10:00")
    expect(page.locator(".flash")).to_contain_text("From must lie before Until")
    page = browse("boards/cost-overview?since=2026-11-20T08:00&until=2026-11-20T11:00")
    expect(page.locator(".heading")).to_contain_text("20 Nov 2026 08:00 – 20 Nov 2026 11:00 UTC")
