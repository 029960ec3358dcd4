"""No call is held by a ledger whose counters are not yet what the rows say."""

import asyncio
import contextlib
from typing import Any, Final, NoReturn, cast

from proxy.budget import Ledger, LedgerUnavailable, RebuildableBook
from proxy.journey.rooms import Rooms

WHY: Final = "it is new, and is made anew from the rows of calls before it takes any"


class NotYet:
    """A ledger that holds nothing; what must be ended or asked is done by the real one."""

    def __init__(self, real: Ledger) -> None:
        self.real = real

    async def hold(self, *_: object) -> NoReturn:
        """Refused."""
        raise LedgerUnavailable(WHY)

    async def renew(self, worker: str, until_ns: int) -> NoReturn:
        """Done, and refused: who asks finds out that the ledger is not to be had."""
        await self.real.renew(worker, until_ns)
        raise LedgerUnavailable(WHY)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


class Gate:
    """Puts itself between calls and a ledger that was never rebuilt, or that has forgotten everything."""

    def __init__(self, rooms: Rooms, book: RebuildableBook, *, may_forget: bool) -> None:
        """`may_forget`: whether it is looked at again once it is open; a file does not lose its content in between."""
        self._rooms = rooms
        self._book = book
        self._may_forget = may_forget
        self._shut = cast(Ledger, NotYet(rooms.ledger))
        self._open = rooms.ledger
        rooms.ledger = self._shut
        rooms.ledger_away = True

    @property
    def is_shut(self) -> bool:
        """Whether calls are refused."""
        return self._rooms.ledger is self._shut

    async def look(self) -> None:
        """Open or shut, as the mark says; while it cannot be asked, as it was."""
        if not self.is_shut and not self._may_forget:
            return
        with contextlib.suppress(LedgerUnavailable):
            self._rooms.ledger = self._open if await asyncio.to_thread(self._book.is_rebuilt) else self._shut
            self._rooms.ledger_away = self._rooms.ledger_away or self.is_shut
