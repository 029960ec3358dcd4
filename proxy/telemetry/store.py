"""Where ClickHouse is and how we speak to it: always over HTTP, embedded or not."""

import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import aiohttp
import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError, Error

from proxy.core.refusal import Refusal, Refused
from proxy.core.secret import Secret
from proxy.telemetry.settings import TelemetrySettings

WRITER_PASSWORD: Final = "clickhouse-password"
READER_PASSWORD: Final = "grafana-password"


class TelemetryUnavailable(Refused):
    """ClickHouse cannot be reached or cannot answer now; nothing is lost, rows wait in the spool."""

    def __init__(self, why: str) -> None:
        super().__init__(
            Refusal.DEPENDENCY_UNAVAILABLE,
            f"the telemetry store cannot answer: {why}",
            facts={"dependency": "telemetry"},
            retry_after_s=5,
        )


class StoreRefused(Exception):
    """ClickHouse answered, and said no; `code` is its error number, 0 when it gave none."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreAddress:
    """One ClickHouse over HTTP: where, as whom, and which database is ours."""

    host: str
    port: int
    user: str
    password: Secret
    database: str
    secure: bool = False

    @property
    def url(self) -> str:
        """The address without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"


def store_address(settings: TelemetrySettings, folder: Path, embedded_url: str | None = None) -> StoreAddress:
    """Where to ask: `settings.url`, else the embedded one at `embedded_url` with the password of the state folder.

    Raises:
        ValueError: the URL is none, or no URL is known.
    """
    url = settings.url or embedded_url
    if url is None:
        raise ValueError("the embedded ClickHouse is not running and telemetry.url is not set")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"telemetry.url must look like http://user@host:8123/flyball, not {url!r}")
    secure = parts.scheme == "https"
    password = settings.password or Secret(unquote(parts.password or ""))
    if settings.url is None:
        password = own_password(folder / WRITER_PASSWORD)
    return StoreAddress(
        host=parts.hostname,
        port=parts.port or (8443 if secure else 8123),
        user=unquote(parts.username or "flyball"),
        password=password,
        database=parts.path.strip("/") or settings.database,
        secure=secure,
    )


def own_password(path: Path) -> Secret:
    """The password kept in this file (0600), made at the first use."""
    with contextlib.suppress(FileExistsError):
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
    return Secret(path.read_text().strip())


@contextlib.contextmanager
def as_store_failures() -> Iterator[None]:
    """The only place the client's exceptions are known by name.

    Raises:
        StoreRefused: ClickHouse answered with an error.
        TelemetryUnavailable: it could not be reached, or not in time.
    """
    try:
        yield
    except DatabaseError as refused:
        if refused.code is None:
            raise TelemetryUnavailable(_short(refused)) from None
        raise StoreRefused(_short(refused), refused.code) from None
    except (Error, aiohttp.ClientError, OSError, TimeoutError) as away:
        raise TelemetryUnavailable(_short(away)) from None


@contextlib.asynccontextmanager
async def connected(
    address: StoreAddress, *, timeout_s: int, database: str | None = None
) -> AsyncIterator[AsyncClient]:
    """A client for the length of the block; its failures come out as ours.

    Raises:
        TelemetryUnavailable: nobody answers there.
        StoreRefused: the user or the database is refused.
    """
    client = await open_client(address, timeout_s=timeout_s, database=database)
    try:
        yield client
    finally:
        await client.close()


async def open_client(address: StoreAddress, *, timeout_s: int, database: str | None = None) -> AsyncClient:
    """A client of its own; without sessions, so that its requests may run side by side."""
    with as_store_failures():
        return await clickhouse_connect.get_async_client(
            interface="https" if address.secure else "http",
            host=address.host,
            port=address.port,
            username=address.user,
            password=address.password.reveal(),
            database=address.database if database is None else database,
            autogenerate_session_id=False,
            connect_timeout=5,
            send_receive_timeout=timeout_s,
            query_retries=0,
            client_name="flyball",
        )


def _short(error: BaseException) -> str:
    """The first line of an error without the address it was sent to."""
    text = str(error).partition(" (for url")[0].partition("\n")[0]
    return text[:500] or type(error).__name__
