"""Who is looking at the console: one-time links, cookies and form tokens, all in memory, none kept as text."""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Generic, Protocol, TypeVar

from proxy.core.clock import Clock
from proxy.core.secret import Secret

LINK_LIFE_S: Final = 60
SESSION_LIFE_S: Final = 8 * 3600
MOST_LINKS: Final = 256
MOST_SESSIONS: Final = 1024
_NS: Final = 1_000_000_000
_TOKEN_BYTES: Final = 32

V = TypeVar("V")


class ConsoleIdentity(Protocol):
    """A named person with a role; one bound to an org (and team) sees nothing of the others."""

    @property
    def name(self) -> str:
        """Who it is."""
        ...

    @property
    def role(self) -> str:
        """What the person may do."""
        ...

    @property
    def org(self) -> str | None:
        """The one org the person may see; None is all."""
        ...

    @property
    def team(self) -> str | None:
        """The one team of that org the person may see; None is all."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser; `form_token` must come back with every POST."""

    identity: ConsoleIdentity
    form_token: str


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session just begun, with the cookie value that only the browser keeps."""

    cookie: Secret
    session: Session


class ConsoleSessions:
    """One-time links and signed-in browsers of one admin process; a restart signs everybody out."""

    def __init__(self, clock: Clock) -> None:
        self._links: _Shelf[ConsoleIdentity] = _Shelf(clock, most=MOST_LINKS)
        self._sessions: _Shelf[Session] = _Shelf(clock, most=MOST_SESSIONS)

    def make_link(self, identity: ConsoleIdentity, life_s: int = LINK_LIFE_S) -> Secret:
        """A code that opens one session for this person, once, within `life_s` seconds."""
        return self._links.put(identity, life_s)

    def link_path(self, identity: ConsoleIdentity) -> str:
        """The path under which the console opens once for this person, mounted at `/console`."""
        return f"/console/open?code={self.make_link(identity).reveal()}"

    def redeem(self, code: str) -> OpenedSession | None:
        """Trade a one-time code for a session; None when it is unknown, used or too old."""
        identity = self._links.take(code)
        return None if identity is None else self.open(identity)

    def open(self, identity: ConsoleIdentity) -> OpenedSession:
        """Begin a session for a person who has proven who they are."""
        session = Session(identity, secrets.token_urlsafe(_TOKEN_BYTES))
        return OpenedSession(self._sessions.put(session, SESSION_LIFE_S), session)

    def find(self, cookie: str) -> Session | None:
        """The session behind a cookie value; None when there is none any more."""
        return self._sessions.get(cookie)

    def close(self, cookie: str) -> None:
        """Sign out; a second time does nothing."""
        self._sessions.take(cookie)

    def close_all_of(self, name: str) -> None:
        """Sign a person out everywhere and void their links: what revoking their token must do."""
        self._sessions.drop_where(lambda session: session.identity.name == name)
        self._links.drop_where(lambda identity: identity.name == name)


def same_token(given: str, wanted: str) -> bool:
    """Compare two form tokens without telling by the time it takes how much of them agrees."""
    return hmac.compare_digest(given.encode(), wanted.encode())


class _Shelf(Generic[V]):
    """Values under random names that are kept as hashes only, each for a time, the oldest leaving when it is full."""

    def __init__(self, clock: Clock, *, most: int) -> None:
        self._clock = clock
        self._most = most
        self._kept: OrderedDict[bytes, tuple[int, V]] = OrderedDict()

    def put(self, value: V, life_s: int) -> Secret:
        while len(self._kept) >= self._most:
            self._kept.popitem(last=False)
        text = secrets.token_urlsafe(_TOKEN_BYTES)
        self._kept[_hashed(text)] = (self._clock.monotonic_ns() + life_s * _NS, value)
        return Secret(text)

    def get(self, text: str) -> V | None:
        until, value = self._kept.get(_hashed(text), (0, None))
        if value is None or self._clock.monotonic_ns() >= until:
            self._kept.pop(_hashed(text), None)
            return None
        return value

    def take(self, text: str) -> V | None:
        value = self.get(text)
        self._kept.pop(_hashed(text), None)
        return value

    def drop_where(self, gone: Callable[[V], bool]) -> None:
        for name in [name for name, (_, value) in self._kept.items() if gone(value)]:
            del self._kept[name]


def _hashed(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
