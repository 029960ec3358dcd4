"""Statements in a real browser: found, read, printed and downloaded; nothing in them runs."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from proxy.cli.statements import hash_of
from tests.browser.conftest import Browse
from tests.browser.seeded_console import PEOPLE

pytestmark = pytest.mark.browser


def test_a_statement_is_found_by_its_month_and_read_whole(browse: Browse) -> None:
    page = browse("statements", java_script_enabled=False)
    page.get_by_role("textbox", name="Month").fill("2026-10")
    page.get_by_role("button", name="Show").click()
    rows = page.get_by_role("region", name="Statements").get_by_role("row")
    expect(rows).to_have_count(4)
    page.get_by_role("link", name="acme/research").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Statement: acme/research")
    # 31.415935514 × (1 + 2 + 3), 0.033750001 of September, 12.50 of credit.
    expect(page.locator(".tile").filter(has_text="Total")).to_contain_text("$176.029363085")
    expect(page.get_by_role("region", name="Adjustments", exact=True).last).to_contain_text("repriced")
    expect(page.get_by_role("note")).to_contain_text("2 calls had no price")
    expect(page.get_by_text("Asia/Kathmandu").first).to_be_visible()


def test_the_files_are_what_the_hash_is_of(browse: Browse) -> None:
    page = browse("statements/acme/4")
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    whole = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert hash_of(whole) == whole["hash"]
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert Path(download.value.path()).read_bytes().count(b"\r\n") == 1 + len(whole["usage"]) + 4


def test_nothing_in_a_statement_runs_and_others_do_not_see_it(browse: Browse) -> None:
    page = browse("statements/acme/4")
    expect(page.get_by_text("<img src=x").first).to_be_visible()
    assert page.evaluate("window.pwned") is None
    bound = next(token for token, person in PEOPLE.items() if person.org == "globex")
    foreign = browse("statements", who=bound).request
    assert foreign.get(page.url).status == 404
    assert foreign.get(page.url.replace("/acme/4", "")).status == 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_telephone_or_a_sheet(browse: Browse, scheme: str) -> None:
    for path in ("statements", "statements/acme/4"):
        page = browse(path, viewport={"width": 360, "height": 800}, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.emulate_media(media="print")
        expect(page.locator(".banner")).to_be_hidden()
