"""The pages of budgets, limits and runs: the API's own numbers, and forms that change what the API lets them."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from proxy.admin import AdminRooms
from proxy.admin.console import (
    ConsoleIdentity,
    ConsoleRooms,
    ConsoleSessions,
    StoreBudgets,
    StoreReadings,
    build_console,
)
from proxy.admin.console.boards.shipped import boards
from proxy.admin.inside import Inside, Person
from proxy.billing import Adjustments, Statements
from proxy.budget import BudgetEntry, BudgetSpec, BudgetStore, HoldRequest, RunTicket, SqliteLedger
from proxy.cache import PurgeStore
from proxy.core.clock import SetClock
from proxy.core.money import Nano
from proxy.core.usage import Bucket
from proxy.identity import AdminTokens, KeyStore
from proxy.policy import ApprovalBook, Sealer, SwitchStore
from proxy.state import StateFile
from proxy.telemetry import SpendRow, TelemetryUnavailable, VariantTotals
from tests.unit.admin.admin_port import HASH_KEY, ScriptedReader
from tests.unit.admin.telemetry_rows import operation

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OWNER = Person("ada", "owner", None, None)
VIEWER = Person("grace", "viewer", None, None)
LADDER = [{"at": "0.5", "do": "alert"}, {"at": "0.9", "do": "downgrade", "to": {"gpt-*": "fast"}}]
MONTH: dict[str, Any] = {
    "scope": "org:acme", "limit_usd": "500.000000001", "timezone": "Europe/Berlin", "ladder": LADDER,
    "models": ["gpt-*"], "opening_spent_usd": "260.5",
}  # fmt: skip


@dataclass
class Desk:
    """A console over a real state file, and the API behind it."""

    api: Inside
    rooms: AdminRooms
    reader: ScriptedReader
    sessions: ConsoleSessions
    browser: httpx.AsyncClient
    clock: SetClock

    async def sign_in(self, person: Person = OWNER) -> None:
        self.browser.cookies.clear()
        assert (await self.browser.get(self.sessions.link_path(person))).status_code == 200

    async def page(self, path: str) -> str:
        answer = await self.browser.get(f"/console/{path}")
        assert answer.status_code == 200, answer.text
        return answer.text

    async def send(self, path: str, action: str, **fields: str) -> httpx.Response:
        """Fill in a form of a page, hidden fields and all, and send it."""
        form = re.search(rf'<form[^>]*action="/console/{path}/{action}".*?</form>', await self.page(path), re.S)
        assert form is not None, f"no form {action} on {path}"
        hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form[0]))
        return await self.browser.post(f"/console/{path}/{action}", data=hidden | fields)

    async def budget(self, name: str = "acme-month") -> Any:
        return (await self.api.ask(OWNER, "GET", f"/budgets/{name}")).shape


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = SetClock(NOW)
    state, reader, sessions = StateFile(tmp_path / "ledger.sqlite"), ScriptedReader(), ConsoleSessions(clock)
    ledger = SqliteLedger(state, clock=clock)
    rooms = AdminRooms(
        state=state,
        hash_key=HASH_KEY,
        key_store=KeyStore(state, HASH_KEY, clock=clock),
        tokens=AdminTokens(state, HASH_KEY, clock=clock),
        budget_store=BudgetStore(state, clock=clock),
        reader=reader,
        runs=ledger,
        switch_store=SwitchStore(state, clock=clock),
        purge_store=PurgeStore(state, clock=clock),
        statements=Statements(state),
        adjustments=Adjustments(state, clock=clock),
        approvals=ApprovalBook(state, Sealer(HASH_KEY)),
        clock=clock,
    )
    api = Inside(rooms)

    async def authenticate(token: str) -> ConsoleIdentity | None:
        return None

    console = ConsoleRooms(
        sessions=sessions,
        authenticate=authenticate,
        spend=StoreReadings(reader),
        panels=reader,
        budgets=StoreBudgets(rooms.budget_store),
        api=api,
        clock=clock,
    )
    app = Starlette(routes=[Mount("/console", build_console(console))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://admin.test") as browser:
        made = Desk(api, rooms, reader, sessions, browser, clock)
        await api.ask(OWNER, "PUT", "/budgets/acme-month", body=MONTH)
        await made.sign_in()
        yield made
    await ledger.close()


def text_of(page: str) -> str:
    """What a reader sees of a page: no tags, no repeated blanks."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", page)))


