"""The page of kill switches: what is off and why, the form that turns something off, and the button that lifts."""

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest

from proxy.admin.inside import Person
from tests.unit.console.test_console_governed import OWNER, Desk, desk, text_of

__all__ = ["desk"]
XSS = '<script>alert("x")</script>'


@pytest.fixture
async def empty(desk: Desk) -> AsyncIterator[Desk]:
    await desk.api.ask(OWNER, "PUT", "/orgs/acme", body={})
    yield desk


async def fill(desk: Desk, **fields: str) -> tuple[int, str]:
    """Fill in the form and send it; the status, and where it leads or what the page says."""
    page = await desk.page("switches")
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    answer = await desk.browser.post("/console/switches", data={"form_token": token[1], **fields})
    return answer.status_code, answer.headers.get("location", "") or answer.text


async def test_something_is_turned_off_told_and_lifted(empty: Desk) -> None:
    assert "Nothing is turned off." in text_of(await empty.page("switches"))
    fields = {"kind": "org", "name": "acme", "reason": "It leaks", "span": "1h", "sure": "yes"}
    status, location = await fill(empty, **fields)
    assert status == 303
    page = await empty.page(location.removeprefix("/console/"))
    told = text_of(page)
    assert "org:acme is turned off: new calls are refused" in told and "It leaks" in told and OWNER.name in told
    (switch,) = (await empty.api.ask(OWNER, "GET", "/kill-switches")).shape.data
    assert (switch.expires_at - switch.since).total_seconds() == 3600
    sent = await empty.send("switches", f"{switch.id}/lift")
    assert sent.status_code == 303
    told = text_of(await empty.page(sent.headers["location"].removeprefix("/console/")))
    assert "org:acme is let go on." in told and "lifted" in told and f"by {OWNER.name}" in told
    assert "Nothing is turned off." in told


async def test_a_form_that_is_not_sure_or_says_nothing_changes_nothing(empty: Desk) -> None:
    for fields, said in (
        ({"kind": "org", "name": "acme", "reason": "r"}, "Tick that"),
        ({"kind": "org", "name": "", "reason": "r", "sure": "yes"}, "target of this kind is written like"),
        ({"kind": "tool", "name": "x", "reason": " ", "sure": "yes"}, "reason"),
        ({"kind": "everything", "name": "x", "reason": "r", "sure": "yes"}, "begins with one of"),
    ):
        status, page = await fill(empty, **fields)
        assert status == 422 and said in text_of(page), fields
        if fields["name"]:
            assert f'value="{fields["name"]}"' in page
    assert (await empty.api.ask(OWNER, "GET", "/kill-switches")).shape.data == ()


async def test_a_form_from_elsewhere_is_refused(empty: Desk) -> None:
    data = {"kind": "org", "name": "acme", "reason": "r", "sure": "yes"}
    assert (await empty.browser.post("/console/switches", data=data)).status_code == 403
    made = await empty.api.ask(OWNER, "POST", "/kill-switches", body={"target": "org:acme", "reason": "r"})
    assert (await empty.browser.post(f"/console/switches/{made.shape.id}/lift", data={})).status_code == 403
    headers = {"origin": "http://evil.test"}
    answer = await empty.browser.post(f"/console/switches/{made.shape.id}/lift", data={}, headers=headers)
    assert answer.status_code == 403
    assert (await empty.api.ask(OWNER, "GET", f"/kill-switches/{made.shape.id}")).shape.state == "on"


async def test_what_people_wrote_is_escaped_and_what_nobody_knows_is_warned_of(empty: Desk) -> None:
    status, location = await fill(empty, kind="agent", name=f"acne/{XSS}", reason=XSS, sure="yes")
    assert status == 303
    page = await empty.page(location.removeprefix("/console/"))
    assert "<script>alert" not in page and XSS in unescape(page)
    assert "But nothing of the name" in text_of(page)


@pytest.mark.parametrize(("role", "sets", "lifts"), [("viewer", False, False), ("approver", True, False)])
async def test_who_may_not_sees_no_form(empty: Desk, role: str, sets: bool, lifts: bool) -> None:
    made = await empty.api.ask(OWNER, "POST", "/kill-switches", body={"target": "org:acme", "reason": "It leaks"})
    await empty.sign_in(Person("vera", role, None, None))
    page = await empty.page("switches")
    assert "It leaks" in page
    assert ("Turn it off" in page, "Let it go on" in page) == (sets, lifts)
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    answer = await empty.browser.post(f"/console/switches/{made.shape.id}/lift", data={"form_token": token[1]})
    assert answer.status_code == 422 and "may not lift kill switches" in answer.text


async def test_without_a_session_there_is_only_the_way_in(desk: Desk) -> None:
    desk.browser.cookies.clear()
    for method, path in (("GET", "switches"), ("POST", "switches"), ("POST", "switches/kil_x/lift")):
        answer = await desk.browser.request(method, f"/console/{path}", data={} if method == "POST" else None)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/login")
