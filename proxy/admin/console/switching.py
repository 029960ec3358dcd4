"""The page of kill switches: what it asks the admin API, and what its forms change there."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxy.admin.console.gate import check_token, form_of, html, place_of, redirect, session_of
from proxy.admin.console.governor import Governor, person_of
from proxy.admin.console.sessions import ConsoleSessions, Session
from proxy.admin.console.shell import Place
from proxy.admin.console.switches_page import SPANS, SURE, SwitchesFacts, switches_page
from proxy.admin.faults import Fault, Refusal
from proxy.admin.inside import Person
from proxy.admin.roles import Permission
from proxy.admin.shapes.switches import KillSwitch
from proxy.core.clock import Clock, utc

_PART: Final = "switches"
_SHOWN: Final = {"on": "200", "ended": "50"}


class SwitchesDesk:
    """The page and its forms; each asks for a session first, and the API decides what the person may see and change."""

    def __init__(self, api: Governor, sessions: ConsoleSessions, clock: Clock) -> None:
        self._api = api
        self._sessions = sessions
        self._clock = clock

    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/switches", self.switches),
            Route("/switches", self.turn_off, methods=["POST"]),
            Route("/switches/{switch}/lift", self.lift, methods=["POST"]),
        ]

    async def switches(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, _PART)
        if session is None:
            return redirect(place.url("login"))
        return await self._shown(place, session, done=request.query_params.get("done", ""))

    async def turn_off(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, _PART)
        if session is None:
            return redirect(place.url("login"))
        form = await form_of(request)
        check_token(form, session)
        try:
            made = await self._api.ask(person_of(session.identity), "POST", "/kill-switches", body=self._body(form))
        except Refusal as refused:
            return await self._shown(place, session, wrong=refused.message, given=form)
        return redirect(place.url(_PART, done=made.shape.id))

    async def lift(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, _PART)
        if session is None:
            return redirect(place.url("login"))
        check_token(await form_of(request), session)
        path = f"/kill-switches/{request.path_params['switch']}/lift"
        try:
            lifted = await self._api.ask(person_of(session.identity), "POST", path)
        except Refusal as refused:
            return await self._shown(place, session, wrong=refused.message)
        return redirect(place.url(_PART, done=lifted.shape.id))

    def _body(self, form: Mapping[str, str]) -> dict[str, str]:
        if form.get("sure") != SURE:
            raise Refusal(Fault.INVALID_REQUEST, "Tick that its calls are to be refused and its streams to end.")
        kind, name = form.get("kind", ""), form.get("name", "").strip()
        body = {"target": f"{kind}:{name}" if name else kind, "reason": form.get("reason", "").strip()}
        if form.get("span", "") in SPANS:
            body["expires_at"] = (utc(self._clock.now_ns()) + SPANS[form["span"]][1]).isoformat()
        return body

    async def _done(self, person: Person, switch: str) -> KillSwitch | None:
        """What was set or lifted just now; None where an address only says so."""
        if not switch:
            return None
        try:
            found: KillSwitch = (await self._api.ask(person, "GET", f"/kill-switches/{switch}")).shape
        except Refusal:
            return None
        return found

    async def _shown(
        self,
        place: Place,
        session: Session,
        *,
        done: str = "",
        wrong: str = "",
        given: Mapping[str, str] | None = None,
    ) -> Response:
        person = person_of(session.identity)
        on, ended = [
            (await self._api.ask(person, "GET", "/kill-switches", query={"state": state, "limit": limit})).shape
            for state, limit in _SHOWN.items()
        ]
        facts = SwitchesFacts(
            on=on.data,
            ended=ended.data,
            has_more=on.has_more,
            may_set=self._api.may(person, Permission.SET_SWITCHES),
            may_lift=self._api.may(person, Permission.LIFT_SWITCHES),
            done=await self._done(person, done),
            wrong=wrong,
            given=dict(given or {}),
        )
        return html(switches_page(place, facts), 422 if wrong else 200)
