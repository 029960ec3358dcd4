"""A run that is killed: its open streams end validly and are billed, its next calls are refused."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.journey.running import stop_runs
from tests.harness.one_worker import DONE, EVENT, JSON_HEADERS, KEY, Answer, Client, OneWorker, chat, config, one_worker

HALF = len(EVENT) // 2


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[OneWorker]:
    with one_worker(tmp_path, config()) as made:
        yield made
        await made.parts.ledger.close()


def stream(run: str = "r1", **more: Any) -> Client:
    return Client(chat(stream=True, **more), headers=[(b"x-flyball-run", run.encode())])


def kill(house: OneWorker, run: str = "r1") -> Any:
    async def now() -> None:
        key = house.rooms.snapshot().keyring.authenticate(KEY, house.rooms.clock.now_ns())
        stop_runs(house.rooms, {(key.org, key.key_id, run)})

    return now


def chunks(client: Client) -> list[dict[str, Any]]:
    """The chunks of a stream that ends as it must."""
    *events, done, rest = client.text.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(each.removeprefix(b"data: ")) for each in events]


async def test_an_open_stream_ends_with_its_run(house: OneWorker) -> None:
    answer = Answer(EVENT, EVENT, kill(house), EVENT, EVENT, DONE)
    client = await house.call(stream(), answer)
    *relayed, last = chunks(client)
    assert len(relayed) == 2
    assert last["choices"][0]["finish_reason"] == "length"
    facts = last["flyball"]
    assert (facts["code"], facts["run"], facts["why"], facts["scope"]) == ("run_stopped", "r1", "killed", "run:acme/r1")
    (row,) = house.rows()
    assert (row["outcome"], row["code"], row["status"]) == ("truncated", "run_stopped", 200)
    assert row["reason"] == "ended: its run was stopped"
    assert (row["usage_source"], row["finish_reason"]) == ("estimated", "length")
    assert 0 < row["output_tokens"] < 5
    assert answer.aborted.is_set()
    assert (await house.standing())[1] == 0
    assert not house.rooms.running


async def test_half_an_event_is_not_sent(house: OneWorker) -> None:
    client = await house.call(stream(), Answer(EVENT, EVENT[:HALF], kill(house), EVENT[HALF:], EVENT, DONE))
    *relayed, last = chunks(client)
    assert len(relayed) == 1
    assert last["flyball"]["code"] == "run_stopped"


async def test_an_event_so_large_that_its_parts_are_sent_is_ended_first(house: OneWorker) -> None:
    large = EVENT.replace(b"Hi", b"Hi " * 100_000)
    half = len(large) // 2
    client = await house.call(stream(), Answer(EVENT, large[:half], kill(house), large[half:], EVENT, DONE))
    *relayed, last = chunks(client)
    assert len(relayed) == 2
    assert last["flyball"]["code"] == "run_stopped"


async def test_other_runs_go_on(house: OneWorker) -> None:
    client = await house.call(stream("r2"), Answer(EVENT, kill(house), EVENT, DONE))
    assert client.text == EVENT * 2 + DONE
    assert house.rows()[0]["outcome"] == "ok"


async def test_a_stream_that_was_whole_stays_so(house: OneWorker) -> None:
    client = await house.call(stream(), Answer(EVENT, DONE, kill(house)))
    assert client.text == EVENT + DONE
    assert house.rows()[0]["outcome"] == "ok"


async def test_a_killed_run_takes_no_more_calls(house: OneWorker) -> None:
    await kill(house)()
    client = await house.call(stream())
    error = json.loads(client.text)["error"]
    assert (client.status, error["code"], error["flyball"]["why"]) == (403, "run_stopped", "killed")
    assert "'r1'" in error["message"]
    other = await house.call(Client(chat()), Answer(b'{"model":"m","usage":{}}', headers=JSON_HEADERS))
    assert other.status == 200


async def test_a_stream_that_began_while_its_run_was_killed_ends_at_once(house: OneWorker) -> None:
    """Between its hold and its answer."""
    sent: list[Any] = []

    class Killing:
        async def send(self, request: Any) -> Answer:
            sent.append(request)
            await kill(house)()
            return Answer(EVENT, DONE)

        async def close(self) -> None:
            return

    house.rooms.transport = Killing()
    client = stream()
    await house.parts.port(client.scope, client.receive, client.send)
    (last,) = chunks(client)
    assert (len(sent), last["flyball"]["code"]) == (1, "run_stopped")


async def test_where_all_is_observed_a_kill_ends_nothing(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more="enforcement: observe")) as house:
        client = await house.call(stream(), Answer(EVENT, kill(house), EVENT, DONE))
        assert client.text == EVENT * 2 + DONE
        await house.call(stream(), Answer(EVENT, DONE))
        assert house.rows()[-1]["would_code"] == "run_stopped"
        await house.parts.ledger.close()
