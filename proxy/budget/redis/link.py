"""The one connection that a ledger talks to Redis over: many steps at a time, answered in order, within a deadline."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection, BlockingConnectionPool, Connection, UnixDomainSocketConnection
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.maint_notifications import MaintNotificationsConfig

from proxy.budget.redis.steps import Step

_ROUNDS: Final = 4
_STOOD_STILL_S: Final = 0.005
_GRACE_S: Final = 0.02
_ELSEWHERE: Final = (ReadOnlyError, ClusterDownError)
"""Errors of a server that is, for now or for good, not the one to ask (MASTERDOWN is a kind of the second)."""


class LinkBroken(Exception):
    """No answer: whether the steps were carried out is not known."""


class Link:
    """A connection that is made when it is needed, follows MOVED, and is thrown away when an answer is late.

    Used by one task at a time. All keys of a ledger lie in one slot, so whatever node one step is sent to, all are.
    """

    def __init__(self, url: str, *, deadline_s: float) -> None:
        """`url` is redis://, rediss:// or unix://; its query may carry what redis-py's connections take."""
        self._deadline_s = deadline_s
        self._home = _pool(url, deadline_s)
        self._pool = self._home
        self._connection: AbstractConnection | None = None
        self.redirected = 0

    async def exchange(self, steps: Sequence[Step[Any]]) -> list[Any]:
        """Replies in the order of the steps; a server's error is a reply too.

        Raises:
            LinkBroken: there was no answer within the deadline, connecting included.
        """
        try:
            async with _within(self._deadline_s):
                return await self._in_rounds(steps)
        except TimeoutError:
            await self._drop()
            raise LinkBroken(f"Redis did not answer within {round(self._deadline_s * 1000)} ms") from None
        except (RedisError, OSError) as error:
            await self._drop()
            raise LinkBroken(f"Redis failed: {error}") from error

    async def close(self) -> None:
        """Let go of the connection, and see it closed if that goes at once."""
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(self._deadline_s):
                    await connection.disconnect()
        await self._drop()
        # A connection dropped just before is closed by the loop's next turn.
        await asyncio.sleep(0)

    async def _in_rounds(self, steps: Sequence[Step[Any]]) -> list[Any]:
        """Send; then again what the server had no script for, or does another node's business."""
        replies: list[Any] = [None] * len(steps)
        left, unknown = list(range(len(steps))), set[int]()
        for _ in range(_ROUNDS):
            got = await self._round([steps[at].packed(in_full=at in unknown) for at in left])
            asked, left, moved = left, [], None
            for at, reply in zip(asked, got, strict=True):
                replies[at] = reply
                if isinstance(reply, NoScriptError):
                    unknown.add(at)
                    left.append(at)
                elif isinstance(reply, MovedError):
                    moved = reply
                    left.append(at)
            if moved is not None:
                await self._follow(moved)
            if not left:
                break
        if any(isinstance(reply, _ELSEWHERE) for reply in replies):
            await self._drop()
        return replies

    async def _round(self, commands: list[bytes]) -> list[Any]:
        """Send and read; once more if a connection of before turns out to be closed: every step may be repeated."""
        used_before = self._connection is not None
        try:
            return await self._round_trip(commands)
        except (ConnectionError, OSError):
            await self._drop()
            if not used_before:
                raise
        return await self._round_trip(commands)

    async def _round_trip(self, commands: list[bytes]) -> list[Any]:
        connection = self._connection
        if connection is None:
            connection = self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        await connection.send_packed_command(b"".join(commands), check_health=False)
        return [await _reply(connection) for _ in commands]

    async def _follow(self, moved: MovedError) -> None:
        """Go to the node that has the ledger's slot; after a failure one starts from the configured one again."""
        await self._drop()
        self.redirected += 1
        options = dict(self._home.connection_kwargs)
        options.pop("path", None)
        kind = self._home.connection_class
        self._pool = BlockingConnectionPool(
            max_connections=1,
            timeout=self._deadline_s,
            connection_class=Connection if kind is UnixDomainSocketConnection else kind,
            **{**options, "host": moved.host, "port": moved.port},
        )

    async def _drop(self) -> None:
        pool, connection = self._pool, self._connection
        self._pool, self._connection = self._home, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            await pool.release(connection)


async def _reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error


def _pool(url: str, deadline_s: float) -> BlockingConnectionPool:
    # A pool that waits: the default one raises as soon as its connections are all in use.
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=1,
        timeout=deadline_s,
        socket_connect_timeout=deadline_s,
        # The deadline is one for the whole exchange, kept by _within.
        socket_timeout=None,
        # As few questions as possible before the first step.
        protocol=2,
        driver_info=None,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    try:
        # Made and not connected: what the URL asks for shows now, not at the first call.
        pool.make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, RedisError) as error:
        raise ValueError(f"ledger.url cannot be used: {error}") from None
    return pool


@contextlib.asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """TimeoutError after that time; a little later if it was this process that stood still: the answer may be here."""
    loop = asyncio.get_running_loop()
    due = loop.time() + seconds
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as limit:

        def end() -> None:
            limit.reschedule(loop.time())

        def expire() -> None:
            nonlocal timer
            if loop.time() - due > _STOOD_STILL_S:
                timer = loop.call_later(_GRACE_S, end)
            else:
                end()

        timer = loop.call_at(due, expire)
        try:
            yield
        finally:
            timer.cancel()
