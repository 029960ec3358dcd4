"""Sessions of clients: a connection of its own for those that need one, bounded in number and in idle time.

`clickhouse-connect` names a session with every request, and hardly ever needs it: only what changes a session (`SET`, a
temporary table) opens one here; before that any connection answers.
"""

import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from proxy.telemetry.embedded.session import EngineError, Session
from proxy.telemetry.embedded.statement import Statement

MOST: Final = 32


@dataclass(slots=True)
class _Held:
    session: Session
    until: float = 0.0
    busy: bool = False


class HeldSessions:
    """The open sessions by their id, the longest unused first; for threads."""

    def __init__(self, open_session: Callable[[], Session], *, most: int = MOST) -> None:
        self._open_session = open_session
        self._most = most
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, statement: Statement) -> Iterator[Session | None]:
        """The session that this statement runs in; None: any connection will do. A nameless one ends with it.

        Raises:
            EngineError: the session is in use, is asked for and not there, or there are too many.
        """
        if not statement.session:
            if not statement.makes_temporary:
                yield None
                return
            with contextlib.closing(self._open_session()) as own:
                yield own
            return
        held = self._taken(statement)
        try:
            yield None if held is None else held.session
        finally:
            if held is not None:
                held.until = time.monotonic() + statement.session_timeout_s
                held.busy = False

    def close(self) -> None:
        """End them all."""
        with self._lock:
            while self._held:
                self._held.popitem()[1].session.close()

    def _taken(self, statement: Statement) -> _Held | None:
        with self._lock:
            self._end_idle()
            held = self._held.get(statement.session)
            if held is None:
                if statement.session_check:
                    raise EngineError("Code: 372. DB::Exception: Session not found. (SESSION_NOT_FOUND)", 372)
                if not (statement.only_for_sessions or statement.makes_temporary):
                    return None
                held = self._opened(statement.session)
            if held.busy:
                raise EngineError("Code: 373. DB::Exception: Session is locked. (SESSION_IS_LOCKED)", 373)
            self._held.move_to_end(statement.session)
            held.busy = True
            return held

    def _opened(self, name: str) -> _Held:
        if len(self._held) >= self._most:
            idle = next((each for each, held in self._held.items() if not held.busy), None)
            if idle is None:
                raise EngineError(f"Code: 373. DB::Exception: all {self._most} sessions are in use", 373)
            self._held.pop(idle).session.close()
        held = self._held[name] = _Held(self._open_session())
        return held

    def _end_idle(self) -> None:
        now = time.monotonic()
        for name in [name for name, held in self._held.items() if not held.busy and held.until < now]:
            self._held.pop(name).session.close()
