"""Kill switches in a real browser: turned off and lifted with the keyboard alone, told to screen readers."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Browse

pytestmark = pytest.mark.browser


def test_turned_off_and_lifted_with_the_keyboard(browse: Browse) -> None:
    page = browse("switches", java_script_enabled=False)
    page.get_by_label("What", exact=True).select_option("tool")
    page.get_by_label("Its name, as in the example").fill("delete_*")
    page.get_by_label("Why; those who are refused are told").fill("It deletes what it should read.")
    page.get_by_label("Refuse its calls and end its open streams now").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("tool:delete_* is turned off")
    row = page.get_by_role("region", name="Kill switches that are set").get_by_role("row", name="tool:delete_*")
    expect(row).to_contain_text("It deletes what it should read.")
    row.locator("summary").focus()
    page.keyboard.press("Enter")
    row.get_by_role("button", name="Let tool:delete_* go on").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("tool:delete_* is let go on.")
    expect(page.get_by_role("region", name="Kill switches that have ended")).to_contain_text("delete_*")


def test_without_a_tick_the_browser_does_not_send_it(browse: Browse) -> None:
    page = browse("switches")
    page.get_by_label("Its name, as in the example").fill("acme")
    page.get_by_label("Why; those who are refused are told").fill("r")
    page.get_by_role("button", name="Turn it off").click()
    assert page.get_by_label("Refuse its calls and end").evaluate("one => one.matches(':invalid')")
    expect(page.get_by_role("status")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_telephone(browse: Browse, scheme: str) -> None:
    page = browse("switches", viewport={"width": 360, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
