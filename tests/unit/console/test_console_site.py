"""The console over HTTP: who gets in, what each page shows and asks, and that nothing of it can run."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from proxy.admin.console import ConsoleIdentity, ConsoleRooms, ConsoleSessions, build_console
from proxy.admin.console.readings import (
    AttemptSeen,
    BudgetSeen,
    CandidateSeen,
    OperationSeen,
    OperationStory,
    PriceLine,
    RecentAsked,
    RoutingSeen,
    SpendAsked,
    SpendSeen,
    Sum,
)
from proxy.admin.faults import Fault
from proxy.admin.faults import Refusal as AdminRefusal
from proxy.admin.inside import Person as Asker
from proxy.admin.inside import Told as Answered
from proxy.admin.roles import Permission
from proxy.core.clock import SetClock
from proxy.core.money import ZERO, Nano
from proxy.core.refusal import Refusal, Refused
from proxy.telemetry import OperationSearch
from tests.unit.admin.admin_port import ScriptedReader

NOW = datetime(2026, 11, 20, 11, 7, 30, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script>"
NOTHING = SpendSeen(whole=Sum(), names=(), slots={}, series={}, earlier=ZERO)


@dataclass(frozen=True)
class Person:
    """A signed-in person."""

    name: str = "ada"
    role: str = "owner"
    org: str | None = None
    team: str | None = None


def an_operation(**told: object) -> OperationSeen:
    """A finished call, with some facts of its own."""
    facts: dict[str, object] = {
        "operation_id": "op_1", "charged_at": NOW, "finished_at": NOW + timedelta(seconds=3), "org": "acme",
        "team": "support", "key_id": "key_1", "key_name": "bot", "outcome": "ok", "status": 200,
        "endpoint": "chat.completions", "requested_model": "fast", "model": "gpt-5", "provider": "openai",
        "streamed": True, "duration_ms": 3000.0, "ttft_ms": 612.0, "overhead_ms": 1.25, "cost": Nano(38_245_001),
        "stages_ms": {"identity": 0.1, "hold": 0.5, "upstream": 600.0}, "tokens": {"input": 1200, "output": 812},
    }  # fmt: skip
    return OperationSeen(**{**facts, **told})  # type: ignore[arg-type]  # the test's own table


def an_attempt(**told: object) -> AttemptSeen:
    """The upstream request behind it."""
    facts: dict[str, object] = {
        "attempt_id": "att_1", "number": 1, "purpose": "serve", "started_at": NOW + timedelta(milliseconds=2),
        "provider": "openai", "model": "gpt-5", "sent_model": "gpt-5", "outcome": "ok", "status": 200,
        "duration_ms": 2990.0, "ttft_ms": 600.0, "cost": Nano(38_245_001), "price_source": "overlay",
        "price_lines": (
            PriceLine(bucket="input", quantity=1200, usd_per_mtok="1.25", usd="0.0015"),
            PriceLine(bucket="output", quantity=812, usd_per_mtok="45.25246", usd="0.03674500000012"),
        ),
    }  # fmt: skip
    return AttemptSeen(**{**facts, **told})  # type: ignore[arg-type]  # the test's own table


@dataclass
class Told:
    """Both readers, with their answers and what they were asked."""

    seen: SpendSeen = NOTHING
    operations: list[OperationSeen] = field(default_factory=list)
    story: OperationStory | None = None
    budgets: list[BudgetSeen] = field(default_factory=list)
    down: bool = False
    asked: list[object] = field(default_factory=list)

    async def spend(self, asked: SpendAsked) -> SpendSeen:
        self.asked.append(asked)
        if self.down:
            raise Refused(Refusal.DEPENDENCY_UNAVAILABLE, "the telemetry store cannot answer: away")
        return self.seen

    async def operation(self, operation_id: str, org: str | None, team: str | None) -> OperationStory | None:
        self.asked.append((operation_id, org, team))
        return self.story

    async def recent(self, asked: RecentAsked) -> Sequence[OperationSeen]:
        self.asked.append(asked)
        return self.operations

    async def live(self, org: str | None, team: str | None) -> Sequence[BudgetSeen]:
        self.asked.append(("budgets", org, team))
        return self.budgets


class Nobody:
    """An admin API that lets everybody read spend, and nobody do anything."""

    def may(self, person: Asker, permission: Permission) -> bool:
        return permission is Permission.READ_SPEND

    async def ask(self, person: Asker, method: str, path: str, **_: object) -> Answered:
        raise AdminRefusal(Fault.PERMISSION_DENIED, "Nobody may.")


@dataclass
class Desk:
    """A served console: the browser's side and the operator's side."""

    told: Told
    sessions: ConsoleSessions
    clock: SetClock
    browser: httpx.AsyncClient
    people: dict[str, Person]

    async def get(self, path: str) -> str:
        answer = await self.browser.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def sign_in(self, person: Person | None = None) -> None:
        self.browser.cookies.clear()
        path = self.sessions.link_path(person or Person())
        assert (await self.browser.get(path)).status_code == 200


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clock = SetClock(NOW)
    told, sessions = Told(), ConsoleSessions(clock)
    people = {"right": Person()}

    async def authenticate(token: str) -> ConsoleIdentity | None:
        return people.get(token)

    rooms = ConsoleRooms(
        sessions=sessions,
        authenticate=authenticate,
        spend=told,
        budgets=told,
        panels=ScriptedReader(),
        api=Nobody(),
        clock=clock,
    )
    app = Starlette(routes=[Mount("/console", build_console(rooms))])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://admin.test") as browser:
        yield Desk(told, sessions, clock, browser, people)


def text_of(page: str) -> str:
    """What a reader sees of a page: no tags, no repeated blanks."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", page)))


