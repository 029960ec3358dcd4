"""The HTTP surface: as much of ClickHouse's as clickhouse-connect and plain HTTP clients need."""

import asyncio
import base64
import binascii
import hmac
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from proxy.core.secret import Secret
from proxy.telemetry.embedded.coding import Travel
from proxy.telemetry.embedded.engine import Engine, Lane
from proxy.telemetry.embedded.session import Answer, EngineError
from proxy.telemetry.embedded.statement import BadRequest, Statement, read_statement

_T = TypeVar("_T")
_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
_Headers: TypeAlias = dict[str, str]

MAX_BODY: Final = 64 * 1024 * 1024
"""The largest request, as sent and inflated, in bytes."""
_INTO_THREAD: Final = 64 * 1024
_FORM: Final = re.compile(rb"\w+=")
_PLAIN: Final = {"Content-Type": "text/plain; charset=UTF-8"}
_STATUS: Final[Mapping[int, int]] = {
    36: 400, 40: 400, 46: 404, 47: 404, 48: 501, 60: 404, 62: 400, 73: 400, 81: 404, 89: 400, 115: 404, 164: 403,
    271: 400, 307: 413, 372: 404, 373: 400, 374: 400, 497: 403, 516: 403,
}  # fmt: skip


class Surface:
    """One ASGI application; `users` maps a name to its password, only `reader` is bound to reading."""

    def __init__(self, engine: Engine, users: Mapping[str, Secret], *, reader: str, database: str) -> None:
        self._engine = engine
        self._users = users
        self._reader = reader
        self._database = database

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Answer one request; `/ping` and an empty GET need no password."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            status, headers, content = await self._answer(request)
        except (BadRequest, EngineError) as refused:
            status, headers, content = _refusal(str(refused), refused.code)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    *((name.lower().encode(), value.encode()) for name, value in headers.items()),
                    (b"content-length", str(len(content)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, request: Request) -> tuple[int, _Headers, bytes]:
        if request.url.path in ("/ping", "/replicas_status"):
            return 200, dict(_PLAIN), b"Ok.\n"
        if request.url.path != "/":
            return 404, dict(_PLAIN), b"There is no such handle; queries go to /\n"
        values = dict(parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=1000))
        if request.method == "GET" and "query" not in values:
            return 200, dict(_PLAIN), b"Ok.\n"
        user = self._user(request, values)
        travel = Travel.read(values, request.headers)
        body = await self._body(request, values, travel)
        statement = read_statement(values, body, database=self._database)
        return await self._run(user, statement, travel, values.get("query_id") or str(uuid.uuid4()))

    async def _run(self, user: str, statement: Statement, travel: Travel, query_id: str) -> tuple[int, _Headers, bytes]:
        started = time.perf_counter_ns()
        answer = await self._lane(user, statement).run(statement)
        headers = _headers(answer, query_id, time.perf_counter_ns() - started)
        content, coding = await _off_loop(len(answer.content), partial(travel.answer, answer.content, answer.format))
        return 200, headers | ({"Content-Encoding": coding} if coding else {}), content

    def _lane(self, user: str, statement: Statement) -> Lane:
        return self._engine.reading if user == self._reader or statement.read_only else self._engine.full

    def _user(self, request: Request, values: Mapping[str, str]) -> str:
        """The user behind the request's credentials, in ClickHouse's order: headers, basic, query string."""
        name, password = _credentials(request, values)
        expected = self._users.get(name)
        given = password.encode(errors="replace")
        if expected is None or not hmac.compare_digest(expected.reveal().encode(), given):
            raise EngineError(
                f"Code: 516. DB::Exception: {name[:80]}: Authentication failed: password is incorrect, or there is no "
                "user with such name. (AUTHENTICATION_FAILED)",
                516,
            )
        return name

    async def _body(self, request: Request, values: dict[str, str], travel: Travel) -> bytes:
        kind = request.headers.get("content-type", "")
        if int(request.headers.get("content-length") or 0) > MAX_BODY:
            raise BadRequest(f"the body is larger than {MAX_BODY} bytes", 307)
        if kind.startswith("multipart/form-data"):
            values.update(await _form(request))
            return b""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise BadRequest(f"the body is larger than {MAX_BODY} bytes", 307)
        # `curl --data "SELECT 1"` says that a bare statement is a form: no statement begins as one does.
        if kind.startswith("application/x-www-form-urlencoded") and _FORM.match(body):
            values.update(parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=1000))
            return b""
        size = len(body) if travel.changes_body else 0
        return await _off_loop(size, partial(travel.body, bytes(body), bound=MAX_BODY))


async def _off_loop(size: int, work: Callable[[], _T]) -> _T:
    """Run coding work in a thread when it would be felt on the loop."""
    return work() if size < _INTO_THREAD else await asyncio.get_running_loop().run_in_executor(None, work)


async def _form(request: Request) -> dict[str, str]:
    values: dict[str, str] = {}
    try:
        async with request.form(max_fields=1000, max_part_size=16 * 1024 * 1024) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    raise BadRequest("external data is not supported here", 48)
                values[name] = value
    except HTTPException as broken:
        raise BadRequest(f"the form cannot be read: {broken.detail}") from None
    return values


def _credentials(request: Request, values: Mapping[str, str]) -> tuple[str, str]:
    headers = request.headers
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    scheme, _, code = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(code, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise BadRequest("the basic authorization cannot be read", 516) from None
        return name, password
    return values.get("user", "default"), values.get("password", "")


def _headers(answer: Answer, query_id: str, elapsed_ns: int) -> _Headers:
    summary = {
        "read_rows": str(answer.read_rows),
        "read_bytes": str(answer.read_bytes),
        "written_rows": str(answer.written_rows),
        "written_bytes": str(answer.written_bytes),
        "elapsed_ns": str(elapsed_ns),
    }
    headers = {
        "Content-Type": "text/plain; charset=UTF-8" if answer.format is None else "application/octet-stream",
        "X-ClickHouse-Summary": json.dumps(summary),
        "X-ClickHouse-Query-Id": "".join(sign for sign in query_id[:128] if sign.isalnum() or sign in "-_."),
        "X-ClickHouse-Server-Display-Name": "flyball",
        "X-ClickHouse-Timezone": "UTC",
    }
    return headers | ({"X-ClickHouse-Format": answer.format} if answer.format else {})


def _refusal(message: str, code: int) -> tuple[int, _Headers, bytes]:
    text = message if message.startswith("Code: ") else f"Code: {code}. DB::Exception: {message}"
    return _STATUS.get(code, 500), {**_PLAIN, "X-ClickHouse-Exception-Code": str(code)}, f"{text}\n".encode()
