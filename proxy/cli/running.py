"""Talking to a running Flyball from a verb: its addresses, and the admin API as the bootstrap owner.

Only the state folder is needed for that, so the secrets that the configuration names need not be in our environment.
"""

import os
import sys
from pathlib import Path
from typing import Any

import httpx

from proxy.app.configuration import environment
from proxy.config import home_of
from proxy.processes.folder import StateFolder

TIMEOUT_S = 10.0


class NotRunning(Exception):
    """No Flyball runs over this state folder."""


class ApiRefused(SystemExit):
    """The admin API said no: `said` are its words, `passes` tells that it may say yes a little later."""

    def __init__(self, said: str, answer: httpx.Response) -> None:
        super().__init__(f"flyball: {said} ({answer.status_code})")
        self.said = said
        self.passes = "retry-after" in answer.headers


class AdminClient:
    """The admin API of the Flyball that runs over a state folder."""

    def __init__(self, home: Path) -> None:
        self.folder = StateFolder(home)
        endpoints = self.folder.endpoints()
        if "admin" not in endpoints or not _lives(endpoints.get("pid")):
            raise NotRunning(f"nothing serves from {home}; start it with: flyball serve")
        self.endpoints = endpoints
        try:
            token = (home / "admin-token").read_text().strip()
        except OSError as error:
            raise NotRunning(f"the admin token cannot be read: {error}") from None
        # Straight there: a proxy that the environment names for the web must not see the token.
        self._client = httpx.Client(
            base_url=endpoints["admin"],
            headers={"authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    def acting(self, token: str) -> "AdminClient":
        """The same, from now on as the person with that admin token."""
        self._client.headers["authorization"] = f"Bearer {token}"
        return self

    def ask(
        self, method: str, path: str, body: Any = None, *, tag: str | None = None, timeout_s: float = TIMEOUT_S
    ) -> Any:
        """One call; the parsed answer, or SystemExit with the API's own words. `tag`: an ETag that must still hold."""
        answer = self._sent(method, path, body, {} if tag is None else {"if-match": tag}, timeout_s)
        return self._read(answer)

    def fetched(self, path: str, *, timeout_s: float = TIMEOUT_S) -> bytes:
        """What stands at a path, as it was sent; SystemExit with the API's own words where it is refused."""
        answer = self._sent("GET", path, None, {}, timeout_s)
        if not answer.is_success:
            self._read(answer)
        return answer.content

    def found(self, path: str) -> tuple[Any, str | None]:
        """What stands at a path, with its ETag; None where there is nothing, and SystemExit for any other refusal."""
        answer = self._sent("GET", path, None, {})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None, None
        return self._read(answer), answer.headers.get("etag")

    def _sent(
        self, method: str, path: str, body: Any, headers: dict[str, str], timeout_s: float = TIMEOUT_S
    ) -> httpx.Response:
        try:
            return self._client.request(method, path, json=body, headers=headers, timeout=timeout_s)
        except httpx.HTTPError as error:
            raise SystemExit(
                f"flyball: the admin API at {self.endpoints['admin']} cannot be reached: {error}"
            ) from None

    def _read(self, answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.json() if answer.content else None
        try:
            message = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = answer.text[:200]
        raise ApiRefused(message, answer)


def _lives(pid: object) -> bool:
    """Whether the supervisor that wrote the addresses lives: else its ports, and our token, may be somebody else's."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as another user
    return True


def connect(config: Path | None) -> AdminClient | None:
    """A client of the Flyball that belongs to a configuration file, or None after it was said that none runs."""
    try:
        return AdminClient(home_of(config, environment()))
    except NotRunning as error:
        print(f"flyball: {error}", file=sys.stderr)
        return None