def a_day() -> SpendSeen:
    start = datetime(2026, 11, 20, 9, tzinfo=UTC)
    later = start + timedelta(hours=1)
    gpt = Sum(name="gpt-5", cost=Nano(2_000_000_001), calls=4, refused=1, input_tokens=300, output_tokens=30)
    odd = Sum(name=HOSTILE, cost=Nano(250_000_000), calls=4, unpriced=2, cache_read_tokens=100)
    return SpendSeen(
        whole=gpt.plus(odd),
        names=(gpt, odd),
        slots={start: Nano(1_750_000_001), later: Nano(500_000_000)},
        series={
            "gpt-5": {start: Nano(1_500_000_001), later: Nano(500_000_000)},
            HOSTILE: {start: Nano(250_000_000)},
        },
        earlier=Nano(1_000_000_000),
    )


async def test_without_a_session_every_page_leads_to_the_sign_in_form(desk: Desk) -> None:
    for path in (
        "",
        "spend",
        "operations",
        "operations/op_1",
        "budgets",
        "budgets/b",
        "limits/l",
        "runs",
        "runs/r",
        "variants",
        "decisions",
        "decisions/d",
    ):
        answer = await desk.browser.get(f"/console/{path}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/login"), path
    assert desk.told.asked == []


async def test_a_one_time_link_opens_once_and_only_for_a_minute(desk: Desk) -> None:
    code, late = desk.sessions.make_link(Person()).reveal(), desk.sessions.make_link(Person()).reveal()
    first = await desk.browser.get(f"/console/open?code={code}")
    cookie = first.headers["set-cookie"]
    assert first.status_code == 200
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/console" in cookie
    assert 'content="0;url=/console/"' in first.text
    assert "ada" in await desk.get("/console/spend")
    desk.browser.cookies.clear()
    assert (await desk.browser.get(f"/console/open?code={code}")).status_code == 403
    desk.clock.move(60)
    assert (await desk.browser.get(f"/console/open?code={late}")).status_code == 403


async def test_a_browser_that_only_looks_ahead_does_not_use_the_link_up(desk: Desk) -> None:
    code = desk.sessions.make_link(Person()).reveal()
    ahead = await desk.browser.get(f"/console/open?code={code}", headers={"sec-purpose": "prefetch;prerender"})
    assert ahead.status_code == 403
    assert (await desk.browser.get(f"/console/open?code={code}")).status_code == 200


async def test_a_pasted_token_opens_a_session_and_a_wrong_one_does_not(desk: Desk) -> None:
    wrong = await desk.browser.post("/console/login", data={"token": "wrong"})
    assert wrong.status_code == 401 and 'role="alert"' in wrong.text and "set-cookie" not in wrong.headers
    right = await desk.browser.post("/console/login", data={"token": " right "})
    assert (right.status_code, right.headers["location"]) == (303, "/console/spend")
    assert "ada" in await desk.get("/console/spend")


async def test_a_form_from_another_site_is_refused(desk: Desk) -> None:
    for header in ({"origin": "https://evil.test"}, {"sec-fetch-site": "cross-site"}):
        answer = await desk.browser.post("/console/login", data={"token": "right"}, headers=header)
        assert answer.status_code == 403 and "set-cookie" not in answer.headers
    big = await desk.browser.post("/console/login", data={"token": "x" * 5000})
    assert big.status_code == 413


