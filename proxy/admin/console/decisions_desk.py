"""The pages about policy's decisions: what they ask the admin API."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxy.admin.console.decision_page import decision_page
from proxy.admin.console.decisions_page import ANSWERS, MOST, POINTS, TEXTS, decisions_page
from proxy.admin.console.gate import html, place_of, redirect, session_of
from proxy.admin.console.governor import Governor, person_of
from proxy.admin.console.sessions import ConsoleIdentity, ConsoleSessions
from proxy.admin.faults import Refusal
from proxy.admin.shapes.decisions import Decision

_MOST_BESIDE: Final = "200"


class DecisionsDesk:
    """The pages; each asks for a session first, and the API decides what the person may see."""

    def __init__(self, api: Governor, sessions: ConsoleSessions) -> None:
        self._api = api
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Where they are."""
        return [Route("/decisions", self.decisions), Route("/decisions/{decision}", self.decision)]

    async def decisions(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "decisions")
        if session is None:
            return redirect(place.url("login"))
        asked = _asked(request)
        query = {"limit": str(MOST)} | {name: text for name, text in asked.items() if name != "answer"}
        if "answer" in asked:
            query |= ANSWERS[asked["answer"]][1]
        if page := request.query_params.get("page", ""):
            query["page"] = page
        told = await self._api.ask(person_of(session.identity), "GET", "/decisions", query=query)
        return html(decisions_page(place, told.shape.data, asked, told.shape.next_page or ""))

    async def decision(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "decisions")
        if session is None:
            return redirect(place.url("login"))
        path = f"/decisions/{request.path_params['decision']}"
        told = await self._api.ask(person_of(session.identity), "GET", path)
        one = told.shape.decision
        beside = await self.of_operation(session.identity, one.operation_id)
        return html(decision_page(place, told.shape, [each for each in beside if each.point == one.point]))

    async def of_operation(self, identity: ConsoleIdentity, operation_id: str) -> Sequence[Decision]:
        """What was decided on an operation, in that order; nothing where that cannot be had now."""
        query = {"operation": operation_id, "limit": _MOST_BESIDE}
        try:
            told = await self._api.ask(person_of(identity), "GET", "/decisions", query=query)
        except Refusal:
            return ()
        found: Sequence[Decision] = told.shape.data
        return sorted(found, key=lambda each: (each.decided_at, each.id))


def _asked(request: Request) -> dict[str, str]:
    """The filters that were chosen; what is none is left out."""
    given = request.query_params
    texts = {name: given.get(name, "").strip() for name in TEXTS}
    asked = {name: text for name, text in texts.items() if text}
    if given.get("point", "") in POINTS:
        asked["point"] = given["point"]
    if given.get("answer", "") in ANSWERS:
        asked["answer"] = given["answer"]
    return asked
