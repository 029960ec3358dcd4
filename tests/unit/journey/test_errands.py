"""Errands: what Flyball asks of providers for itself is held, billed and recorded apart from every client."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from proxy.core.money import Nano
from proxy.core.outcome import Purpose
from proxy.core.usage import Bucket
from proxy.journey.errands.errand import Errand, Returned, run_errand, start_errand
from proxy.journey.errands.running import Errands
from proxy.journey.start_record import row_of
from proxy.routing import Candidate
from proxy.upstream import UpstreamFailed
from proxy.wire.endpoint import Endpoint
from tests.harness.one_worker import DONE, EVENT, JSON_HEADERS, Answer, OneWorker, Upstream, chat, config, one_worker

VECTOR = {
    "object": "list",
    "model": "embed",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
    "usage": {"prompt_tokens": 8, "total_tokens": 8},
}
EMBED = Candidate("up", "embed")
ORG = '{name: acme-all, scope: "org:acme", window: total, limit_usd: 1000}'
OWN = '{name: overhead, scope: "overhead:acme", window: total, limit_usd: 1}'
pytestmark = pytest.mark.asyncio(loop_scope="module")


def embedding(**more: Any) -> Errand:
    """One text to embed."""
    body = json.dumps({"model": "embed", "input": "Hello"}).encode()
    errand = Errand(purpose=Purpose.CACHE_EMBED, org="acme", candidate=EMBED, endpoint=Endpoint.EMBEDDINGS, body=body)
    return errand if not more else type(errand)(**{**{n: getattr(errand, n) for n in errand.__struct_fields__}, **more})


def vector(**more: Any) -> Answer:
    """The provider's answer."""
    return Answer(json.dumps({**VECTOR, **more}).encode(), headers=list(JSON_HEADERS))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneWorker]:
    text = config().replace("budgets: [", f"budgets: [{ORG}, ")
    with one_worker(tmp_path_factory.mktemp("errands"), text) as made:
        yield made
        await made.parts.ledger.close()


@pytest.fixture
def house(one_house: OneWorker) -> OneWorker:
    one_house.rooms.errands = Errands()
    one_house.rooms.stopping = False
    return one_house


async def sent(house: OneWorker, errand: Errand, *answers: Answer | UpstreamFailed, **more: Any) -> Returned:
    """What comes of it."""
    house.rooms.transport = Upstream(*answers)
    return await run_errand(errand, house.rooms, **more)


async def spent_of(house: OneWorker, scope: str) -> tuple[int, int]:
    """Spent and held of the one budget of a scope, in nano-dollars."""
    lines = house.rooms.snapshot().budgets.lines_for((scope,), house.rooms.clock.now_ns())
    (balance,) = await house.rooms.ledger.balances(lines)
    return balance.spent, balance.held


async def test_an_embedding_is_asked_for_and_paid_by_the_overhead_account_alone(house: OneWorker) -> None:
    key, org = await house.standing(), await spent_of(house, "org:acme")
    returned = await sent(house, embedding(), vector())
    assert (returned.failure, returned.status) == ("", 200)
    assert json.loads(returned.body) == VECTOR
    assert returned.usage.count(Bucket.INPUT) == 8 and returned.cost == 80_000
    row, attempt = house.rows()[-1], house.rows("attempts")[-1]
    assert (row["purpose"], attempt["purpose"]) == ("cache_embed", "cache_embed")
    assert (row["org"], row.get("team", ""), row["key_name"], row.get("agent", "")) == ("acme", "", "(overhead)", "")
    assert (row["outcome"], row["cost_usd"], row["model"]) == ("ok", "0.000080000", "embed")
    assert row["operation_id"] == returned.operation == attempt["operation_id"]
    assert await house.standing() == key, "no budget of a client's key knows of it"
    assert await spent_of(house, "org:acme") == (org[0] + 80_000, 0), "what an org may spend in all is no less firm"


async def test_an_error_is_a_failure_with_its_body_and_costs_nothing(house: OneWorker) -> None:
    answer = Answer(b'{"error": {"message": "slow down"}}', status=429, headers=list(JSON_HEADERS))
    returned = await sent(house, embedding(), answer)
    assert (returned.failure, returned.status, returned.cost) == ("http_429", 429, 0)
    assert b"slow down" in returned.body
    assert house.rows()[-1]["outcome"] == "upstream_error"


async def test_no_answer_is_a_failure_and_not_an_exception(house: OneWorker) -> None:
    before = len(house.rows())
    returned = await sent(house, embedding(), UpstreamFailed("refused", "nobody", sent=False))
    assert returned.failure == "upstream_refused"
    assert len(house.rows()) == before + 1
    returned = await sent(house, embedding(body=b"{"), vector())
    assert returned.failure == "invalid_request"
    returned = await sent(house, embedding(candidate=Candidate("nobody", "x")), vector())
    assert returned.failure == "denied"
    assert len(house.rows()) == before + 1, "what was never sent has no row"


