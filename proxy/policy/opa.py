"""The OPA server as an engine: every decision is one question over HTTP, with a deadline and without a second try."""

import asyncio
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from proxy.policy.breaker import Breaker
from proxy.policy.decision import Decision, read_decision
from proxy.policy.errors import BadPolicy, PolicyUnavailable
from proxy.policy.point import Point
from proxy.policy.reading import EVERYTHING, Reads
from proxy.policy.settings import PolicySettings, is_opa_url

Json: TypeAlias = Any
KNOCK_S: Final = 5.0
"""A server that answers is looked at this often, in seconds; one that does not, whenever `knock` is called."""
WITH_REVISION: Final[Mapping[str, str]] = {"provenance": "true"}
ALL_BUT_TEXT: Final = frozenset(
    {
        ("messages", "count"),
        *(
            (member,)
            for member in ("tools", "provider_tools", "params", "findings", "findings_scan", "tool_results_unreleased")
        ),
        *((member,) for member in ("budgets", "run_counters", "clock")),
    }
)
"""What is made for a rule that reads it only, but for what was said; everything else is in each input anyway."""
_PROBE: Final[Mapping[str, Json]] = {"point": "request"}
_NO_PACKAGE: Final = "has no package flyball.request"
_NO_ANSWER: Final = frozenset({502, 503, 504})
"""Statuses of what stands before a server that is away."""