async def test_signing_out_needs_the_forms_token_and_ends_the_session(desk: Desk) -> None:
    await desk.sign_in()
    assert (await desk.browser.post("/console/logout", data={"form_token": "guessed"})).status_code == 403
    page = await desk.get("/console/spend")
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    kept = dict(desk.browser.cookies)
    out = await desk.browser.post("/console/logout", data={"form_token": token[1]})
    assert (out.status_code, out.headers["location"]) == (303, "/console/login")
    desk.browser.cookies.update(kept)
    assert (await desk.browser.get("/console/spend")).status_code == 303


async def test_a_session_ends_after_eight_hours(desk: Desk) -> None:
    await desk.sign_in()
    desk.clock.move(8 * 3600 - 1)
    assert (await desk.browser.get("/console/spend")).status_code == 200
    desk.clock.move(1)
    assert (await desk.browser.get("/console/spend")).status_code == 303


async def test_every_answer_forbids_foreign_code_and_framing(desk: Desk) -> None:
    await desk.sign_in()
    desk.told.seen = a_day()
    desk.told.story = OperationStory(operation=an_operation(), attempts=(an_attempt(),))
    for path in ("spend", "operations", "operations/op_1", "login", "nowhere"):
        answer = await desk.browser.get(f"/console/{path}")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert " style=" not in answer.text and "<script>" not in answer.text and "javascript:" not in answer.text


async def test_assets_are_served_under_their_content_and_kept(desk: Desk) -> None:
    page = (await desk.browser.get("/console/login")).text
    found = re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page)
    assert {path.rsplit("/", 1)[1] for path in found} == {"console.css", "console.js", "icon.svg"}
    for path in found:
        answer = await desk.browser.get(path)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
    assert (await desk.browser.get("/console/static/0000/console.css")).status_code == 404
    assert (await desk.browser.get("/console/static/0000/..%2Fapp.py")).status_code == 404


async def test_the_spend_page_shows_exact_sums_shares_and_counts(desk: Desk) -> None:
    await desk.sign_in()
    desk.told.seen = a_day()
    page = await desk.get("/console/spend")
    seen = text_of(page)
    assert "Spend$2.250000001+125.0 % against the period before ($1.00)" in seen
    assert "gpt-5$2.00000000188.9 %4330" in seen
    assert "Calls812.5 % refused" in seen
    assert "Unpriced calls2not in the sum" in seen
    assert "2 unpriced" in seen and HOSTILE in seen and HOSTILE not in page
    assert "20 Nov 09:00 – 10:00 UTC\nTotal  $1.750000001\ngpt-5  $1.500000001" in unescape(page)


async def test_range_and_grouping_are_asked_for_as_chosen(desk: Desk) -> None:
    await desk.sign_in()
    page = await desk.get("/console/spend?range=7d&by=provider")
    (asked,) = (asked for asked in desk.told.asked if isinstance(asked, SpendAsked))
    assert (asked.by, asked.window.span.slot) == ("provider", timedelta(hours=6))
    assert asked.window.end == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert asked.window.end - asked.window.start == timedelta(days=7)
    assert '<option value="provider" selected>' in page
    assert 'href="/console/spend?range=7d&amp;by=provider" aria-current="true"' in page


async def test_an_unknown_range_or_grouping_falls_back(desk: Desk) -> None:
    await desk.sign_in()
    await desk.get("/console/spend?range=9y&by=cost_usd%3B--")
    asked = next(asked for asked in desk.told.asked if isinstance(asked, SpendAsked))
    assert (asked.by, asked.window.span.name) == ("model", "24h")


async def test_a_live_page_asks_to_be_refreshed(desk: Desk) -> None:
    await desk.sign_in()
    assert (await desk.browser.get("/console/spend?live=1")).headers["refresh"] == "10"
    assert "refresh" not in (await desk.browser.get("/console/spend")).headers


async def test_a_bound_person_asks_for_their_own_only(desk: Desk) -> None:
    await desk.sign_in(Person(org="acme", team="support"))
    desk.told.story = OperationStory(operation=an_operation(), attempts=())
    page = await desk.get("/console/spend?by=org")
    await desk.get("/console/operations")
    await desk.get("/console/operations/op_1")
    spends = [asked for asked in desk.told.asked if isinstance(asked, SpendAsked)]
    assert {(asked.org, asked.team, asked.by) for asked in spends} == {("acme", "support", "model")}
    assert ("budgets", "acme", "support") in desk.told.asked
    assert ("op_1", "acme", "support") in desk.told.asked
    assert RecentAsked(org="acme", team="support", limit=101) in desk.told.asked
    assert 'value="org"' not in page


