"""The console as one small ASGI app: which address shows which page, and to whom."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeAlias

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from proxy.admin.console.approving import ApprovalsDesk
from proxy.admin.console.assets import ASSETS
from proxy.admin.console.boards.desk import BoardsDesk, PanelReader
from proxy.admin.console.decisions_desk import DecisionsDesk
from proxy.admin.console.first_call import FirstCall
from proxy.admin.console.gate import (
    COOKIE,
    HEADERS,
    check_token,
    form_of,
    html,
    place_of,
    redirect,
    session_of,
    with_cookie,
    without_cookie,
)
from proxy.admin.console.governed import GovernedDesk, as_page_error
from proxy.admin.console.governor import Governor, person_of
from proxy.admin.console.login_page import login_page, opened_page, spent_link_page
from proxy.admin.console.markup import el
from proxy.admin.console.operation_page import operation_page
from proxy.admin.console.operation_search import read_search
from proxy.admin.console.ranking import MOST_COLOURS, MOST_ROWS
from proxy.admin.console.readings import (
    DIMENSIONS,
    ORG,
    BudgetReader,
    RecentAsked,
    SpendAsked,
    SpendReader,
)
from proxy.admin.console.recent_page import MOST, recent_page
from proxy.admin.console.sessions import ConsoleIdentity, ConsoleSessions, Session
from proxy.admin.console.shell import message
from proxy.admin.console.span import span_named, window
from proxy.admin.console.spend_page import SpendFacts, spend_page
from proxy.admin.console.statements_desk import StatementsDesk
from proxy.admin.console.switching import SwitchesDesk
from proxy.admin.faults import Refusal
from proxy.admin.roles import Permission
from proxy.core.clock import Clock, utc
from proxy.core.refusal import Refused

LIVE_EVERY_S: Final = 10

Authenticate: TypeAlias = Callable[[str], Awaitable[ConsoleIdentity | None]]
"""Who a pasted admin token belongs to; None when nobody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsoleRooms:
    """What the console stands on, plugged in by the composition root."""

    sessions: ConsoleSessions
    authenticate: Authenticate
    spend: SpendReader
    budgets: BudgetReader
    api: Governor
    clock: Clock
    panels: PanelReader
    first_call: FirstCall = field(default_factory=FirstCall)


def build_console(rooms: ConsoleRooms) -> ASGIApp:
    """The console, to be mounted under any path; it finds out which from `root_path`."""
    governed = GovernedDesk(rooms.api, rooms.sessions, rooms.clock)
    decided = DecisionsDesk(rooms.api, rooms.sessions)
    desk = _Desk(rooms, decided)
    return Starlette(
        routes=[
            Route("/", desk.index),
            Route("/open", desk.open_link),
            Route("/login", desk.login_form),
            Route("/login", desk.log_in, methods=["POST"]),
            Route("/logout", desk.log_out, methods=["POST"]),
            Route("/spend", desk.spend),
            Route("/operations", desk.recent),
            Route("/operations/{operation_id}", desk.operation),
            *governed.routes(),
            *decided.routes(),
            *BoardsDesk(rooms.panels, rooms.api, rooms.sessions, rooms.clock, rooms.first_call).routes(),
            *ApprovalsDesk(rooms.api, rooms.sessions, rooms.clock).routes(),
            *StatementsDesk(rooms.api, rooms.sessions).routes(),
            *SwitchesDesk(rooms.api, rooms.sessions, rooms.clock).routes(),
            Route("/static/{digest}/{name}", _asset),
        ],
        exception_handlers={HTTPException: _say_http, Refused: _say_refused, Refusal: _say_refusal},
    )


