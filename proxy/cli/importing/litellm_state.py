"""LiteLLM's orgs, teams and keys, which stand in its database: fetched from the running proxy, or read from a file.

Endpoints, as of Nov 2026 (LiteLLM's management API): `GET /organization/list`, `/team/list` and, in pages,
`/key/list?return_full_object=true&include_team_keys=true`. A key's `token` is the SHA-256 of its secret.
"""

from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import msgspec

_PAGE: Final = 100
_MOST_PAGES: Final = 10_000
_TIMEOUT_S: Final = 30.0
_UNKNOWN: Final = frozenset({403, 404, 500, 501})
"""What a proxy without that feature, or without a license for it, answers."""


Shape = TypeVar("Shape")


class NoState(Exception):
    """It could not be had; the message says why."""


class Record(msgspec.Struct, kw_only=True):
    """What orgs, teams and keys have in common; numbers are as LiteLLM writes them."""

    max_budget: float | None = None
    budget_duration: str | None = None
    spend: float = 0.0
    models: list[str] | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None
    max_parallel_requests: int | None = None
    blocked: bool | None = None
    metadata: dict[str, Any] | None = None


class Budget(msgspec.Struct):
    """An org's limits, which stand in a table of their own."""

    max_budget: float | None = None
    budget_duration: str | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None


class Org(Record, kw_only=True):
    """One organization."""

    organization_id: str
    organization_alias: str | None = None
    litellm_budget_table: Budget | None = None


class Team(Record, kw_only=True):
    """One team."""

    team_id: str
    team_alias: str | None = None
    organization_id: str | None = None


class Key(Record, kw_only=True):
    """One virtual key. `token` is the SHA-256 of the secret, in hex."""

    token: str
    key_alias: str | None = None
    key_name: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    organization_id: str | None = None
    expires: str | None = None
    model_max_budget: dict[str, Any] | None = None


class State(msgspec.Struct):
    """All of them."""

    organizations: list[Org] = []
    teams: list[Team] = []
    keys: list[Key] = []


def read_state(path: Path) -> State:
    """The state in a file: `{"organizations": […], "teams": […], "keys": […]}`, each as the API lists it.

    Raises:
        NoState: it cannot be read, or is something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=State, strict=False)
    except OSError as error:
        raise NoState(f"{path} cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NoState(f"{path} is no list of organizations, teams and keys: {error}") from None


def fetch_state(url: str, master_key: str) -> State:
    """The state of a running LiteLLM proxy, asked with its master key.

    Raises:
        NoState: it does not answer, or not with what it should.
    """
    headers = {"authorization": f"Bearer {master_key}"}
    try:
        with httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=_TIMEOUT_S) as client:
            return State(
                organizations=_listed(client, "/organization/list", list[Org], optional=True),
                teams=_listed(client, "/team/list", list[Team]),
                keys=_keys(client),
            )
    except httpx.HTTPError as error:
        raise NoState(f"{url} does not answer: {type(error).__name__}") from None


class _Page(msgspec.Struct):
    keys: list[Key] = []
    total_pages: int = 1


def _keys(client: httpx.Client) -> list[Key]:
    found: list[Key] = []
    for number in range(1, _MOST_PAGES):
        path = f"/key/list?return_full_object=true&include_team_keys=true&page={number}&size={_PAGE}"
        page = _decoded(path, client.get(path), _Page)
        found += page.keys
        if number >= page.total_pages:
            break
    return found


def _listed(client: httpx.Client, path: str, shape: type[Shape], *, optional: bool = False) -> Shape:
    response = client.get(path)
    if optional and response.status_code in _UNKNOWN:
        return shape()
    return _decoded(path, response, shape)


def _decoded(path: str, response: httpx.Response, shape: type[Shape]) -> Shape:
    path = path.partition("?")[0]
    if response.status_code != httpx.codes.OK:
        raise NoState(f"{path} answers {response.status_code}; is the master key right?")
    try:
        return msgspec.json.decode(response.content, type=shape, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NoState(f"{path} answers with something else: {error}") from None
