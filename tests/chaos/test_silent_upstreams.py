"""Upstreams that are not there, say nothing, stop talking, or say no: status, time and row of each."""

import asyncio
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from proxy.sim import SimProvider, SimServer
from proxy.sim.settings import SimSettings
from tests.chaos.raw_client import Answer, RawClient
from tests.chaos.scene import balanced_books, chat, config, started

pytestmark = pytest.mark.alone

PATIENCE_S: Final = 0.6
SLACK_S: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong, and what it must look like: `code` is ours, None where the provider's answer passes.

    `seconds` is when the answer is to be over (None: at once), `cost` whether anything is booked.
    """

    name: str
    model: str = "sim-small"
    fault: str = ""
    stream: bool = True
    status: int
    code: str | None
    outcome: str
    error: str
    seconds: float = 0.0
    source: str = "estimated"

    @property
    def body(self) -> bytes:
        return chat(self.name, model=self.model, stream=self.stream, fault=self.fault, tokens=40)


def both(name: str, **told: Any) -> tuple[Fault, Fault]:
    return Fault(name=f"{name}-stream", **told), Fault(name=f"{name}-whole", stream=False, **told)


CASES: Final = (
    *both(
        "nobody-listens",
        model="refused",
        status=502,
        code="upstream_refused",
        outcome="upstream_error",
        error="refused (not sent)",
        source="none",
    ),
    *both(
        "no-such-name",
        model="nameless",
        status=502,
        code="upstream_refused",
        outcome="upstream_error",
        error="dns (not sent)",
        source="none",
    ),
    *both(
        "never-connects",
        model="unconnected",
        status=504,
        code="upstream_timeout",
        outcome="upstream_error",
        error="connect_timeout (not sent)",
        seconds=PATIENCE_S,
        source="none",
    ),
    *both(
        "slow-first-byte",
        fault="slow=20",
        status=504,
        code="upstream_timeout",
        outcome="upstream_error",
        error="first_byte_timeout",
        seconds=PATIENCE_S,
    ),
    Fault(
        name="stall-stream",
        fault="stall=5",
        status=200,
        code="upstream_truncated",
        outcome="truncated",
        error="idle_timeout",
        seconds=PATIENCE_S,
    ),
    Fault(
        name="stall-whole",
        fault="stall=0",
        stream=False,
        status=502,
        code="upstream_truncated",
        outcome="truncated",
        error="idle_timeout",
        seconds=PATIENCE_S,
    ),
    Fault(
        name="too-long",
        model="hasty",
        fault="stall=5",
        status=200,
        code="upstream_truncated",
        outcome="truncated",
        error="total_timeout",
        seconds=PATIENCE_S,
    ),
    *both("too-many", fault="429=7", status=429, code=None, outcome="upstream_error", error="http_429", source="none"),
    *both("its-fault", fault="500", status=500, code=None, outcome="upstream_error", error="http_500", source="none"),
    *both("overloaded", fault="529", status=529, code=None, outcome="upstream_error", error="http_529", source="none"),
    *both("unwanted", fault="400", status=400, code=None, outcome="upstream_error", error="http_400", source="none"),
    Fault(
        name="error-in-stream",
        fault="error=4",
        status=200,
        code=None,
        outcome="upstream_error",
        error="in_band_error",
    ),
    Fault(name="no-usage", fault="no-usage", status=200, code=None, outcome="ok", error=""),
    Fault(name="garbage", fault="garbage", status=200, code=None, outcome="ok", error="", source="provider"),
    Fault(
        name="closed-early",
        fault="close=600",
        status=200,
        code="upstream_truncated",
        outcome="truncated",
        error="reset",
    ),
    Fault(
        name="reset-early", fault="cut=600", status=200, code="upstream_truncated", outcome="truncated", error="reset"
    ),
    Fault(
        name="too-short-whole",
        fault="length=10",
        stream=False,
        status=502,
        code="upstream_truncated",
        outcome="truncated",
        error="reset",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Met:
    """What a client met, and its row and attempt."""

    answer: Answer
    row: Mapping[str, Any]


def providers(sim_url: str, dead_port: int, mute_port: int) -> dict[str, dict[str, Any]]:
    patience = {
        "connect_timeout_s": PATIENCE_S,
        "first_byte_timeout_s": PATIENCE_S,
        "idle_timeout_s": PATIENCE_S,
        "profile": "sim",
    }
    return {
        "sim": {"base_url": sim_url, **patience},
        "hasty": {"base_url": sim_url, **patience, "idle_timeout_s": 10, "total_timeout_s": PATIENCE_S},
        "refused": {"base_url": f"http://127.0.0.1:{dead_port}/v1", **patience},
        "nameless": {"base_url": "http://no-such-host.invalid/v1", **patience, "connect_timeout_s": 5},
        "unconnected": {"base_url": f"http://127.0.0.1:{mute_port}/v1", **patience},
    }


def full_backlog() -> list[socket.socket]:
    """A listener that accepts nobody and whose queue is full, so that connecting to it hangs."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = [listener]
    for _ in range(4):
        made = socket.socket()
        made.setblocking(False)
        made.connect_ex(listener.getsockname())
        waiting.append(made)
    return waiting


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Met]]:
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else takes the port
    mute = full_backlog()
    with SimServer(SimProvider(settings=SimSettings(speed=0))) as sim:
        known = providers(sim.url, closed.getsockname()[1], mute[0].getsockname()[1])
        routes = {"sim-small" if name == "sim" else name: (name, "sim-small") for name in known}
        with started(
            tmp_path_factory.mktemp("silent"), config(known, routes, metering={"margin_percent": 0})
        ) as flyball:
            client = RawClient(url=flyball.data)

            async def call_all() -> list[Answer]:
                return await asyncio.gather(*(client.call(case.body, seconds=20) for case in CASES))

            answers = asyncio.run(call_all())
            rows = balanced_books(flyball, len(CASES))
    for each in (closed, *mute):
        each.close()
    yield {case.name: Met(answer=got, row=rows[case.name]) for case, got in zip(CASES, answers, strict=True)}


def error_of(case: Fault, answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        found = json.loads(answer.body)["error"]
    else:
        event = answer.body.rstrip().rpartition(b"\n\n")[2]
        found = json.loads(event.removeprefix(b"data: "))["error"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_client_is_told_the_truth_in_time(met: dict[str, Met], case: Fault) -> None:
    answer = met[case.name].answer
    assert answer.status == case.status, answer.raw[:300]
    assert answer.is_whole
    if case.code is not None:
        assert error_of(case, answer)["code"] == case.code
    if case.seconds:
        assert case.seconds - 0.1 < answer.seconds < case.seconds + SLACK_S + 0.5


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_row_says_what_happened(met: dict[str, Met], case: Fault) -> None:
    row = met[case.name].row
    assert (row["outcome"], row["error"]) == (case.outcome, case.error), row
    assert row["usage_source"] == case.source
    assert row["attempts"] == 1
    assert row["status"] == case.status
    assert (float(row["cost_usd"]) > 0) == (case.source != "none")


@pytest.mark.parametrize("name", ["too-many-stream", "too-many-whole"])
def test_a_providers_429_passes_with_its_own_words(met: dict[str, Met], name: str) -> None:
    answer = met[name].answer
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["x-ratelimit-limit-requests"] == "10000"
    error = json.loads(answer.body)["error"]
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "requests")
    assert "flyball" not in error
