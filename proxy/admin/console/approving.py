"""The pages of approvals: what they ask the admin API, and what their buttons decide there."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxy.admin.console.approval_page import ApprovalFacts, approval_page
from proxy.admin.console.approvals_page import MOST, approvals_page
from proxy.admin.console.gate import check_token, form_of, html, place_of, redirect, session_of
from proxy.admin.console.governor import Governor, person_of
from proxy.admin.console.sessions import ConsoleSessions, Session
from proxy.admin.console.shell import Place
from proxy.admin.faults import Refusal
from proxy.admin.roles import Permission
from proxy.core.clock import Clock, utc

_PART: Final = "approvals"


class ApprovalsDesk:
    """The pages; each asks for a session first, and the API decides what the person may see and decide."""

    def __init__(self, api: Governor, sessions: ConsoleSessions, clock: Clock) -> None:
        self._api = api
        self._sessions = sessions
        self._clock = clock

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/approvals", self.approvals),
            Route("/approvals/{approval}", self.approval),
            Route("/approvals/{approval}/approve", self.approve, methods=["POST"]),
            Route("/approvals/{approval}/deny", self.deny, methods=["POST"]),
        ]

    async def approvals(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, _PART)
        if session is None:
            return redirect(place.url("login"))
        person, limit = person_of(session.identity), str(MOST)
        waiting = await self._api.ask(person, "GET", "/approvals", query={"state": "pending", "limit": limit})
        latest = await self._api.ask(person, "GET", "/approvals", query={"limit": limit})
        others = [one for one in latest.shape.data if one.state != "pending"]
        return html(approvals_page(place, waiting.shape.data, others, utc(self._clock.now_ns())))

    async def approval(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, _PART)
        if session is None:
            return redirect(place.url("login"))
        return await self._shown(request, place, session, done=request.query_params.get("done", ""))

    async def approve(self, request: Request) -> Response:
        return await self._decided(request, "approve")

    async def deny(self, request: Request) -> Response:
        return await self._decided(request, "deny")

    async def _decided(self, request: Request, verdict: str) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, _PART)
        if session is None:
            return redirect(place.url("login"))
        form = await form_of(request)
        check_token(form, session)
        name, note = request.path_params["approval"], form.get("note", "").strip()
        person = person_of(session.identity)
        try:
            await self._api.ask(person, "POST", f"/approvals/{name}/{verdict}", body={"note": note})
        except Refusal as refused:
            return await self._shown(request, place, session, wrong=refused.message, note=note)
        return redirect(place.url(f"approvals/{name}", done="1"))

    async def _shown(
        self, request: Request, place: Place, session: Session, *, done: str = "", wrong: str = "", note: str = ""
    ) -> Response:
        person = person_of(session.identity)
        told = await self._api.ask(person, "GET", f"/approvals/{request.path_params['approval']}")
        facts = ApprovalFacts(
            explained=told.shape,
            now=utc(self._clock.now_ns()),
            may_see_calls=self._api.may(person, Permission.DECIDE_APPROVALS),
            done=done,
            wrong=wrong,
            note=note,
        )
        return html(approval_page(place, facts), 422 if wrong else 200)