class _Desk:
    """The pages; each asks for a session first, and asks the readers for nothing the session may not see."""

    def __init__(self, rooms: ConsoleRooms, decided: DecisionsDesk) -> None:
        self._rooms = rooms
        self._decided = decided
        self._sessions = rooms.sessions

    async def index(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        return redirect(place_of(request, session).url(self._first_page(session.identity) if session else "login"))

    async def open_link(self, request: Request) -> Response:
        place = place_of(request, None)
        if "prefetch" in request.headers.get("sec-purpose", ""):
            return html(login_page(place), 403)
        opened = self._sessions.redeem(request.query_params.get("code", ""))
        if opened is None:
            return html(spent_link_page(place), 403)
        return with_cookie(html(opened_page(place)), request, opened)

    async def login_form(self, request: Request) -> Response:
        return html(login_page(place_of(request, None)))

    async def log_in(self, request: Request) -> Response:
        form = await form_of(request)
        identity = await self._rooms.authenticate(form.get("token", "").strip())
        place = place_of(request, None)
        if identity is None:
            return html(login_page(place, "That token is unknown, expired or revoked."), 401)
        first = place.url(self._first_page(identity))
        return with_cookie(redirect(first), request, self._sessions.open(identity))

    async def log_out(self, request: Request) -> Response:
        form = await form_of(request)
        session = session_of(request, self._sessions)
        if session is not None:
            check_token(form, session)
            self._sessions.close(request.cookies.get(COOKIE, ""))
        return without_cookie(redirect(place_of(request, None).url("login")), request)

    async def spend(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "spend")
        if session is None:
            return redirect(place.url("login"))
        if not self._may_read_spend(session.identity):
            raise HTTPException(403, "This page shows spend, which your role does not include.")
        live = request.query_params.get("live") == "1"
        response = html(spend_page(place, await self._spend_facts(request, session, live), self._rooms.first_call))
        if live:
            response.headers["refresh"] = str(LIVE_EVERY_S)
        return response

    def _first_page(self, identity: ConsoleIdentity) -> str:
        return "spend" if self._may_read_spend(identity) else "operations"

    def _may_read_spend(self, identity: ConsoleIdentity) -> bool:
        return self._rooms.api.may(person_of(identity), Permission.READ_SPEND)

    async def _spend_facts(self, request: Request, session: Session, live: bool) -> SpendFacts:
        who = session.identity
        now = utc(self._rooms.clock.now_ns())
        dimensions = DIMENSIONS if who.org else (*DIMENSIONS, ORG)
        by = request.query_params.get("by", "")
        by = by if by in dimensions else dimensions[0]
        asked = SpendAsked(
            window=window(span_named(request.query_params.get("range")), now),
            by=by,
            org=who.org,
            team=who.team,
            series=MOST_COLOURS,
            rows=MOST_ROWS,
        )
        seen, budgets = await asyncio.gather(
            self._rooms.spend.spend(asked), self._rooms.budgets.live(who.org, who.team)
        )
        return SpendFacts(
            window=asked.window, by=by, dimensions=dimensions, seen=seen, budgets=budgets, now=now, live=live
        )

    async def recent(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "operations")
        if session is None:
            return redirect(place.url("login"))
        searched = read_search(request.query_params)
        who = session.identity
        found = await self._rooms.spend.recent(
            RecentAsked(
                org=who.org,
                team=who.team,
                limit=MOST + 1,
                chosen=searched.chosen,
                search=searched.search,
                before=request.query_params.get("page") or None,
            )
        )
        more = found[MOST - 1].place if len(found) > MOST else ""
        return html(recent_page(place, found[:MOST], searched, more, self._rooms.first_call))

    async def operation(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "operations")
        if session is None:
            return redirect(place.url("login"))
        who = session.identity
        story = await self._rooms.spend.operation(request.path_params["operation_id"], who.org, who.team)
        if story is None:
            raise HTTPException(
                404, "There is no such operation, or not one you may see. A new one takes a few seconds."
            )
        return html(operation_page(place, story, await self._decided.of_operation(who, story.operation.operation_id)))


async def _asset(request: Request) -> Response:
    asset = ASSETS.get(request.path_params["name"])
    if asset is None or asset.digest != request.path_params["digest"]:
        raise HTTPException(404, "There is no such file.")
    headers = {**HEADERS, "cache-control": "public, max-age=31536000, immutable"}
    return Response(asset.content, media_type=asset.media_type, headers=headers)


async def _say_http(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, HTTPException)
    words = failure.detail if failure.status_code != 404 or failure.detail != "Not Found" else "There is no such page."
    return _say(request, failure.status_code, HTTPStatus(failure.status_code).phrase, words)


async def _say_refusal(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, Refusal)
    return await _say_http(request, as_page_error(failure))


async def _say_refused(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, Refused)
    words = f"{failure.message[:1].upper()}{failure.message[1:]}. Calls go on; try again in a few seconds."
    return _say(request, failure.why.status, "The numbers are not at hand", words)


def _say(request: Request, status: int, title: str, words: str) -> Response:
    place = place_of(request, None)
    back = el("p", el("a", "Go to the console", href=place.url("")))
    return html(message(place, title, el("p", words), back), status)
