"""The data port's last line: faults of ours, dependencies that are away, and calls that nobody stands behind."""

import json
import logging
from typing import Any, cast

import pytest

from proxy.budget import LedgerUnavailable
from proxy.core.clock import SystemClock
from proxy.core.ids import new_id
from proxy.core.refusal import Refusal, Refused
from proxy.core.tenant import Principal
from proxy.edge import DataPort, EdgeLimits, Readiness
from proxy.edge.openai import unknown_path
from proxy.edge.own import key_facts, own_operation
from proxy.edge.strangers import Strangers
from proxy.journey.rooms import Rooms
from proxy.processes.logs import JsonLines
from proxy.telemetry import TelemetryUnavailable

SECRET = "fb-secret-that-an-exception-quotes"
OWNER = Principal(org="acme", team="support", key_id="key_1", key_name="bot")


class BrokenRooms:
    """A house whose snapshot cannot be had; its fault quotes what the client sent."""

    clock = SystemClock()

    def snapshot(self) -> Any:
        raise ValueError(f"cannot read {SECRET}")


class Answer:
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    async def send(self, message: Any) -> None:
        self.messages.append(dict(message))

    async def receive(self) -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])


async def call(port: DataPort, path: str, method: str = "POST") -> Answer:
    answer = Answer()
    scope = {
        "type": "http",
        "method": method,
        "http_version": "1.1",
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"authorization", b"Bearer " + SECRET.encode())],
    }
    await port(scope, answer.receive, answer.send)
    return answer


def port_over(rooms: object, *, ready: bool = True) -> DataPort:
    async def find(operation: str, principal: Principal) -> dict[str, Any] | None:
        return None

    state = Readiness(ready, "gen1", {"ledger": "ok"})
    return DataPort(cast(Rooms, rooms), EdgeLimits(), lambda: state, find)


async def test_a_fault_of_ours_is_500_and_quotes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    for path, method in (("/v1/chat/completions", "POST"), ("/v1/models", "GET")):
        with caplog.at_level(logging.ERROR):
            answer = await call(port_over(BrokenRooms()), path, method)
        told = json.loads(answer.body)["error"]
        assert (answer.status, told["code"], told["flyball"]["fault"]) == (500, "internal_error", "ValueError")
        line = JsonLines("worker").format(caplog.records[-1])
        assert told["flyball"]["operation"] in line
        assert "ValueError" in line
        assert SECRET not in line
        assert SECRET not in answer.body.decode()


async def test_health_is_told_without_a_key_even_when_all_is_broken() -> None:
    answer = await call(port_over(BrokenRooms()), "/healthz", "GET")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})
    answer = await call(port_over(BrokenRooms(), ready=False), "/readyz", "GET")
    assert answer.status == 503
    assert json.loads(answer.body) == {
        "status": "not_ready",
        "config_generation": "gen1",
        "dependencies": {"ledger": "ok"},
    }


async def test_anything_but_http_is_passed_over() -> None:
    answer = Answer()
    await port_over(BrokenRooms())({"type": "lifespan"}, answer.receive, answer.send)
    assert answer.messages == []


class Lines:
    """Budget lines for nobody."""

    def lines_for(self, scopes: object, at_ns: int, *, key: str) -> tuple[()]:
        return ()


class Away:
    """A ledger that cannot be asked."""

    async def balances(self, lines: object) -> Any:
        raise LedgerUnavailable("locked")


class HouseWithoutLedger:
    clock = SystemClock()
    ledger = Away()
    budgets = Lines()

    def snapshot(self) -> "HouseWithoutLedger":
        return self


async def test_a_ledger_that_is_away_is_503_not_500() -> None:
    with pytest.raises(Refused) as refused:
        await key_facts(cast(Rooms, HouseWithoutLedger()), OWNER, 0)
    assert refused.value.why is Refusal.DEPENDENCY_UNAVAILABLE
    assert refused.value.facts["dependency"] == "ledger"


async def test_a_store_that_is_away_is_503_not_500() -> None:
    async def away(operation: str, principal: Principal) -> dict[str, Any] | None:
        raise TelemetryUnavailable("no address")

    with pytest.raises(Refused) as refused:
        await own_operation(away, new_id("op"), OWNER)
    assert refused.value.why is Refusal.DEPENDENCY_UNAVAILABLE
    assert refused.value.retry_after_s == 5


async def test_a_name_that_is_no_operation_is_not_looked_up() -> None:
    async def never(operation: str, principal: Principal) -> dict[str, Any] | None:
        raise AssertionError(operation)

    for name in ("", "op_", "op_1", "x" * 10_000, "op_" + "z" * 32, new_id("key"), "op_'; DROP TABLE operations"):
        with pytest.raises(Refused) as refused:
            await own_operation(never, name, OWNER)
        assert refused.value.why is Refusal.NOT_FOUND


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/chat/completions/", "/chat/completions"),
        ("//embeddings", "/embeddings"),
        ("/Chat%2FCompletions", "/chat/completions"),
    ],
)
def test_a_path_that_is_nearly_right_is_told_the_right_one(path: str, nearest: str) -> None:
    refused = unknown_path(path)
    assert refused.facts["nearest"] == nearest
    assert nearest in refused.message


def test_paths_we_know_of_are_refused_by_name() -> None:
    assert "WebRTC" in unknown_path("/realtime/calls").message
    assert unknown_path("/realtime/calls").facts["known"] is True
    assert unknown_path("/x" * 500).facts["known"] is False
    assert len(unknown_path("/x" * 5000).message) < 500


class Counting:
    def __init__(self) -> None:
        self.count = 0

    def refused(self, by: str, at_ns: int) -> None:
        """Nobody is told."""

    def unauthorised(self) -> None:
        self.count += 1


class Door:
    """A keyring that knows why, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.counters = Counting()
        self.clock = self
        self.keyring = self
        self.ns = 0

    def snapshot(self) -> "Door":
        return self

    def monotonic_ns(self) -> int:
        return self.ns

    def now_ns(self) -> int:
        return self.ns

    def verdict(self, secret: str, now_ns: int) -> tuple[str, str | None]:
        return "revoked", "key_7"


def test_strangers_are_counted_all_and_told_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    strangers = Strangers(cast(Rooms, door))
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            strangers.note(SECRET, "op_1")
        door.ns += 1_000_000_000
        strangers.note("", "op_2")
    assert door.counters.count == 6
    first, second = (vars(record) for record in caplog.records)
    assert (first["why"], first["key_id"], first["since_last_line"]) == ("revoked", "key_7", 0)
    assert (second["why"], second["operation"], second["since_last_line"]) == ("missing", "op_2", 4)
    assert SECRET not in caplog.text