async def test_an_empty_console_says_what_to_paste(desk: Desk) -> None:
    await desk.sign_in()
    for path in ("spend", "operations"):
        page = text_of(await desk.get(f"/console/{path}"))
        assert "No calls yet" in page and "curl http://127.0.0.1:4000/v1/chat/completions" in page
    assert "No budgets yet" in text_of(await desk.get("/console/spend"))


async def test_budgets_show_spent_held_limit_and_reset(desk: Desk) -> None:
    await desk.sign_in()
    month = BudgetSeen(
        name="month", scope="org:acme", window="2026-11", hard=True, limit=Nano(20_000_000_000),
        spent=Nano(12_000_000_001), held=Nano(300_000_000), resets_at=datetime(2026, 12, 1, tzinfo=UTC),
    )  # fmt: skip
    over = BudgetSeen(
        name="over", scope="key:acme/support/bot", window="total", hard=False, limit=Nano(1_000_000_000),
        spent=Nano(1_250_000_000), held=Nano(0), resets_at=None,
    )  # fmt: skip
    desk.told.budgets = [month, over]
    page = await desk.get("/console/spend")
    seen = text_of(page)
    assert "$12.000000001 spent + $0.30 held of $20.00" in seen
    assert "$7.699999999 left · resets in 10 days, 1 Dec 00:00 UTC" in seen
    assert "$1.25 spent of $1.00$0.25 over · never resets" in seen
    assert 'aria-label="60.0 % spent, 1.5 % held"' in page
    assert seen.index("overkey:acme") < seen.index("monthorg:acme")


async def test_the_operation_page_explains_the_call(desk: Desk) -> None:
    await desk.sign_in()
    facts = {"code": "", "agent": "triage", "run": "run_7", "usage_source": "provider", "error": HOSTILE}
    story = OperationStory(operation=an_operation(facts=facts, tags={"env": "prod"}), attempts=(an_attempt(),))
    desk.told.story = story
    page = await desk.get("/console/operations/op_1")
    seen = text_of(page)
    assert "Cost$0.038245001" in seen and "First token612 ms" in seen and "Our overhead1.25 ms" in seen
    assert "Input, uncached1,2001.250.0015" in seen and "Output81245.252460.03674500000012" in seen
    assert "Charged, after adjustments of the lines' 0.03824500000012 USD$0.038245001" in seen
    exact = an_attempt(cost=Nano(38_245_000))
    desk.told.story = OperationStory(operation=an_operation(), attempts=(exact,))
    assert "Rounded once, half to even$0.038245" in text_of(await desk.get("/console/operations/op_1"))
    assert seen.index("identity") < seen.index("hold") < seen.index("#1 openai")
    assert "first token after 600 ms" in page
    assert (
        "Agenttriage" in seen and "Runrun_7" in seen and "env=prod" in seen and HOSTILE in seen and HOSTILE not in page
    )


async def test_the_operation_page_tells_how_the_target_was_chosen(desk: Desk) -> None:
    await desk.sign_in()
    routing = RoutingSeen(
        strategy="budget_aware",
        candidates=(CandidateSeen(provider="up", model="cheap", why="within what is left", score=1),),
        left_out=(CandidateSeen(provider="local", model=HOSTILE, why="does not take tools"),),
    )
    desk.told.story = OperationStory(operation=an_operation(routing=routing, asked_cost=Nano(5)), attempts=())
    page = await desk.get("/console/operations/op_1")
    seen = text_of(page)
    assert "Routingbudget aware" in seen and "1up/cheapwithin what is left" in seen
    assert "does not take tools" in seen and HOSTILE not in page
    assert "as asked $0.000000005" in seen
    desk.told.story = OperationStory(operation=an_operation(), attempts=())
    assert 'id="routing"' not in await desk.get("/console/operations/op_1")


async def test_a_call_without_a_price_is_loud_and_a_refused_one_is_not(desk: Desk) -> None:
    await desk.sign_in()
    unpriced = an_operation(cost=None)
    desk.told.story = OperationStory(operation=unpriced, attempts=(an_attempt(cost=None, price_lines=()),))
    seen = text_of(await desk.get("/console/operations/op_1"))
    assert "Costunpriced" in seen and "missing from every sum" in seen
    refused = an_operation(cost=None, outcome="refused", status=402, facts={"code": "budget_exceeded"}, ttft_ms=None)
    desk.told.story = OperationStory(operation=refused, attempts=())
    seen = text_of(await desk.get("/console/operations/op_1"))
    assert "unpriced" not in seen and "budget_exceeded" in seen and "nothing left for a provider" in seen
    assert "First token–none was seen" in seen


