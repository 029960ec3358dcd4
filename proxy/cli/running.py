"""Talking to a running Flyball from a verb: its addresses, and the admin API as the bootstrap owner.

Only the state folder is needed for that, so the secrets that the configuration names need not be in our environment.
"""

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


class AdminClient:
    """The admin API of the Flyball that runs over a state folder."""

    def __init__(self, home: Path) -> None:
        self.folder = StateFolder(home)
        endpoints = self.folder.endpoints()
        if "admin" not in endpoints:
            raise NotRunning(f"nothing serves from {home}; start it with: flyball serve")
        self.endpoints = endpoints
        token = (home / "admin-token").read_text().strip()
        self._client = httpx.Client(
            base_url=endpoints["admin"], headers={"authorization": f"Bearer {token}"}, timeout=TIMEOUT_S
        )

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One call; the parsed answer, or SystemExit with the API's own words."""
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise SystemExit(
                f"flyball: the admin API at {self.endpoints['admin']} cannot be reached: {error}"
            ) from None
        if answer.is_success:
            return answer.json() if answer.content else None
        try:
            message = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = answer.text[:200]
        raise SystemExit(f"flyball: {message} ({answer.status_code})")


def connect(config: Path | None) -> AdminClient | None:
    """A client of the Flyball that belongs to a configuration file, or None after it was said that none runs."""
    try:
        return AdminClient(home_of(config, environment()))
    except NotRunning as error:
        print(f"flyball: {error}", file=sys.stderr)
        return None
