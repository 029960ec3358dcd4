"""The pages of statements: what they ask the admin API, and the files they give."""

import re
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxy.admin.console.gate import HEADERS, html, place_of, redirect, session_of
from proxy.admin.console.governor import Governor, person_of
from proxy.admin.console.sessions import ConsoleSessions
from proxy.admin.console.statements_page import StatementsFacts, statement_page, statements_page
from proxy.admin.desks.statements import as_csv
from proxy.admin.shapes.statements import StatementOut
from proxy.billing import Statement

_PART: Final = "statements"
_MONTH: Final = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
_FILES: Final = {"csv": "text/csv", "json": "application/json"}


class StatementsDesk:
    """The pages; each asks for a session first, and the API decides what the person may see."""

    def __init__(self, api: Governor, sessions: ConsoleSessions) -> None:
        self._api = api
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Where they are."""
        return [Route("/statements", self.statements), Route("/statements/{org}/{number:int}", self.statement)]

    async def statements(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, _PART)
        if session is None:
            return redirect(place.url("login"))
        period = request.query_params.get("period", "")
        period = period if _MONTH.fullmatch(period) else ""
        asked = {"period": period, "page": request.query_params.get("page", "")}
        query = {name: text for name, text in asked.items() if text}
        told = (await self._api.ask(person_of(session.identity), "GET", "/statements", query=query)).shape
        facts = StatementsFacts(statements=told.data, period=period, next_page=told.next_page or "")
        return html(statements_page(place, facts))

    async def statement(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, _PART)
        if session is None:
            return redirect(place.url("login"))
        org, number = request.path_params["org"], request.path_params["number"]
        told = await self._api.ask(person_of(session.identity), "GET", f"/statements/{org}/{number}")
        one: StatementOut = told.shape
        kind = request.query_params.get("format", "")
        if not kind:
            return html(statement_page(place, one))
        if kind not in _FILES:
            raise HTTPException(404, "A statement comes as csv or json.")
        content = (
            as_csv(msgspec.convert(msgspec.to_builtins(one), Statement)) if kind == "csv" else msgspec.json.encode(one)
        )
        named = f'attachment; filename="statement-{one.org}-{one.number}.{kind}"'
        return Response(content, media_type=_FILES[kind], headers={**HEADERS, "content-disposition": named})
