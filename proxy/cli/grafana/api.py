"""Grafana's HTTP API, and what its refusals mean for who ran the command."""

from typing import Any, Final

import httpx

_TIMEOUT_S: Final = 30.0
OLDEST: Final = (11, 6)
_LIMIT: Final = 1000


class GrafanaRefused(Exception):
    """Grafana did not do what was asked; the message says what to do about it."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Grafana:
    """One Grafana, spoken to as a service account."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        self._client = httpx.Client(headers=headers, timeout=_TIMEOUT_S)

    def __enter__(self) -> "Grafana":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def version(self) -> str:
        """What runs there.

        Raises:
            GrafanaRefused: it is no Grafana, or too old a one.
        """
        answer = self._sent("GET", "/api/health", None, {})
        try:
            told = answer.json()
            version, _ = str(told["version"]), told["database"]
        except (ValueError, KeyError, TypeError):
            hint = _moved(answer)
            raise GrafanaRefused(f"{self.url} is no Grafana: /api/health answered {answer.status_code}{hint}") from None
        numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdigit())
        if numbers < OLDEST:
            raise GrafanaRefused(f"Grafana {version} is too old for the boards: they need 11.6 or newer")
        return version

    def found(self, path: str, doing: str) -> Any:
        """What stands at a path; None where nothing does."""
        answer = self._sent("GET", path, None, {})
        return None if answer.status_code == httpx.codes.NOT_FOUND else self._read(answer, doing)

    def folders(self) -> list[dict[str, Any]]:
        """Every folder the service account sees."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            more = self.found(f"/api/folders?limit={_LIMIT}&page={page}", "list folders") or []
            found += more
            if len(more) < _LIMIT:
                return found
            page += 1

    def send(self, method: str, path: str, body: Any, doing: str, headers: dict[str, str] | None = None) -> Any:
        """Change something.

        Raises:
            GrafanaRefused: as Grafana answers.
        """
        return self._read(self._sent(method, path, body, headers or {}), doing)

    def _sent(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        try:
            return self._client.request(method, self.url + path, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise GrafanaRefused(f"{self.url} cannot be reached: {error}") from None

    def _read(self, answer: httpx.Response, doing: str) -> Any:
        if not answer.is_success:
            raise GrafanaRefused(_meaning(answer, doing), answer.status_code)
        try:
            return answer.json()
        except ValueError:
            raise GrafanaRefused(f"to {doing}: the answer is no JSON; is {self.url} a Grafana?") from None


def _meaning(answer: httpx.Response, doing: str) -> str:
    """A refusal in words of what to do."""
    status, told = answer.status_code, _told(answer)
    meanings = {
        401: "the token is not taken: it is wrong, has expired, or is of another Grafana",
        403: "the token may not do that: its service account needs the role Editor, and Admin for data sources",
        409: "something else of that name or uid is there, or it is kept by other means",
        412: "it was changed in Grafana meanwhile, or another one has its title: run the command again",
    }
    meaning = meanings.get(status) or _moved(answer).removeprefix(", ") or "that is not what this command expects"
    return f"to {doing}: {meaning} ({status}{': ' + told if told else ''})"


def _told(answer: httpx.Response) -> str:
    """Grafana's own words."""
    try:
        message = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(message)[:300]


def _moved(answer: httpx.Response) -> str:
    where = answer.headers.get("location", "")
    return f", a redirect to {where}: give the address that it leads to" if answer.is_redirect else ""
