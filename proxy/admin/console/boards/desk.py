"""The pages of boards: who may see them, and what they ask the store."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxy.admin.console.boards.asked import BoardAsked, read_asked
from proxy.admin.console.boards.page import BoardFacts, board_page, boards_page
from proxy.admin.console.boards.shipped import Board, Choice, Panel, boards
from proxy.admin.console.first_call import FirstCall
from proxy.admin.console.gate import html, place_of, redirect, session_of
from proxy.admin.console.governor import Governor, person_of
from proxy.admin.console.sessions import ConsoleIdentity, ConsoleSessions, Session
from proxy.admin.roles import Permission
from proxy.core.clock import Clock, utc
from proxy.core.refusal import Refused
from proxy.telemetry import PanelQuery, PanelRows

_AT_ONCE: Final = 4
_PATIENCE_S: Final = 60
_MOST_OPTIONS: Final = 200


class PanelReader(Protocol):
    """Who knows what panels show: telemetry's Reader. Raises core's Refused."""

    async def panel(self, asked: PanelQuery) -> PanelRows:
        """What a panel shows."""
        ...


class BoardsDesk:
    """The pages; who is bound to an org or team sees its rows only, which the reader sees to."""

    def __init__(
        self, reader: PanelReader, api: Governor, sessions: ConsoleSessions, clock: Clock, first_call: FirstCall
    ) -> None:
        self._reader = reader
        self._api = api
        self._sessions = sessions
        self._clock = clock
        self._first_call = first_call

    def routes(self) -> list[Route]:
        """Where they are."""
        return [Route("/boards", self.all), Route("/boards/{name}", self.one)]

    async def all(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "boards")
        if session is None:
            return redirect(place.url("login"))
        self._check(session)
        return html(boards_page(place, list(boards().values())))

    async def one(self, request: Request) -> Response:
        session = session_of(request, self._sessions)
        place = place_of(request, session, "boards")
        if session is None:
            return redirect(place.url("login"))
        self._check(session)
        board = boards().get(request.path_params["name"])
        if board is None:
            raise HTTPException(404, "There is no such board.")
        asked = read_asked(board, request.query_params, utc(self._clock.now_ns()))
        return html(board_page(place, await self._facts(session.identity, board, asked), self._first_call))

    def _check(self, session: Session) -> None:
        if not self._api.may(person_of(session.identity), Permission.READ_SPEND):
            raise HTTPException(403, "Boards show spend, which your role does not include.")

    async def _facts(self, who: ConsoleIdentity, board: Board, asked: BoardAsked) -> BoardFacts:
        free = asyncio.Semaphore(_AT_ONCE)
        panels = [panel for section in board.sections for panel in section.panels]
        choices = [choice for choice in board.choices if choice.default is None and choice.sql]

        async def answer(sql: str, interval_s: int) -> PanelRows | str:
            async with free:
                return await self._asked(who, asked, sql, interval_s)

        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(answer(each.sql, asked.interval_s(each.shortest_s))) for each in panels]
            options = [group.create_task(answer(each.sql, 60)) for each in choices]
        return BoardFacts(
            board=board,
            asked=asked,
            answers=_by_number(panels, [task.result() for task in answers]),
            options=_by_name(choices, [task.result() for task in options]),
        )

    async def _asked(self, who: ConsoleIdentity, asked: BoardAsked, sql: str, interval_s: int) -> PanelRows | str:
        query = PanelQuery(
            sql=sql,
            start=asked.start,
            end=asked.end,
            interval_s=interval_s,
            chosen=asked.chosen,
            org=who.org,
            team=who.team,
        )
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._reader.panel(query)
        except Refused as refused:
            return f"{refused.message[:1].upper()}{refused.message[1:]}."
        except TimeoutError:
            return "This panel took too long; choose a shorter time."


def _by_number(panels: Sequence[Panel], answers: Sequence[PanelRows | str]) -> dict[int, PanelRows | str]:
    return {panel.number: answer for panel, answer in zip(panels, answers, strict=True)}


def _by_name(choices: Sequence[Choice], answers: Sequence[PanelRows | str]) -> dict[str, Sequence[str]]:
    return {
        choice.name: [str(row[-1]) for row in answer.rows[:_MOST_OPTIONS]]
        for choice, answer in zip(choices, answers, strict=True)
        if not isinstance(answer, str)
    }
