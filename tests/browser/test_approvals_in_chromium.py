"""Approvals in a real browser: read and decided with the keyboard alone, without JavaScript, in light and dark."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Browse
from tests.browser.seeded_approvals import WAITING

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_telephone_and_nothing_runs(browse: Browse, scheme: str) -> None:
    page = browse("approvals", viewport={"width": 360, "height": 800}, color_scheme=scheme)
    for link in [each.get_attribute("href") for each in page.locator("main th a").all()]:
        page.goto(page.url.split("/console/")[0] + str(link))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), link
        assert not page.evaluate("window.pwned")


def test_who_may_not_decide_is_told_so(browse: Browse) -> None:
    page = browse("approvals", "auditor-token")
    page.get_by_role("link", name=f"calls {WAITING}").click()
    expect(page.get_by_role("region", name="Your decision")).to_contain_text("may not decide approvals")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    expect(page.locator("main")).not_to_contain_text("cus_4711")


def test_decided_with_the_keyboard(browse: Browse) -> None:
    page = browse("approvals", java_script_enabled=False)
    expect(page.get_by_role("region", name="Waiting for a person")).to_contain_text("writes need a person")
    page.get_by_role("link", name=f"calls {WAITING}").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Arguments of delete_customer")).to_contain_text('"customer": "cus_4711"')
    page.get_by_label("Note").fill("He called us.")
    page.get_by_role("button", name="Approve").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Approved: the same request passes once.")
    expect(page.get_by_role("region", name="About it")).to_contain_text("He called us.")
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Approvals").click()
    row = page.get_by_role("region", name="Decided and expired").get_by_role("row", name=WAITING)
    expect(row).to_contain_text("approved")