def steady(days: int, nano: int) -> list[SpendRow]:
    """The same spend in every hour before now."""
    return [
        SpendRow(
            bucket_start=NOW - timedelta(hours=back),
            group={"requested_model": "gpt-5"},
            calls=1,
            unpriced=0,
            refused=0,
            cost=Nano(nano),
            list_cost=Nano(nano),
            tokens={Bucket.INPUT: 1},
        )
        for back in range(1, 24 * days + 1)
    ]


async def test_the_list_shows_each_with_its_numbers_its_ladder_and_its_forecast(desk: Desk) -> None:
    desk.reader.rows = steady(28, 10**9)
    limit = {"scope": "key:acme/support/bot", "limit_requests": 60}
    await desk.api.ask(OWNER, "PUT", "/limits/bot-rpm", body=limit)
    page = await desk.page("budgets")
    told = text_of(page)
    assert "$260.50 spent of $500.000000001 · 52.1 %" in told and "$239.500000001 left" in told
    assert "Expected by 30 Nov 23:00 UTC: $511.50" in told
    assert "Used up 30 Nov 11:30 UTC as it goes" in told
    assert 'aria-label="52.1 % spent, 0.0 % held; ladder: 50 % alert; 90 % downgrade"' in page
    assert "bot-rpm" in told and "0 requests spent of 60 requests" in told
    assert "Expected to be used up1" in told.replace("used up 1", "used up1")


async def test_the_search_takes_names_and_scopes(desk: Desk) -> None:
    await desk.api.ask(OWNER, "PUT", "/budgets/other", body={"scope": "org:beta", "limit_usd": 1})
    told = text_of(await desk.page("budgets?q=BETA"))
    assert "other" in told and "acme-month" not in told
    assert "Nothing matches." in text_of(await desk.page("budgets?q=%3Cb%3E"))


async def test_of_very_many_those_beyond_the_first_are_found_by_name(desk: Desk) -> None:
    for number in range(501):
        desk.rooms.budget_store.put(BudgetSpec(name=f"z{number:03}", scope="org:acme", limit=Nano(1)))
    assert "z500" not in text_of(await desk.page("budgets?q=z50"))
    assert "z500" in text_of(await desk.page("budgets?q=z500"))


async def test_a_budget_s_page_has_its_course_its_ladder_and_its_facts(desk: Desk) -> None:
    desk.reader.rows = steady(28, 10**9)
    page = await desk.page("budgets/acme-month")
    told = text_of(page)
    for words in ("50 % alert reached", "90 % downgrade gpt-* → fast", "It rests on the last 28 days", "Europe/Berlin"):
        assert words in told
    assert 'class="cone"' in page and 'class="spent-line"' in page and "Show as a table" in told
    assert page.count('class="mark alert"') == page.count('class="mark limit"') == 1


async def test_without_the_store_a_page_still_has_what_the_ledger_knows(desk: Desk) -> None:
    desk.reader.fails = TelemetryUnavailable("away")
    assert "$260.50 spent of $500.000000001" in text_of(await desk.page("budgets"))
    told = text_of(await desk.page("budgets/acme-month"))
    assert "$260.50" in told and "The telemetry store does not answer now." in told