async def test_the_console_answers_without_its_last_slash(desk: Desk) -> None:
    answer = await desk.browser.get("/console", follow_redirects=True)
    assert answer.status_code == 200 and answer.url.path == "/console/login"


async def test_an_operation_one_may_not_see_is_not_found(desk: Desk) -> None:
    await desk.sign_in(Person(org="acme"))
    answer = await desk.browser.get("/console/operations/op_9")
    assert answer.status_code == 404 and "no such operation" in answer.text


async def test_recent_operations_lead_to_their_pages_and_can_be_filtered(desk: Desk) -> None:
    await desk.sign_in()
    desk.told.operations = [an_operation(), an_operation(operation_id="op_2", outcome="refused", cost=None)]
    page = await desk.get("/console/operations?outcome=refused")
    assert 'href="/console/operations/op_1"' in page and 'href="/console/operations/op_2"' in page
    assert desk.told.asked[-1] == RecentAsked(org=None, team=None, limit=101, chosen={"outcome": "refused"})
    await desk.get("/console/operations?outcome=made-up")
    assert desk.told.asked[-1] == RecentAsked(org=None, team=None, limit=101)


async def test_operations_are_searched_by_all_that_the_form_offers(desk: Desk) -> None:
    await desk.sign_in()
    told = "&".join(f"{name}=x{name}" for name in ("org", "team", "key", "model", "provider", "agent", "run", "code"))
    page = await desk.get(
        f"/console/operations?{told}&end_user=u1&outcome=ok&id=op_01&least=0.01&most=%242,000.5"
        "&since=2026-11-17T09:30&until=2026-11-18T00:00&page=2026-11-17%2010:00:00.000/op_1"
    )
    asked = desk.told.asked[-1]
    assert isinstance(asked, RecentAsked)
    assert asked.chosen == {
        **{name: f"x{name}" for name in ("org", "team", "key", "model", "provider", "agent", "run", "code")},
        "user": "u1",
        "outcome": "ok",
    }
    assert asked.search == OperationSearch(
        start=datetime(2026, 11, 17, 9, 30, tzinfo=UTC),
        end=datetime(2026, 11, 18, tzinfo=UTC),
        prefix="op_01",
        least=Nano(10_000_000),
        most=Nano(2_000_500_000_000),
    )
    assert asked.before == "2026-11-17 10:00:00.000/op_1"
    assert 'value="xmodel"' in page and 'value="2026-11-17T09:30"' in page
    page = await desk.get("/console/operations?since=yesterday&least=cheap")
    assert "no moment such as" in page and "not an amount of dollars" in page
    assert desk.told.asked[-1] == RecentAsked(org=None, team=None, limit=101)


async def test_older_operations_are_a_page_further(desk: Desk) -> None:
    await desk.sign_in()
    desk.told.operations = [an_operation(operation_id=f"op_{number}") for number in range(101)]
    page = await desk.get("/console/operations?model=gpt-5")
    assert "op_99" in page and 'href="/console/operations/op_100"' not in page
    (link,) = re.findall(r'href="(/console/operations\?model=[^"]*)"', page)
    await desk.browser.get(unescape(link))
    asked = desk.told.asked[-1]
    assert isinstance(asked, RecentAsked)
    assert (asked.chosen, asked.before) == ({"model": "gpt-5"}, desk.told.operations[99].place)


async def test_a_store_that_does_not_answer_is_said_plainly(desk: Desk) -> None:
    await desk.sign_in()
    desk.told.down = True
    answer = await desk.browser.get("/console/spend")
    assert answer.status_code == 503 and "The telemetry store cannot answer: away." in answer.text


async def test_pages_have_landmarks_names_and_captions(desk: Desk) -> None:
    await desk.sign_in()
    desk.told.seen = a_day()
    page = await desk.get("/console/spend")
    for part in (
        '<html lang="en">',
        "<main id=",
        'class="skip"',
        '<nav aria-label="Console"',
        "<h1>",
        'role="img" aria-label=',
    ):
        assert part in page
    assert page.count("<table") == page.count("<caption") == 2
    assert page.count("<h1>") == 1
