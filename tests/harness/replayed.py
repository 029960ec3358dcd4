"""Recorded exchanges as they come out of a running Flyball: what the client got, what the provider saw, the row."""

import asyncio
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from proxy.wire.endpoint import Endpoint
from tests.harness.flyball import Flyball
from tests.harness.recordings import Recording
from tests.harness.replaying import KEY, Asked, ReplayingUpstream, Told

CLIENT_KEY: Final = "recorded-client-key-0123456789"
PROVIDER_KEY: Final = "recorded-provider-key-0123456789"
_AT_ONCE: Final = 12


@dataclass(frozen=True, kw_only=True)
class Case:
    """One call to make: `sent` is the client's body, `body` what the provider answers, in `pieces`.

    `headers` are the answer's; the provider's name is the case's `target`, under which a route leads to it.
    """

    name: str
    target: str
    recording: Recording
    sent: bytes
    headers: Mapping[str, str]
    pieces: tuple[bytes, ...]
    chunked: bool = True

    @property
    def body(self) -> bytes:
        """The answer as the provider sends it."""
        return b"".join(self.pieces)


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What became of a case. `asked` is the request the provider saw."""

    case: Case
    status: int
    headers: httpx.Headers
    body: bytes
    asked: Asked
    row: Mapping[str, Any]
    attempt: Mapping[str, Any]


@dataclass
class Replays:
    """All cases' outcomes, by the case's name, and what the ledger says of the sum."""

    outcomes: dict[str, Replayed] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)

    def of(self, target: str) -> list[Replayed]:
        """The outcomes at one target."""
        found = [outcome for outcome in self.outcomes.values() if outcome.case.target == target]
        assert found, target
        return found


def as_sent(recording: Recording) -> tuple[dict[str, str], bytes]:
    """The recorded answer's headers and its body as it was on the wire."""
    if recording.gzipped and not recording.is_stream:
        return dict(recording.headers), gzip.compress(recording.body, mtime=0)
    return {name: value for name, value in recording.headers.items() if name != "content-encoding"}, recording.body


def written(request: Mapping[str, Any]) -> bytes:
    """A request body as a client's SDK writes it."""
    return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()


def replay(folder: Path, cases: Sequence[Case], routes: Mapping[str, str]) -> Replays:
    """Make all calls through one Flyball. `routes`: model name → model to send ("" sends the client's own)."""
    with ReplayingUpstream() as upstream:
        for case in cases:
            told = Told(status=case.recording.status, headers=case.headers, pieces=case.pieces, chunked=case.chunked)
            upstream.answers[case.name] = told
        environment = {"CLIENT": CLIENT_KEY, "PROVIDER": PROVIDER_KEY}
        with Flyball(folder, json.dumps(_config(cases, routes, upstream.url)), environment) as flyball:
            answers = asyncio.run(_call_all(flyball.data, cases))
            return _gather(flyball, cases, answers, upstream)


def _config(cases: Sequence[Case], routes: Mapping[str, str], url: str) -> dict[str, Any]:
    providers = {}
    for case in cases:
        recording = case.recording
        providers[case.target] = {
            "base_url": url + recording.base_path,
            "profile": recording.profile,
            "dialect": recording.dialect,
            "api_key_env": "PROVIDER",
            "query": dict(recording.query),
        }
    listed = []
    for name, model in routes.items():
        target = {"provider": name.partition("/")[0]}
        listed.append({"model": name, "targets": [{**target, "model": model} if model else target]})
    return {
        "server": {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": 1},
        "providers": providers,
        "routes": listed,
        "tenants": [{"org": "acme", "teams": [{"team": "t", "keys": [{"name": "k", "key_env": "CLIENT"}]}]}],
        # Soft: it counts every call and refuses none, also those whose model has no price.
        "budgets": [{"name": "all", "scope": "org:acme", "window": "total", "limit_usd": 1000, "hard": False}],
    }


async def _call_all(url: str, cases: Sequence[Case]) -> list[httpx.Response]:
    places = asyncio.Semaphore(_AT_ONCE)
    limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        return await asyncio.gather(*(_call(client, case, places) for case in cases))


async def _call(client: httpx.AsyncClient, case: Case, places: asyncio.Semaphore) -> httpx.Response:
    headers = {
        "authorization": f"Bearer {CLIENT_KEY}",
        "content-type": "application/json",
        "accept-encoding": "gzip, deflate",
        KEY: case.name,
    }
    async with places:
        path = case.recording.path if case.recording.dialect == "anthropic" else "/v1" + case.recording.path
        async with client.stream("POST", path, content=case.sent, headers=headers) as answer:
            # As it came, encoded or not.
            answer.extensions["raw"] = b"".join([part async for part in answer.aiter_raw()])
            return answer


def _gather(
    flyball: Flyball, cases: Sequence[Case], answers: Sequence[httpx.Response], upstream: ReplayingUpstream
) -> Replays:
    rows = {row["operation_id"]: row for row in flyball.wait_for_rows(len(cases))}
    attempts = {row["operation_id"]: row for row in flyball.wait_for_rows(len(cases), "attempts")}
    replays = Replays(budget=flyball.admin("GET", "/admin/v1/budgets/all"))
    for case, answer in zip(cases, answers, strict=True):
        operation = answer.headers["x-flyball-operation"]
        asked = upstream.asked.get(case.name, [])
        assert len(asked) == 1, f"{case.name}: {answer.status_code} {answer.extensions['raw']!r}"
        replays.outcomes[case.name] = Replayed(
            case=case,
            status=answer.status_code,
            headers=answer.headers,
            body=answer.extensions["raw"],
            asked=asked[0],
            row=rows[operation],
            attempt=attempts[operation],
        )
    return replays


def takes_usage_option(endpoint: Endpoint) -> bool:
    """Whether `stream_options.include_usage` exists for an endpoint (wire.md §2)."""
    return endpoint in (Endpoint.CHAT, Endpoint.COMPLETIONS)