async def test_who_waits_has_a_deadline_and_the_errand_is_billed_all_the_same(house: OneWorker) -> None:
    may_answer = asyncio.Event()

    async def late() -> None:
        await may_answer.wait()

    slow = Answer(late, json.dumps(VECTOR).encode(), headers=list(JSON_HEADERS))
    before = len(house.rows())
    returned = await sent(house, embedding(), slow, within_s=0.01)
    assert returned.failure == "deadline"
    assert len(house.rows()) == before
    may_answer.set()
    await house.rooms.errands.close(10)
    assert house.rows()[-1]["cost_usd"] == "0.000080000"


async def test_no_more_than_so_many_and_so_large_ones_are_under_way(house: OneWorker) -> None:
    house.rooms.errands = Errands(at_once=1, most_bytes=len(embedding().body))
    may_answer = asyncio.Event()

    async def late() -> None:
        await may_answer.wait()

    house.rooms.transport = Upstream(Answer(late, json.dumps(VECTOR).encode(), headers=list(JSON_HEADERS)), vector())
    first = start_errand(embedding(), house.rooms)
    assert first is not None
    assert (await run_errand(embedding(), house.rooms)).failure == "no_room"
    may_answer.set()
    assert (await first).failure == ""
    assert (await run_errand(embedding(), house.rooms)).failure == ""
    house.rooms.errands = Errands(most_bytes=10)
    assert (await run_errand(embedding(), house.rooms)).failure == "no_room"


async def test_a_worker_that_ends_waits_a_while_and_then_records_what_is_still_under_way(house: OneWorker) -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def silence() -> None:
        asked.set()
        await never.wait()

    house.rooms.transport = Upstream(Answer(silence, headers=list(JSON_HEADERS)))
    task = start_errand(embedding(), house.rooms)
    assert task is not None
    await asked.wait()
    await house.rooms.errands.close(0.01)
    row = house.rows()[-1]
    assert (row["outcome"], row["purpose"], row["usage_source"]) == ("truncated", "cache_embed", "estimated")
    assert await spent_of(house, "org:acme") >= (1, 0)
    assert (await run_errand(embedding(), house.rooms)).failure == "no_room"
    house.rooms.stopping = True
    assert (await run_errand(embedding(), house.rooms)).failure == "shutting_down"


async def test_an_answer_larger_than_may_be_kept_is_billed_and_not_handed_on(house: OneWorker) -> None:
    returned = await sent(house, embedding(most_answer=50), vector())
    assert (returned.failure, returned.body, returned.cost) == ("too_large", b"", 80_000)


async def test_a_stream_is_read_to_its_end(house: OneWorker) -> None:
    usage = b'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
    errand = embedding(
        purpose=Purpose.SHADOW, endpoint=Endpoint.CHAT, candidate=Candidate("up", "m"), body=chat(stream=True)
    )
    returned = await sent(house, errand, Answer(EVENT, usage, DONE))
    assert (returned.failure, returned.cost) == ("", 250_000)
    assert returned.ttft_ms is not None
    assert b"Hi" in returned.body


@pytest.mark.parametrize("per_day, is_sent", [("0.000005", False), ("1", True), ("null", True)])
async def test_an_overhead_account_without_a_budget_has_a_default_limit_a_day(
    house: OneWorker, per_day: str, is_sent: bool
) -> None:
    snapshot = house.rooms.snapshot()
    limit = None if per_day == "null" else int(float(per_day) * 10**9)
    lowered, asked = replace(snapshot, overhead_per_day=None if limit is None else Nano(limit)), house.rooms.snapshot
    house.rooms.snapshot = lambda: lowered
    try:
        returned = await sent(house, embedding(org="elsewhere"), vector())
    finally:
        house.rooms.snapshot = asked
    assert (returned.failure == "") is is_sent
    if not is_sent:
        assert returned.failure == "budget_exceeded"
        assert not house.rooms.transport.seen  # type: ignore[attr-defined]


async def test_a_budget_on_the_overhead_account_stands_in_the_place_of_the_default(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    text = config(more="limits: {overhead_usd_per_day: 0}").replace("budgets: [", f"budgets: [{OWN}, ")
    with one_worker(tmp_path_factory.mktemp("budget"), text) as house:
        assert (await sent(house, embedding(), vector())).failure == ""
        assert await spent_of(house, "overhead:acme") == (80_000, 0)
        assert (await sent(house, embedding(org="other"), vector())).failure == "budget_exceeded"
        await house.parts.ledger.close()


async def test_one_that_its_worker_did_not_survive_is_still_of_the_overhead_account(house: OneWorker) -> None:
    kept: list[bytes] = []
    ledger = house.rooms.ledger
    hold = ledger.hold

    async def watched(request: Any) -> Any:
        kept.append(request.start_record)
        return await hold(request)

    ledger.hold = watched  # type: ignore[method-assign]
    try:
        await sent(house, embedding(), vector())
    finally:
        ledger.hold = hold  # type: ignore[method-assign]
    row = row_of(kept[0])
    assert (row.purpose, row.key_name, row.team) == ("cache_embed", "(overhead)", "")
