"""Posts alerts: checked addresses only, no redirects, a bounded answer."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import aiohttp

from proxy.budget import Answered, NotPosted, Post, Receiver
from proxy.upstream import GuardedResolver

_MOST_READ: Final = 200


class AlertPost:
    """Posts over connections that are closed after each answer; made cheap, opened by the first alert."""

    def __init__(self, look_up: Callable[[str, int], Awaitable[list[str]]] | None = None) -> None:
        """`look_up` gives the addresses of a name; by default the operating system's."""
        self._look_up = look_up
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __call__(
        self, receiver: Receiver, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float
    ) -> Answered:
        """See Post."""
        try:
            async with self._session(allow_private=receiver.allow_private).post(
                receiver.url.reveal(),
                data=body,
                headers=dict(headers),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as answer:
                said = await answer.content.read(_MOST_READ)
                return Answered(answer.status, _printable(said), _seconds(answer.headers.get("retry-after", "")))
        except TimeoutError:
            raise NotPosted(f"no answer within {timeout_s:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise NotPosted(f"cannot be reached: {error.os_error.strerror or type(error.os_error).__name__}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Never its text: a URL that is itself a secret could stand in it.
            raise NotPosted(f"cannot be asked: {type(error).__name__}") from None

    async def close(self) -> None:
        """Let go of what is open."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    def _session(self, *, allow_private: bool) -> aiohttp.ClientSession:
        if allow_private not in self._sessions:
            resolver = GuardedResolver(allow_private=allow_private, look_up=self._look_up)
            self._sessions[allow_private] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._sessions[allow_private]


def _printable(said: bytes) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in said.decode("utf-8", "replace")).strip()


def _seconds(text: str) -> float | None:
    """A retry-after in seconds; as a date it is not heeded."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


_: type[Post] = AlertPost