async def test_a_raise_holds_shows_and_can_be_ended(desk: Desk) -> None:
    sent = await desk.send("budgets/acme-month", "raise", by="25.000000001", until="1d", reason="launch <b>")
    assert (sent.status_code, sent.headers["location"]) == (303, "/console/budgets/acme-month?done=raised")
    (made,) = (await desk.budget()).raises
    assert (made.by_nano, made.until, made.reason) == (25_000_000_001, NOW + timedelta(days=1), "launch <b>")
    told = text_of(await desk.page("budgets/acme-month?done=raised"))
    assert "The limit is raised" in told and "+$25.000000001 until" in told and "ada: launch <b>" in told
    assert "$500.000000001 and $25.000000001 of raises" in told and "ada raised it" in told
    ended = await desk.send("budgets/acme-month", "end-raise")
    assert ended.headers["location"].endswith("done=ended") and not (await desk.budget()).raises
    until_reset = await desk.send("budgets/acme-month", "raise", by="1", until="reset", reason="x")
    assert until_reset.status_code == 303
    assert (await desk.budget()).raises[0].until == datetime(2026, 11, 30, 23, tzinfo=UTC)


async def test_another_limit_leaves_all_else_as_it_was(desk: Desk) -> None:
    before = await desk.budget()
    sent = await desk.send("budgets/acme-month", "limit", limit="600.5")
    assert sent.headers["location"].endswith("done=changed")
    after = await desk.budget()
    assert after.limit_nano == 600_500_000_000
    assert (after.ladder, after.models, after.opening_spent_nano, after.spent_nano, after.id) == (
        before.ladder, before.models, before.opening_spent_nano, before.spent_nano, before.id,
    )  # fmt: skip
    told = text_of(await desk.page("budgets/acme-month"))
    assert "ada changed it" in told and "base_limit_usd: 500.000000001 → 600.50" in told


@pytest.mark.parametrize(
    ("name", "body", "field", "value"),
    [
        ("tokens", {"scope": "org:acme", "limit_tokens": 5, "tokens": "output", "window": "week"}, "limit_tokens", 7),
        ("roll", {"scope": "org:acme", "limit_requests": 5, "window": "rolling", "length": "24h", "hard": False},
         "limit_requests", 7),
    ],
)  # fmt: skip
async def test_limits_in_other_units_too(desk: Desk, name: str, body: dict[str, Any], field: str, value: int) -> None:
    await desk.api.ask(OWNER, "PUT", f"/budgets/{name}", body=body)
    before = await desk.budget(name)
    assert (await desk.send(f"budgets/{name}", "limit", limit=str(value))).status_code == 303
    after = await desk.budget(name)
    assert getattr(after, field) == value
    assert (after.tokens, after.window, after.length, after.hard) == (
        before.tokens, before.window, before.length, before.hard,
    )  # fmt: skip


@pytest.mark.parametrize("concurrent", [False, True])
async def test_rate_limits_have_the_same_forms(desk: Desk, concurrent: bool) -> None:
    stated = {"limit_concurrent": 4} if concurrent else {"limit_requests": 4, "window": "hour"}
    await desk.api.ask(OWNER, "PUT", "/limits/bot", body={"scope": "org:acme", **stated})
    assert (await desk.send("limits/bot", "limit", limit="9")).status_code == 303
    assert (await desk.send("limits/bot", "raise", by="2", until="1h", reason="x")).status_code == 303
    shape = (await desk.api.ask(OWNER, "GET", "/limits/bot")).shape
    assert (shape.limit_concurrent if concurrent else shape.limit_requests) == 11
    assert "Rate limit" in text_of(await desk.page("limits/bot"))


