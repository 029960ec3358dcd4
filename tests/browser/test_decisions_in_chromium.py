"""The pages about decisions in a real browser: found by their filters, readable, without a complaint."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Browse
from tests.browser.test_console_in_chromium import CONTRAST

pytestmark = pytest.mark.browser


def test_a_decision_is_found_and_read(browse: Browse) -> None:
    page = browse("decisions")
    expect(page.locator("table.recent tbody tr")).to_have_count(54)
    page.get_by_label("Answer").select_option("no")
    page.get_by_label("Point").select_option("request")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("table.recent tbody tr")).to_have_count(10)
    page.locator("table.recent tbody tr a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Request")
    expect(page.locator("pre.facts-json")).to_contain_text('"string (12)"')
    expect(page.locator("main")).to_contain_text("owner: platform team")
    assert page.evaluate(CONTRAST) == []


def test_what_is_tried_stands_beside_what_counted(browse: Browse) -> None:
    page = browse("decisions?answer=differs")
    page.locator("table.recent tbody tr a").first.click()
    expect(page.locator("#counted + p")).to_have_text("differs from what counted")
    page.locator("section[aria-labelledby=counted] a").first.click()
    expect(page.locator("section[aria-labelledby=tried] li")).to_have_count(1)
    page.get_by_role("link", name="op_seed").click()
    expect(page.locator("section[aria-labelledby=policy] li")).to_have_count(2)
    expect(page.locator("th.decision")).to_have_count(2)


def test_others_see_their_own_only(browse: Browse) -> None:
    page = browse("decisions", who="nobody-token")
    expect(page.locator("main")).to_contain_text("No decisions yet")
    page = browse("decisions?code=no_such_rule", color_scheme="dark")
    expect(page.locator("main")).to_contain_text("No such decision")
    assert page.evaluate(CONTRAST) == []
