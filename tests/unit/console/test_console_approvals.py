"""The pages of approvals: what waits first, all that an approver needs, and the buttons that say yes or no."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from proxy.admin.inside import Person
from proxy.policy import Approval, ApprovalBook, AskedCall
from tests.unit.admin.asked_approvals import asked
from tests.unit.console.test_console_governed import OWNER, Desk, desk, text_of

__all__ = ["desk"]
ANNA = Person("anna", "approver", None, None)
BOB = Person("Bob@example.com", "approver", None, None)
VERA = Person("vera", "viewer", None, None)
XSS = '<script>alert("x")</script>'
BUTTONS = [("Approve", "approved", "passes once"), ("Deny", "denied", "refused until")]
CALL = AskedCall("delete_file", '{"path":"/etc/motd"}')


def book(desk: Desk) -> ApprovalBook:
    assert desk.rooms.approvals is not None
    return desk.rooms.approvals


def asking(desk: Desk, *calls: AskedCall, said: str = "a", **more: Any) -> Approval:
    return asked(book(desk), desk.clock.now_ns(), calls=calls, said=said, **more)


async def press(desk: Desk, approval: Approval, button: str, note: str = "", **fields: str) -> httpx.Response:
    """Press a button of an approval's page, as a browser without JavaScript does."""
    page = await desk.page(f"approvals/{approval.id}")
    token = re.search(r'<form[^>]*class="change">.*?name="form_token" value="([^"]+)"', page, re.S)
    target = re.search(rf'formaction="/console/(approvals/[^"]+)"[^>]*>{button}<', page)
    assert token is not None and target is not None, page
    return await desk.browser.post(f"/console/{target[1]}", data={"form_token": token[1], "note": note, **fields})


async def test_where_nothing_ever_waited_the_page_says_how_it_comes_to_that(desk: Desk) -> None:
    told = text_of(await desk.page("approvals"))
    assert "Nothing waits" in told and "require_approval" in told


async def test_what_waits_stands_first_and_the_decided_behind_it(desk: Desk) -> None:
    done, waits = asking(desk, said="done", reason="dear"), asking(desk, CALL, said="waits")
    book(desk).decide(done.id, "denied", by="anna", note="", now_ns=desk.clock.now_ns())
    page = await desk.page("approvals")
    told = text_of(page)
    assert "asks gpt-5" in told and "calls delete_file" in told and "denied" in told and "by anna" in told
    assert page.index(waits.id) < page.index(done.id)
    assert "$0.0125" in told and "acme/support/bot" in told
    book(desk).decide(waits.id, "approved", by="anna", note="", now_ns=desk.clock.now_ns())
    assert "Nobody is waited for." in text_of(await desk.page("approvals"))


@pytest.mark.parametrize(("button", "state", "said"), BUTTONS)
async def test_an_approver_sees_all_and_decides(desk: Desk, button: str, state: str, said: str) -> None:
    approval = asking(desk, CALL)
    await desk.sign_in(ANNA)
    told = text_of(await desk.page(f"approvals/{approval.id}"))
    shown = ["delete_file", '"path": "/etc/motd"', "writes need a person", "nightly-report-42", "triage", "u1"]
    assert [each for each in (*shown, "bob@example.com", "$0.0125", "1 h") if each not in told] == []
    answer = await press(desk, approval, button, "so it is")
    assert answer.status_code == 303
    told = text_of(await desk.page(answer.headers["location"].removeprefix("/console/")))
    assert said in told and "so it is" in told and "by anna" in told and "Your decision" not in told
    kept = book(desk).find(approval.id)
    assert kept is not None and (kept.state, kept.decided_by) == (state, "anna")


async def test_who_asked_or_may_not_decide_has_no_buttons(desk: Desk) -> None:
    approval = asking(desk, CALL)
    for person, why in ((BOB, "nobody decides on their own request"), (VERA, "may not decide approvals")):
        await desk.sign_in(person)
        page = await desk.page(f"approvals/{approval.id}")
        assert why in text_of(page) and "formaction" not in page
    assert "/etc/motd" not in page and "Only who may decide sees arguments" in text_of(page)


async def test_a_form_from_elsewhere_or_too_late_decides_nothing(desk: Desk) -> None:
    approval = asking(desk)
    for verdict in ("approve", "deny"):
        answer = await desk.browser.post(f"/console/approvals/{approval.id}/{verdict}", data={})
        assert answer.status_code == 403
    kept = book(desk).find(approval.id)
    assert kept is not None and kept.state == "pending"
    page = await desk.page(f"approvals/{approval.id}")
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    desk.clock.move(3600)
    data = {"form_token": token[1], "note": "late"}
    answer = await desk.browser.post(f"/console/approvals/{approval.id}/approve", data=data)
    assert answer.status_code == 422 and "has expired" in text_of(answer.text)
    assert (await desk.browser.post(f"/console/approvals/{approval.id}/else", data=data)).status_code == 404


async def test_what_models_and_clients_wrote_is_escaped(desk: Desk) -> None:
    approval = asking(desk, AskedCall(XSS, XSS), reason=XSS, agent=XSS, run=XSS, end_user=XSS)
    for path in ("approvals", f"approvals/{approval.id}"):
        page = await desk.page(path)
        assert "<script>alert" not in page and XSS in unescape(page)
    assert OWNER.role == "owner"


@pytest.mark.parametrize("arguments", ['{"path":"/etc/shadow","path":"/tmp/x"}', '{"usd":0.10000000000000000001}'])
async def test_arguments_that_two_readers_take_in_two_ways_are_shown_as_written(desk: Desk, arguments: str) -> None:
    """Regression: of a member that stands twice an approver saw the last one only, and digits were rounded away."""
    page = await desk.page(f"approvals/{asking(desk, AskedCall('delete_file', arguments)).id}")
    assert arguments in unescape(page)


async def test_what_nobody_would_see_in_arguments_is_told(desk: Desk) -> None:
    """Regression: signs that turn the order of others round made a free text look like another one."""
    approval = asking(desk, AskedCall("sh\u200bell", "rm \u202etxt.erac\nls"))
    page = await desk.page(f"approvals/{approval.id}")
    assert "rm \\u202etxt.erac\nls" in page and "sh\\u200bell" in page and "\u202e" not in page


async def test_another_orgs_approval_is_not_there(desk: Desk) -> None:
    approval = asking(desk)
    await desk.sign_in(Person("olga", "approver", "other", None))
    assert (await desk.browser.get(f"/console/approvals/{approval.id}")).status_code == 404
    assert approval.id not in await desk.page("approvals")
