"""Decision logs: OPA's words for our rows; sent in order, bounded, tried again, and each loss counted by its reason."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proxy.app.decision_log import DecisionLog
from proxy.core.secret import Secret
from proxy.policy import DecisionLogSettings, Figures, LogSender, NotSent, entries_of
from proxy.processes.log_status import read_log_status, write_log_status
from proxy.telemetry.rows import DecisionRow, encode
from tests.harness.log_server import LogServer

LABELS = {"app": "flyball", "version": "1"}


def row(**told: Any) -> DecisionRow:
    values: dict[str, Any] = {
        "decision_id": "dec_1",
        "operation_id": "op_1",
        "decided_at": "2026-11-20 10:00:00.123",
        "org": "acme",
        "team": "support",
        "key_id": "key_1",
        "key_name": "bot",
        "point": "request",
        "engine": "embedded",
        "revision": "3f2c",
        "latency_us": 41.5,
        "input": '{"org":"acme","messages":{"text":null}}',
        "unread": ["messages.text", "clock"],
        "worker": "wrk_1",
    }
    return DecisionRow(**{**values, **told})


def one(**told: Any) -> dict[str, Any]:
    (entry,), unreadable = entries_of(encode(row(**told)).splitlines(), LABELS)
    assert unreadable == 0
    found: dict[str, Any] = json.loads(entry)
    return found


def test_a_decision_is_told_in_opas_words() -> None:
    told = one(code="a", message="No.", denials=["a", "b"], internal="ticket")
    assert told == {
        "labels": {"app": "flyball", "version": "1", "worker": "wrk_1"},
        "decision_id": "dec_1",
        "bundles": {"flyball": {"revision": "3f2c"}},
        "path": "flyball/request",
        "input": {"org": "acme", "messages": {"text": None}},
        "result": {"allow": False, "deny": [{"code": "a", "msg": "No."}, {"code": "b"}], "obligations": []},
        "requested_by": "acme/support/bot",
        "timestamp": "2026-11-20T10:00:00.123Z",
        "metrics": {"timer_rego_query_eval_ns": 41_500},
        "custom": {"operation_id": "op_1", "engine": "embedded", "internal": "ticket"},
        "erased": ["/input/messages/text", "/input/clock"],
    }


def test_a_yes_with_obligations_and_one_that_is_tried() -> None:
    told = one(allow=True, obligations='[{"type":"no_cache"}]', shadow=True, live_id="dec_0", input="", unread=["*"])
    assert told["result"] == {"allow": True, "deny": [], "obligations": [{"type": "no_cache"}]}
    assert told["path"] == "flyball/shadow/request" and told["erased"] == ["/input"] and "input" not in told
    assert told["custom"]["live_id"] == "dec_0"


def test_what_is_no_row_is_counted() -> None:
    lines = [b"{", b"[]", b'{"decision_id":1}', encode(row()), encode(row(input="{"))]
    entries, unreadable = entries_of(lines, LABELS)
    assert (len(entries), unreadable) == (1, 4)


class Taker:
    """A server as a function: answers in turn, then 200."""

    def __init__(self, *answers: int | NotSent) -> None:
        self.answers = list(answers)
        self.batches: list[list[Any]] = []

    async def __call__(self, body: bytes) -> int:
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, NotSent):
            raise answer
        if answer == 200:
            self.batches.append(json.loads(gzip.decompress(body)))
        return answer


async def until(sender: LogSender, done: Callable[[Figures], bool]) -> None:
    async with asyncio.timeout(30):
        while not done(sender.figures):  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.005)


async def running(sender: LogSender, step: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.ensure_future(sender.run())
    try:
        await step()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_they_are_sent_in_order_and_again_until_taken() -> None:
    taker = Taker(NotSent("gone"), 503, 429)
    sender = LogSender(taker, 1_000_000, first_pause_s=0.001)

    async def step() -> None:
        sender.put([b"1", b"2"])
        await until(sender, lambda figures: figures.sent == 2)
        sender.put([b"3"])
        await until(sender, lambda figures: figures.sent == 3)

    await running(sender, step)
    assert [each for batch in taker.batches for each in batch] == [1, 2, 3]
    assert sender.figures.retried == 3 and sender.figures.pending_bytes == 0 and not +sender.figures.dropped


async def test_a_large_backlog_goes_in_batches() -> None:
    taker = Taker()
    sender = LogSender(taker, 10_000_000, first_pause_s=0.001)
    entry = json.dumps("x" * 400_000).encode()

    async def step() -> None:
        sender.put([entry] * 5)
        await until(sender, lambda figures: figures.sent == 5)

    await running(sender, step)
    assert [len(batch) for batch in taker.batches] == [2, 2, 1]


async def test_what_does_not_fit_and_what_is_refused_is_dropped_and_counted() -> None:
    taker = Taker(400)
    sender = LogSender(taker, 10, first_pause_s=0.001)

    async def step() -> None:
        sender.put([b'"1234"', b'"5678"', b"90"], unreadable=2)
        await until(sender, lambda figures: figures.dropped["refused"] == 2)

    await running(sender, step)
    assert sender.figures.dropped == {"unreadable": 2, "full": 1, "refused": 2, "stopped": 0}
    assert taker.batches == [] and sender.figures.pending_bytes == 0


async def test_the_last_ones_are_sent_at_the_end_or_counted() -> None:
    taker = Taker()
    sender = LogSender(taker, 100, first_pause_s=60)

    async def step() -> None:
        sender.put([b"1"])
        await asyncio.sleep(0)

    await running(sender, step)
    assert taker.batches == [[1]]
    away = LogSender(Taker(NotSent("gone")), 100, first_pause_s=60)

    async def lost() -> None:
        away.put([b"1"])
        await asyncio.sleep(0)

    await running(away, lost)
    assert away.figures.dropped["stopped"] == 1


async def test_a_server_gets_gzipped_json_under_its_path(tmp_path: Any) -> None:
    with LogServer(500) as server:
        log = DecisionLog(DecisionLogSettings(url=f"{server.url}/", token=Secret("s3cret")))
        task = asyncio.ensure_future(log.run())
        await log.take(encode(row()) + encode(row(decision_id="dec_2")))
        async with asyncio.timeout(30):
            while log.figures.sent < 2:  # noqa: ASYNC110 - it has no event to wait for
                await asyncio.sleep(0.01)
        write_log_status(tmp_path, log.figures)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [entry["decision_id"] for entry in server.entries] == ["dec_1", "dec_2"]
    head = server.heads[-1]
    assert server.paths[-1] == "/v1/flyball/logs" and head["authorization"] == "Bearer s3cret"
    assert (head["content-type"], head["content-encoding"]) == ("application/json", "gzip")
    status = read_log_status(tmp_path)
    assert status is not None and "flyball_decision_log_sent_total 2" in status.metrics()
    assert status.retried == 1


async def test_a_server_that_is_away_is_said_without_its_address(caplog: pytest.LogCaptureFixture) -> None:
    with LogServer() as server:
        url = server.url
    log = DecisionLog(DecisionLogSettings(url=url))
    with pytest.raises(NotSent) as why:
        await log._post(b"")
    assert url not in str(why.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "opa:8181"},
        {"url": "http://user:secret@opa"},
        {"url": "https://opa/logs?x=1"},
        {"token": Secret("t")},
        {"url": "http://opa", "buffer_mb": 0},
        {"url": "http://opa", "timeout_s": 0},
    ],
)
def test_what_cannot_be_meant_is_told(settings: dict[str, Any]) -> None:
    (said,) = DecisionLogSettings(**settings).contradictions()
    assert said.startswith("policy.decision_log.") and "secret" not in said
