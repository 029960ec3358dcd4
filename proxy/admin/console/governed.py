"""The pages about budgets, limits and runs: what they ask the admin API, and what their forms change there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxy.admin.console.budget_forms import until, with_limit
from proxy.admin.console.budget_page import BudgetFacts, budget_page
from proxy.admin.console.budgets_page import SHOWN, BudgetsFacts, budgets_page
from proxy.admin.console.gate import check_token, form_of, html, place_of, redirect, session_of
from proxy.admin.console.gauge import Gauge
from proxy.admin.console.governor import Governor, person_of
from proxy.admin.console.run_page import RunFacts, run_page
from proxy.admin.console.runs_page import MOST, STATES, runs_page
from proxy.admin.console.sessions import ConsoleSessions, Session
from proxy.admin.console.shell import Place
from proxy.admin.console.variants_page import DAYS, variants_page
from proxy.admin.faults import Fault, Refusal
from proxy.admin.inside import Person, Told
from proxy.admin.roles import Permission
from proxy.core.clock import Clock, utc

MOST_LISTED: Final = 500
LIVE_EVERY_S: Final = 10
PATIENCE_S: Final = 5.0
"""How long a page waits for what it can do without."""
_EACH: Final = "10"
_REFUSALS: Final = "10"
_CHANGES: Final = "20"
_AT_ONCE: Final = 64
"""How many budgets are read at once; the store is asked for their pasts together."""
_NOT_THERE: Final = frozenset({Fault.NOT_FOUND, Fault.PATH_NOT_FOUND})

_Deed: TypeAlias = Callable[[Person, Told, Mapping[str, str]], Awaitable[str]]


class GovernedDesk:
    """The pages; each asks for a session first, and the API decides what the person may see and change."""

    def __init__(self, api: Governor, sessions: ConsoleSessions, clock: Clock) -> None:
        self._api = api
        self._sessions = sessions
        self._clock = clock
        self._queue = asyncio.Semaphore(_AT_ONCE)

    def routes(self) -> list[Route]:
        """Where they are."""
        found = [
            Route("/budgets", self.budgets),
            Route("/variants", self.variants),
            Route("/runs", self.runs),
            Route("/runs/{run}", self.run),
            Route("/runs/{run}/kill", self.kill, methods=["POST"]),
        ]
        for kind in ("budgets", "limits"):
            found.append(Route(f"/{kind}/{{name}}", self.budget, name=kind))
            for deed in (self.raise_it, self.end_raise, self.change_limit):
                path = {"raise_it": "raise", "end_raise": "end-raise", "change_limit": "limit"}[deed.__name__]
                found.append(Route(f"/{kind}/{{name}}/{path}", deed, methods=["POST"], name=f"{kind}-{path}"))
        return found

    async def budgets(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "budgets")
        if session is None:
            return redirect(place.url("login"))
        person, search = person_of(session.identity), request.query_params.get("q", "").strip()
        budgets, limits = await asyncio.gather(
            self._all(person, "budgets", search), self._all(person, "limits", search)
        )
        found_budgets, found_limits = (_fullest(each, search) for each in (budgets, limits))
        facts = BudgetsFacts(
            budgets=await asyncio.gather(*(self._foretold(person, gauge) for gauge in found_budgets)),
            limits=found_limits,
            budgets_known=len(budgets),
            limits_known=len(limits),
            search=search,
            now=utc(self._clock.now_ns()),
            live=request.query_params.get("live") == "1",
        )
        response = html(budgets_page(place, facts))
        if facts.live:
            response.headers["refresh"] = str(LIVE_EVERY_S)
        return response

    async def budget(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "budgets")
        if session is None:
            return redirect(place.url("login"))
        return await self._shown(request, place, session, request.query_params.get("done", ""))

    async def raise_it(self, request: Request) -> Response:
        async def deed(person: Person, told: Told, form: Mapping[str, str]) -> str:
            gauge = Gauge(told.shape)
            at = until(form.get("until", ""), gauge, utc(self._clock.now_ns()))
            if at is None:
                raise Refusal(Fault.INVALID_REQUEST, "Choose how long the raise holds.")
            by = form.get("by", "").strip()
            body = {
                "until": at.isoformat(),
                "reason": form.get("reason", "").strip(),
                f"by_{gauge.word}": by if gauge.word == "usd" else _whole(by),
            }
            await self._api.ask(person, "POST", f"{_path(request)}/raises", body=body)
            return "raised"

        return await self._changed(request, deed)

    async def end_raise(self, request: Request) -> Response:
        async def deed(person: Person, told: Told, form: Mapping[str, str]) -> str:
            await self._api.ask(person, "DELETE", f"{_path(request)}/raises/{form.get('raise', '')}")
            return "ended"

        return await self._changed(request, deed)

    async def change_limit(self, request: Request) -> Response:
        async def deed(person: Person, told: Told, form: Mapping[str, str]) -> str:
            gauge, limit = Gauge(told.shape), form.get("limit", "").strip()
            body = with_limit(gauge, limit if gauge.word == "usd" else _whole(limit))
            await self._api.ask(person, "PUT", _path(request), body=body, tag=form.get("tag", ""))
            return "changed"

        return await self._changed(request, deed)

    async def variants(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "variants")
        if session is None:
            return redirect(place.url("login"))
        days = request.query_params.get("days", "")
        days = days if days in DAYS else DAYS[0]
        start = utc(self._clock.now_ns()) - timedelta(days=int(days))
        query = {"start_time": start.isoformat(timespec="seconds")}
        told = await self._api.ask(person_of(session.identity), "GET", "/variants", query=query)
        return html(variants_page(place, told.shape.data, days))

    async def runs(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "runs")
        if session is None:
            return redirect(place.url("login"))
        state, search = (request.query_params.get(name, "").strip() for name in ("state", "name"))
        state = state if state in STATES else ""
        query = {"limit": str(MOST)} | {name: text for name, text in (("state", state), ("name", search)) if text}
        told = await self._api.ask(person_of(session.identity), "GET", "/runs", query=query)
        return html(runs_page(place, told.shape.data, state, search))

    async def run(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "runs")
        if session is None:
            return redirect(place.url("login"))
        return await self._run_shown(request, place, session, done=request.query_params.get("done", ""))

    async def kill(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "runs")
        if session is None:
            return redirect(place.url("login"))
        form = await form_of(request)
        check_token(form, session)
        path, body = f"/runs/{request.path_params['run']}", {"reason": form.get("reason", "").strip()}
        try:
            await self._api.ask(person_of(session.identity), "POST", f"{path}/kill", body=body)
        except Refusal as refused:
            return await self._run_shown(request, place, session, wrong=refused.message)
        return redirect(place.url(path.removeprefix("/"), done="killed"))

    async def _run_shown(
        self, request: Request, place: Place, session: Session, *, done: str = "", wrong: str = ""
    ) -> Response:
        person = person_of(session.identity)
        told = await self._api.ask(person, "GET", f"/runs/{request.path_params['run']}")
        may_kill = self._api.may(person, Permission.STOP_RUNS)
        facts = RunFacts(explained=told.shape, may_kill=may_kill, done=done, wrong=wrong)
        return html(run_page(place, facts), 422 if wrong else 200)

    async def _changed(self, request: Request, deed: _Deed) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "budgets")
        if session is None:
            return redirect(place.url("login"))
        form = await form_of(request)
        check_token(form, session)
        person = person_of(session.identity)
        told = await self._api.ask(person, "GET", _path(request))
        try:
            done = await deed(person, told, form)
        except Refusal as refused:
            return await self._shown(request, place, session, wrong=refused.message)
        return redirect(place.url(_path(request).removeprefix("/"), done=done))

    async def _shown(
        self, request: Request, place: Place, session: Session, done: str = "", wrong: str = ""
    ) -> Response:
        person, path = person_of(session.identity), _path(request)
        scope = request.query_params.get("scope", "")
        narrowed = {"scope": scope} if scope else {}
        told = await self._api.ask(person, "GET", path, query=narrowed)
        gauge = Gauge(told.shape)
        word = "budget" if not gauge.is_limit else "limit"
        course, each, refusals, history = await asyncio.gather(
            self._maybe(person, f"{path}/course", **narrowed),
            self._maybe(person, f"{path}/each", limit=_EACH),
            self._maybe(person, "/operations", refused_by=gauge.name, limit=_REFUSALS),
            self._maybe(person, f"/{word}s/{gauge.name}/history", limit=_CHANGES),
        )
        facts = BudgetFacts(
            gauge=gauge,
            tag=told.tag or "",
            course=course,
            each=[Gauge(one) for one in each.data] if each is not None else [],
            refusals=None if refusals is None else refusals.data,
            history=None if history is None else history.data,
            may_change=self._api.may(person, Permission.CHANGE_BUDGETS),
            now=utc(self._clock.now_ns()),
            done=done,
            wrong=wrong,
        )
        return html(budget_page(place, facts), 422 if wrong else 200)

    async def _all(self, person: Person, kind: str, search: str) -> list[Gauge]:
        """The first of them by name; beyond those, the one whose name is searched for."""
        told = await self._api.ask(person, "GET", f"/{kind}", query={"limit": str(MOST_LISTED)})
        found = [Gauge(shape) for shape in told.shape.data]
        if told.shape.has_more and search and all(gauge.name != search for gauge in found):
            named = await self._maybe(person, f"/{kind}/{search}")
            found += [] if named is None else [Gauge(named)]
        return found

    async def _foretold(self, person: Person, gauge: Gauge) -> Gauge:
        """The same read once more by itself, with its forecast; as it was if it has gone meanwhile."""
        async with self._queue:
            told = await self._maybe(person, f"/budgets/{gauge.name}")
        return gauge if told is None else Gauge(told)

    async def _maybe(self, person: Person, path: str, **query: str) -> Any:
        """An answer that the page can do without: the store may be away, the role may not be told."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return (await self._api.ask(person, "GET", path, query=query)).shape
        except TimeoutError:
            return None
        except Refusal as refused:
            if refused.fault is Fault.INVALID_REQUEST:
                raise
            return None


def as_page_error(refused: Refusal) -> HTTPException:
    """What the API refuses, as the console says it."""
    if refused.fault in _NOT_THERE:
        return HTTPException(404, "There is no such thing here, or not one you may see.")
    return HTTPException(refused.fault.status, refused.message)


def _path(request: Request) -> str:
    """The API's path of what a page is about."""
    kind = "limits" if request.url.path.removeprefix(request.scope.get("root_path", "")).startswith("/limits/") else ""
    return f"/{kind or 'budgets'}/{request.path_params['name']}"


def _fullest(gauges: list[Gauge], search: str) -> list[Gauge]:
    words = search.lower()
    found = [one for one in gauges if words in one.name.lower() or words in str(one.shape.scope).lower()]
    return sorted(found, key=lambda one: (-one.used_permille, one.name))[:SHOWN]


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refusal(Fault.INVALID_REQUEST, f"{text or 'Nothing'} is not a whole number.")
    return int(text)