@pytest.mark.parametrize(
    ("action", "fields", "words"),
    [
        ("raise", {"by": "much", "until": "1d", "reason": "x"}, "by_usd"),
        ("raise", {"by": "1", "until": "for ever", "reason": "x"}, "Choose how long"),
        ("raise", {"by": "1", "until": "1d", "reason": " "}, "reason"),
        ("limit", {"limit": "-5"}, "limit_usd"),
        ("limit", {"limit": "6", "tag": "0"}, "not as the request expects it"),
    ],
)
async def test_what_the_api_refuses_is_said_on_the_page(
    desk: Desk, action: str, fields: dict[str, str], words: str
) -> None:
    sent = await desk.send("budgets/acme-month", action, **fields)
    alert = re.search(r'role="alert">([^<]*)<', sent.text)
    assert sent.status_code == 422 and alert is not None and words in unescape(alert[1])
    shape = await desk.budget()
    assert (shape.limit_usd, shape.raises) == ("500.000000001", ())


async def test_forms_need_their_token_their_site_and_the_role(desk: Desk) -> None:
    fields = {"by": "1", "until": "1d", "reason": "x"}
    where = "/console/budgets/acme-month/raise"
    assert (await desk.browser.post(where, data=fields | {"form_token": "guessed"})).status_code == 403
    assert (await desk.send("budgets/acme-month", "raise", form_token="", **fields)).status_code == 403
    foreign = await desk.browser.post(where, data=fields, headers={"origin": "https://evil.test"})
    assert foreign.status_code == 403
    await desk.sign_in(VIEWER)
    page = await desk.page("budgets/acme-month")
    assert "<form" in page and "/raise" not in page
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    refused = await desk.browser.post(where, data=fields | {"form_token": token[1]})
    assert refused.status_code == 422 and "The role viewer may not change budgets" in text_of(refused.text)
    assert not (await desk.budget()).raises


async def test_what_stands_in_the_file_is_changed_there(desk: Desk) -> None:
    desk.rooms.budget_store.sync_from_file([BudgetEntry(name="filed", scope="org:acme", limit_usd=Decimal(1))])
    page = await desk.page("budgets/filed")
    assert "change it there" in text_of(page) and "filed/limit" not in page and "filed/raise" in page


async def test_nobody_sees_beyond_their_org(desk: Desk) -> None:
    await desk.sign_in(Person("grace", "viewer", "globex", None))
    assert "acme" not in text_of(await desk.page("budgets"))
    for path in ("budgets/acme-month", "limits/acme-month", "budgets/nothing"):
        answer = await desk.browser.get(f"/console/{path}")
        assert answer.status_code == 404 and "not one you may see" in answer.text


async def test_one_for_each_shows_the_fullest(desk: Desk) -> None:
    await desk.api.ask(OWNER, "PUT", "/budgets/each", body={"scope": "user:acme/*", "limit_usd": 1, "window": "day"})
    for user, nano in (("u1", 5), ("<i>u2", 700_000_000)):
        await _spend(desk, [f"user:acme/{user}"], nano)
    told = text_of(await desk.page("budgets/each"))
    assert "user:acme/<i>u2, the fullest of 2" in told and "$0.000000005" in told
    assert "No forecast: a forecast needs 3 whole days" in told
    page = await desk.page("budgets/each")
    assert 'href="/console/budgets/each?scope=user%3Aacme%2Fu1"' in page
    told = text_of(await desk.page("budgets/each?scope=user:acme/u1"))
    assert "$0.000000005 spent of $1.00" in told
    assert (await desk.browser.get("/console/budgets/each?scope=user:beta/u1")).status_code == 404


async def test_a_run_is_listed_told_and_killed(desk: Desk) -> None:
    desk.reader.operations = [operation("op_1")]
    await _spend(desk, ["org:acme"], 5, run=RunTicket(org="acme", key_id="key_1", name="nightly <b>"))
    told = text_of(await desk.page("runs"))
    assert "nightly <b>" in told and "open" in told
    page = await desk.page("runs")
    path = re.search(r'href="/console/(runs/run_[0-9a-f]+)"', page)
    assert path is not None
    assert "Kill this run" in await desk.page(path[1])
    sent = await desk.send(path[1], "kill", reason="loops")
    assert (sent.status_code, sent.headers["location"]) == (303, f"/console/{path[1]}?done=killed")
    told = text_of(await desk.page(f"{path[1]}?done=killed"))
    assert "The run is stopped" in told and "killed" in told and "Kill this run" not in told
    assert "nightly" in text_of(await desk.page("runs?state=killed"))
    await desk.sign_in(VIEWER)
    assert "Kill this run" not in await desk.page(path[1])