class OpaServer:
    """Decides by what an OPA server has loaded. For one event loop: connections are made by its first question.

    What an OPA server's rules read is not known here: nothing is remembered, and it is asked at every point that the
    settings name.
    """

    def __init__(self, settings: PolicySettings) -> None:
        """Nothing is connected yet.

        Raises:
            BadPolicy: there is no URL, or the client's package is not installed.
        """
        if not is_opa_url(settings.url):
            raise BadPolicy(["policy.url: must be http://host:port or https://host:port, and nothing behind it"])
        if find_spec("opa_client") is None:
            raise BadPolicy(["policy.url: needs the `opa-python-client` package: install flyball[opa]"])
        self.settings: Final = settings
        self.revision = settings.url or ""
        self._breaker = Breaker(time.monotonic)
        self._client: Any = None
        self._is_closed = False
        self._asking = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._is_active = False
        self._knocked_s = float("-inf")
        self._said = "no question has been answered yet"
        paths = frozenset({EVERYTHING}) if settings.send_text else ALL_BUT_TEXT
        self._reads = Reads(live=True, volatile=True, paths=paths)

    @property
    def kind(self) -> str:
        """`opa`."""
        return "opa"

    @property
    def grant(self) -> Decision:
        """A plain yes by the revision that was last heard of."""
        return Decision(allow=True, revision=self.revision)

    @property
    def away(self) -> str:
        """Why no decision is to be had now; empty while the server answers and has a policy."""
        return "" if self._is_active and not self._breaker.is_open else self._said

    def is_live(self, point: Point) -> bool:
        """Whether the settings name the point."""
        return point.value in self.settings.points

    def has_shadow(self, point: Point) -> bool:
        """Never: shadow packages are the embedded engine's."""
        return False

    def reads(self, point: Point) -> Reads:
        """Everything; what was said only where the settings send it."""
        return self._reads

    def shadow_reads(self, point: Point) -> Reads:
        """Nothing more: none is asked."""
        return self._reads

    async def decide(self, point: Point, facts: Mapping[str, Json]) -> Decision:
        """The decision on one input, fully populated.

        Raises:
            PolicyUnavailable: there was no answer in time, or it was none.
        """
        package = await self._value(f"flyball.{point}", facts)
        if package is None and point is Point.REQUEST:
            self._lost(_NO_PACKAGE)
        return read_decision(point, package, self.revision)

    async def shadow(self, point: Point, facts: Mapping[str, Json]) -> Decision:
        """What the server's shadow package says. Raises PolicyUnavailable."""
        return read_decision(point, await self._value(f"flyball.shadow.{point}", facts), self.revision)

    async def knock(self) -> None:
        """Look whether the server answers and has a policy, and by which revision; seldom while it does."""
        now = time.monotonic()
        if not self.away and self._breaker.is_calm and now - self._knocked_s < KNOCK_S:
            return
        self._knocked_s = now
        try:
            if await self._value("flyball.request", _PROBE) is None:
                self._lost(_NO_PACKAGE)
                return
            self._is_active = True
            await self._hear_revision()
        except PolicyUnavailable:
            # Silence once is no reason to refuse calls: the breaker knows when it is. An error that is told is.
            self._is_active = self._is_active and not self._breaker.is_calm

    async def close(self) -> None:
        """Close the connections, once nothing waits on one. Calls that began by this engine may still ask it, each over
        a connection of its own."""
        self._is_closed = True
        await self._is_idle.wait()  # each question ends by its deadline
        client, self._client = self._client, None
        if client is not None:
            await client.close_connection()

    async def _hear_revision(self) -> None:
        """Take the revision from the document `data.flyball.revision`; bundles tell theirs with every answer."""
        answer = await self._asked("flyball.revision", _PROBE)
        told = answer.get("result")
        if isinstance(told, str) and told and not _of_bundles(answer):
            self.revision = told

    async def _value(self, package: str, facts: Mapping[str, Json]) -> Mapping[str, Json] | None:
        answer = await self._asked(package, facts)
        self.revision = _of_bundles(answer) or self.revision
        value = answer.get("result")
        if value is not None and not isinstance(value, dict):
            self._said = f"says that data.{package} is no package"
            raise PolicyUnavailable(f"{self.settings.url} {self._said}")
        return value

    async def _asked(self, package: str, facts: Mapping[str, Json]) -> Mapping[str, Json]:
        """One answer of the server.

        Only silence trips the breaker: an error that the server tells may be one input's, and must not shut others out.
        """
        if not self._breaker.may_ask():
            raise PolicyUnavailable(f"{self.settings.url} {self._said}")
        try:
            answer = await self._within_deadline(package, facts)
        except Exception as error:  # crash boundary: whatever the client raises, there is no decision
            self._said = _told(error)
            if _was_answered(error):
                self._breaker.succeeded()
            else:
                self._breaker.failed()
            raise PolicyUnavailable(f"{self.settings.url} {self._said}") from error
        self._breaker.succeeded()
        if not isinstance(answer, dict):
            self._said = "answers with JSON that is no object"
            raise PolicyUnavailable(f"{self.settings.url} {self._said}")
        return answer

    async def _within_deadline(self, package: str, facts: Mapping[str, Json]) -> Json:
        async with asyncio.timeout(self.settings.deadline_ms / 1000):
            if self._is_closed:
                async with self._made() as client:
                    return await client.query_rule(facts, package, query_params=WITH_REVISION)
            if self._client is None:
                # Nothing is awaited in here, so that no other call can come between.
                self._client = await self._made().__aenter__()
            self._asking += 1
            self._is_idle.clear()
            try:
                return await self._client.query_rule(facts, package, query_params=WITH_REVISION)
            finally:
                self._asking -= 1
                if not self._asking:
                    self._is_idle.set()

    def _made(self) -> Any:
        from opa_client.opa_async import AsyncOpaClient  # noqa: PLC0415 - an optional dependency

        parts = urlsplit(self.settings.url or "")
        host = parts.hostname or ""
        token = self.settings.token
        return AsyncOpaClient(
            host=f"[{host}]" if ":" in host else host,
            port=parts.port or (443 if parts.scheme == "https" else 8181),
            ssl=parts.scheme == "https",
            token=None if token is None else token.reveal(),
            retries=0,
            timeout=self.settings.deadline_ms / 1000,
        )

    def _lost(self, said: str) -> None:
        self._is_active = False
        self._said = said


def _of_bundles(answer: Mapping[str, Json]) -> str:
    """The revisions of the bundles that a decision was made by, as the server tells them; empty where it has none."""
    provenance = answer.get("provenance")
    bundles = provenance.get("bundles") if isinstance(provenance, dict) else None
    if not isinstance(bundles, dict):
        return ""
    revisions = {name: each.get("revision") for name, each in bundles.items() if isinstance(each, dict)}
    return ",".join(f"{name}@{revision}" for name, revision in sorted(revisions.items()) if revision)


def _was_answered(error: BaseException) -> bool:
    """Whether the server said something, be it an error; the client's own errors carry its status."""
    status = getattr(error, "status", None)
    return isinstance(error, ValueError) or (isinstance(status, int) and status not in _NO_ANSWER)


def _told(error: BaseException) -> str:
    status = getattr(error, "status", None)
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    if isinstance(error, ValueError) or status == 200:
        return "answers with what is no JSON"
    if isinstance(status, int):
        return f"answers {status}"
    return f"cannot be asked: {type(error).__name__}"
