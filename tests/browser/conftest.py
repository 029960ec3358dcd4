"""One seeded console and one Chromium for all tests of this folder."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.seeded_console import PEOPLE, Site, seeded_site

Browse: TypeAlias = Callable[..., Page]
"""Opens a page of the console as somebody who signs in for it; further words are the browser context's."""

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with seeded_site(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(scope="module")  # playwright keeps an event loop running, in which no other test could run its own
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def browse(site: Site, chromium: Browser) -> Iterator[Browse]:
    complaints: list[str] = []

    def open_page(path: str, who: str = "owner-token", **options: Any) -> Page:
        page = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}).new_page()
        page.on("console", lambda told: complaints.append(f"{told.type}: {told.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(site.url + site.sessions.link_path(PEOPLE[who]))
        page.wait_for_url("**/console/spend")
        page.goto(f"{site.url}/console/{path}")
        return page

    yield open_page
    assert complaints == []