async def _spend(desk: Desk, scopes: list[str], nano: int, run: RunTicket | None = None) -> None:
    """One call that cost so much."""
    ledger, now_ns = SqliteLedger(desk.rooms.state, clock=desk.clock), desk.clock.now_ns()
    number = f"op_{nano:032x}"
    request = HoldRequest(
        operation=number,
        worker="wrk_1",
        lines=desk.rooms.budget_store.load().lines_for(scopes, now_ns, model="gpt-5"),
        amount=Nano(nano),
        charged_at_ns=now_ns,
        lease_until_ns=now_ns + 10**12,
        start_record=b"{}",
        run=run,
    )
    await ledger.hold(request)
    await ledger.settle(number, Nano(nano), now_ns)
    await ledger.close()


async def test_a_board_says_of_each_panel_that_the_store_is_away(desk: Desk) -> None:
    desk.reader.fails = TelemetryUnavailable("away")
    page = await desk.page("boards/cost-overview")
    panels = [panel for section in boards()["cost-overview"].sections for panel in section.panels]
    assert page.count("The telemetry store cannot answer: away.") == len(panels)
    assert (await desk.browser.get("/console/boards/nosuch")).status_code == 404


async def test_an_empty_board_says_what_to_do_and_whose_rows_it_would_show(desk: Desk) -> None:
    await desk.sign_in(Person("eve", "viewer", "acme", "support"))
    page = text_of(await desk.page("boards/cost-overview?range=7d&model=gpt-5"))
    assert "No calls yet" in page and "Nothing in this range." in page and "only what is of acme/support" in page
    assert {(asked.org, asked.team) for asked in desk.reader.panels} == {("acme", "support")}
    assert all(asked.chosen["model"] == ("gpt-5",) for asked in desk.reader.panels)


async def test_boards_and_spend_are_for_who_may_read_spend(desk: Desk) -> None:
    await desk.sign_in(Person("pat", "policy_admin", None, None))
    for path in ("boards", "boards/cost-overview", "spend"):
        assert (await desk.browser.get(f"/console/{path}")).status_code == 403
    assert desk.reader.panels == []
    assert (await desk.browser.get("/console/")).headers["location"].endswith("/operations")
    await desk.sign_in(Person("vic", "viewer", None, None))
    assert (await desk.browser.get("/console/")).headers["location"].endswith("/spend")


async def test_variants_stand_beside_each_other_by_route_copies_apart(desk: Desk) -> None:
    assert "No such request was made" in text_of(await desk.page("variants"))
    canary = VariantTotals("a<b", "canary", False, 4, 1, 90.0, 100.0, None, Nano(3_000_000), 3, 30, 0)
    copy = canary._replace(variant="next", is_copy=True, similarity=0.5, beside_cost=Nano(9_000_000))
    desk.reader.beside = [canary, copy, canary._replace(route="other", failed=0)]
    body = {"target": "variant:a<b/canary", "reason": "worse"}
    await desk.api.ask(OWNER, "POST", "/kill-switches", body=body)
    page = await desk.page("variants?days=7")
    told = text_of(page)
    assert "canary rolled back425" in told and 'title="worse"' in page
    assert "next copies4" in told and "50 %" in told and "$0.003" in told
    assert page.count("<table") == page.count("<caption") == 2 and "a<b" not in page
    asked = desk.reader.variants_asked[-1]
    assert (asked.end - asked.start).days == 7 and asked.org is None
