"""What every request to the console passes: the session's cookie in, the security headers out, forms checked."""

from typing import Final
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from proxy.admin.console.sessions import SESSION_LIFE_S, ConsoleSessions, OpenedSession, Session, same_token
from proxy.admin.console.shell import Place

COOKIE: Final = "flyball_console"
MOST_FORM_BYTES: Final = 4096
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def place_of(request: Request, session: Session | None, part: str = "") -> Place:
    """Where links of this answer start."""
    return Place(request.scope.get("root_path", ""), session, part)


def session_of(request: Request, sessions: ConsoleSessions) -> Session | None:
    """The session that the cookie opens, if any."""
    return sessions.find(request.cookies.get(COOKIE, ""))


def html(text: str, status: int = 200) -> HTMLResponse:
    """A page, never kept by caches: it shows one person's data."""
    return HTMLResponse(text, status, headers={**HEADERS, "cache-control": "no-store"})


def redirect(to: str) -> RedirectResponse:
    """On to another page, with GET."""
    return RedirectResponse(to, 303, headers={**HEADERS, "cache-control": "no-store"})


def with_cookie(response: Response, request: Request, opened: OpenedSession) -> Response:
    """Hand the session to the browser: out of reach of scripts and of other sites."""
    response.set_cookie(
        COOKIE,
        opened.cookie.reveal(),
        max_age=SESSION_LIFE_S,
        path=_cookie_path(request),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


def without_cookie(response: Response, request: Request) -> Response:
    """Take the session from the browser."""
    response.delete_cookie(COOKIE, path=_cookie_path(request), httponly=True, samesite="strict")
    return response


async def form_of(request: Request) -> dict[str, str]:
    """The text fields of a form that was sent from our own pages.

    Raises:
        HTTPException: 403 from another site, 413 too large.
    """
    if not _from_here(request):
        raise HTTPException(403, "This form was sent from another site.")
    told = request.headers.get("content-length", "")
    if not told.isdigit() or int(told) > MOST_FORM_BYTES:
        raise HTTPException(413, "This form is too large.")
    form = await request.form(max_files=0, max_fields=8)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def check_token(form: dict[str, str], session: Session) -> None:
    """Refuse a form that does not carry its session's token.

    Raises:
        HTTPException: 403.
    """
    if not same_token(form.get("form_token", ""), session.form_token):
        raise HTTPException(403, "This form is stale. Reload the page and try again.")


def _from_here(request: Request) -> bool:
    origin = request.headers.get("origin")
    if origin is not None and origin != "null":
        return urlsplit(origin).netloc == request.headers.get("host", "")
    return request.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}


def _cookie_path(request: Request) -> str:
    return request.scope.get("root_path", "") or "/"
