"""A hold that grows with its stream, and a stream that ends with its money."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import Granted, HoldRequest, Ledger, LedgerUnavailable
from proxy.core.money import Nano
from tests.harness.one_worker import DONE, Answer, Client, OneWorker, chat, config, one_worker

STEP = 256
WORDS = ("the ", "quick ", "brown ", "fox ", "jumps ", "over ", "a ", "lazy ")
TOKEN_NANO = 100_000
"""What an output token costs, in nano-dollars; the prompt of these tests costs less than a hundred of them."""


def event(text: str, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def words(count: int) -> list[bytes]:
    """So many events of one token each."""
    return [event(WORDS[number % len(WORDS)]) for number in range(count)]


def told_usage(tokens: int) -> bytes:
    usage = {"prompt_tokens": 8, "completion_tokens": tokens, "total_tokens": tokens + 8}
    return b"data: " + json.dumps({"id": "c", "model": "m", "choices": [], "usage": usage}).encode() + b"\n\n"


class Watched:
    """The ledger, with what is asked of it written down."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.steps: list[str] = []
        self.fails = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def hold(self, request: Any) -> Any:
        self.steps.append("hold")
        return await self._ledger.hold(request)

    async def extend(self, operation: str, more: Any) -> Any:
        self.steps.append("extend")
        if self.fails:
            raise LedgerUnavailable("away")
        return await self._ledger.extend(operation, more)

    async def settle(self, *given: Any, **named: Any) -> Any:
        self.steps.append("settle")
        return await self._ledger.settle(*given, **named)


def house_of(folder: Path, limit: str) -> Iterator[tuple[OneWorker, Watched]]:
    more = f"holds: {{first_hold_output_tokens: {STEP}}}\nmetering: {{margin_percent: 0}}"
    with one_worker(folder, config(budget=f"limit_usd: {limit}", more=more)) as house:
        watched = Watched(house.rooms.ledger)
        house.rooms.ledger = watched
        yield house, watched


@pytest.fixture
async def rich(tmp_path: Path) -> "Iterator[tuple[OneWorker, Watched]]":  # type: ignore[misc]
    for pair in house_of(tmp_path, "1000"):
        yield pair
        await pair[0].parts.ledger.close()


@pytest.fixture
async def poor(tmp_path: Path) -> "Iterator[tuple[OneWorker, Watched]]":  # type: ignore[misc]
    """Money for about one and a half steps."""
    for pair in house_of(tmp_path, "0.0400"):
        yield pair
        await pair[0].parts.ledger.close()


STREAM = chat(stream=True, max_tokens=None)


async def test_a_short_stream_asks_the_ledger_nothing_more(rich: tuple[OneWorker, Watched]) -> None:
    house, ledger = rich
    await house.call(Client(STREAM), Answer(*words(80), event("", "stop"), told_usage(80), DONE))
    assert ledger.steps == ["hold", "settle"]
    assert house.rows()[0]["outcome"] == "ok"


async def test_a_bounded_stream_is_never_extended(rich: tuple[OneWorker, Watched]) -> None:
    house, ledger = rich
    body = chat(stream=True, max_tokens=1000)
    await house.call(Client(body), Answer(*words(900), event("", "stop"), told_usage(900), DONE))
    assert ledger.steps == ["hold", "settle"]


async def test_a_long_stream_is_covered_all_along(rich: tuple[OneWorker, Watched]) -> None:
    house, ledger = rich
    held: list[tuple[int, int]] = []

    def look(tokens: int) -> Any:
        async def note() -> None:
            held.append((tokens, (await house.standing())[1]))

        return note

    script: list[Any] = []
    for number, part in enumerate(words(2000), start=1):
        script.append(part)
        if number % 50 == 0:
            script.append(look(number))
    client = await house.call(Client(STREAM), Answer(*script, event("", "stop"), told_usage(2000), DONE))
    assert client.text.endswith(DONE)
    assert len(held) == 40
    for tokens, amount in held:
        assert tokens * TOKEN_NANO <= amount, (tokens, held)
        # Never far ahead of what flows either: that would be money kept from others.
        assert amount <= (tokens + STEP * 1.5) * TOKEN_NANO, (tokens, held)
    (row,) = house.rows()
    assert (row["outcome"], row.get("code"), row.get("overrun_usd")) == ("ok", None, None)
    assert float(row["held_usd"]) >= float(row["cost_usd"])
    spent, left = await house.standing()
    assert (spent, left) == (2000 * TOKEN_NANO + 8 * TOKEN_NANO // 10, 0)
    assert ledger.steps.count("extend") == 8


def chunks(client: Client) -> list[dict[str, Any]]:
    """The chunks of a stream that ends as it must."""
    *events, done, rest = client.text.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(each.removeprefix(b"data: ")) for each in events]


async def test_a_stream_ends_with_its_money(poor: tuple[OneWorker, Watched]) -> None:
    house, ledger = poor
    answer = Answer(*words(2000), event("", "stop"), told_usage(2000), DONE)
    client = await house.call(Client(STREAM), answer)
    *relayed, last = chunks(client)
    assert last["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"}]
    assert last["id"] == "c"
    (row,) = house.rows()
    facts = last["flyball"]
    assert (facts["operation"], facts["code"], facts["budget"]) == (row["operation_id"], "budget_exceeded", "own")
    assert (facts["scope"], facts["limit_usd"]) == ("key:acme/support/bot", "0.04")
    assert (row["outcome"], row["code"], row["status"]) == ("truncated", "budget_exceeded", 200)
    assert row["refused_by"].endswith("/own")
    assert row["finish_reason"] == "length"
    assert "'own'" in row["reason"]
    assert row["usage_source"] == "estimated"
    # The last word's space is a token of its own where the text ends with it.
    assert row["output_tokens"] - len(relayed) in (0, 1)
    # 1.5 steps of money, and little of it unused.
    assert 0.85 * 390 < len(relayed) <= 400
    spent, held = await house.standing()
    assert held == 0
    assert spent <= 40_000_000
    assert "overrun_usd" not in row
    assert answer.aborted.is_set()
    assert ledger.steps[-1] == "settle"


async def test_every_choice_that_is_under_way_ends(tmp_path: Path) -> None:
    """Two choices are held for two steps at once, and share what is held."""
    for house, _ in house_of(tmp_path, "0.0600"):
        first = [event(WORDS[number % len(WORDS)]) for number in range(100)]
        second = [part.replace(b'"index": 0', b'"index": 1') for part in words(2000)]
        body = chat(stream=True, max_tokens=None, n=2)
        *relayed, last = chunks(await house.call(Client(body), Answer(*first, event("", "stop"), *second)))
        assert [choice["index"] for choice in last["choices"]] == [1]
        assert 0.9 * STEP * 2 < len(relayed) <= 600
        assert "overrun_usd" not in house.rows()[0]
        await house.parts.ledger.close()


async def test_a_burst_does_not_run_past_the_hold(poor: tuple[OneWorker, Watched]) -> None:
    """When money is short chunks are taken apart: only whole events that are covered are passed on."""
    house, _ = poor
    parts = words(2000)
    bursts = [b"".join(parts[at : at + 40]) for at in range(0, 2000, 40)]
    *relayed, last = chunks(await house.call(Client(STREAM), Answer(*bursts)))
    assert last["choices"][0]["finish_reason"] == "length"
    assert len(relayed) > 0.9 * 390
    (row,) = house.rows()
    assert "overrun_usd" not in row
    assert (await house.standing())[0] <= 40_000_000


async def test_one_large_read_does_not_run_past_the_hold(poor: tuple[OneWorker, Watched]) -> None:
    """A client that reads slowly makes reads large: they are looked at in parts from the beginning."""
    house, ledger = poor
    *relayed, last = chunks(await house.call(Client(STREAM), Answer(b"".join(words(2000)))))
    assert last["choices"][0]["finish_reason"] == "length"
    assert 0.9 * 390 < len(relayed) <= 400
    assert "extend" in ledger.steps
    assert "overrun_usd" not in house.rows()[0]


async def test_usage_follows_the_cut_where_it_was_asked_for(poor: tuple[OneWorker, Watched]) -> None:
    house, _ = poor
    body = chat(stream=True, max_tokens=None, stream_options={"include_usage": True})
    *_, last, usage = chunks(await house.call(Client(body), Answer(*words(2000))))
    (row,) = house.rows()
    assert last["choices"][0]["finish_reason"] == "length"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == row["output_tokens"]
    assert usage["usage"]["prompt_tokens"] == row["input_tokens"]


async def test_a_stream_that_is_over_is_not_cut(poor: tuple[OneWorker, Watched]) -> None:
    """Its last words come at once, past the mark: nothing more is made, so nothing is asked."""
    house, ledger = poor
    last = event("".join(WORDS) * 40, "stop")
    client = await house.call(Client(STREAM), Answer(*words(50), last, told_usage(370), DONE))
    assert chunks(client)[-1]["usage"]["completion_tokens"] == 370
    assert house.rows()[0]["outcome"] == "ok"
    assert ledger.steps == ["hold", "settle"]


async def test_money_that_comes_back_in_time_is_used(poor: tuple[OneWorker, Watched]) -> None:
    """Another call holds what this one needs when it asks first, and gives it back while this one still flows."""
    house, ledger = poor
    lines = house.rooms.snapshot().budgets.lines_for(("key:acme/support/bot",), house.rooms.clock.now_ns())
    other = HoldRequest(
        operation="op_other",
        worker="wrk_other",
        lines=lines,
        amount=Nano(13_000_000),
        charged_at_ns=0,
        lease_until_ns=house.rooms.clock.now_ns() + 10**12,
        start_record=b"{}",
    )
    assert isinstance(await ledger.hold(other), Granted)

    async def give_back() -> None:
        assert ledger.steps.count("extend") == 1
        await ledger.release("op_other")

    script: list[Any] = [*words(215), give_back, *words(85), event("", "stop"), told_usage(300), DONE]
    await house.call(Client(STREAM), Answer(*script))
    assert house.rows()[0]["outcome"] == "ok"


async def test_without_a_ledger_it_flows_as_far_as_it_is_held(rich: tuple[OneWorker, Watched]) -> None:
    house, ledger = rich
    ledger.fails = True
    *relayed, last = chunks(await house.call(Client(STREAM), Answer(*words(2000))))
    assert 0.9 * STEP < len(relayed) <= STEP
    assert (last["flyball"]["code"], last["flyball"]["dependency"]) == ("dependency_unavailable", "ledger")
    (row,) = house.rows()
    assert (row["outcome"], row["code"]) == ("truncated", "dependency_unavailable")


async def test_a_response_is_ended_incomplete(poor: tuple[OneWorker, Watched]) -> None:
    house, _ = poor

    def said(kind: str, number: int, **more: Any) -> bytes:
        return b"data: " + json.dumps({"type": kind, "sequence_number": number, **more}).encode() + b"\n\n"

    script = [
        said("response.created", 0, response={"id": "r", "object": "response", "model": "m", "output": []}),
        said("response.output_item.added", 1, output_index=0, item={"id": "i", "type": "message", "content": []}),
        *[said("response.output_text.delta", n + 2, delta=WORDS[n % len(WORDS)]) for n in range(2000)],
    ]
    body = json.dumps({"model": "m", "stream": True, "input": "Hello"}).encode()
    client = await house.call(Client(body, path="/v1/responses"), Answer(*script))
    *relayed, last, rest = client.text.split(b"\n\n")
    assert rest == b""
    told = json.loads(last.partition(b"data: ")[2])
    assert told["type"] == "response.incomplete"
    assert told["sequence_number"] == len(relayed)
    text = told["response"]["output"][0]["content"][0]["text"]
    assert len(text.split()) == len(relayed) - 2
    assert house.rows()[0]["code"] == "budget_exceeded"


async def counted(folder: Path, budget: str, more: str = "") -> tuple[list[dict[str, Any]], dict[str, Any], list[Any]]:
    """A stream of 2000 tokens without a maximum: its chunks, its row, and where the key's lines stand afterwards."""
    holds = f"holds: {{first_hold_output_tokens: {STEP}}}\nmetering: {{margin_percent: 0}}\n{more}"
    with one_worker(folder, config(budget=budget, more=holds)) as house:
        client = await house.call(Client(STREAM), Answer(*words(2000), event("", "stop"), told_usage(2000), DONE))
        lines = house.rooms.snapshot().budgets.lines_for(("key:acme/support/bot",), house.rooms.clock.now_ns())
        balances = await house.rooms.ledger.balances(lines)
        await house.parts.ledger.close()
        return chunks(client), house.rows()[0], list(balances)


RATE = 'rate_limits: [{{name: rate, scope: "key:acme/support/bot", window: day, {}}}]'


@pytest.mark.parametrize("unit", ["limit_tokens: 600", "tokens: output, limit_tokens: 600"])
async def test_a_budget_in_tokens_ends_a_stream_with_its_tokens(tmp_path: Path, unit: str) -> None:
    (*relayed, last), row, (balance,) = await counted(tmp_path, unit)
    facts = last["flyball"]
    assert (facts["code"], facts["budget"], facts["limit_tokens"]) == ("budget_exceeded", "own", 600)
    assert not [name for name in facts if name.endswith("_usd")]
    assert 0.75 * 600 < len(relayed) <= 600
    assert (row["outcome"], row["code"]) == ("truncated", "budget_exceeded")
    assert balance.held == 0
    assert len(relayed) <= balance.spent <= 600


async def test_money_and_tokens_grow_together(tmp_path: Path) -> None:
    (*_, last), row, (tokens,) = await counted(tmp_path, "limit_tokens: 5000")
    assert (last["usage"]["completion_tokens"], row["outcome"], tokens.spent) == (2000, "ok", 2008)


async def test_a_run_ends_its_stream_with_what_it_may_use(tmp_path: Path) -> None:
    more = "runs: {limits: [{tokens: 600}]}"
    with one_worker(tmp_path, config(more=f"holds: {{first_hold_output_tokens: {STEP}}}\n{more}")) as house:
        client = Client(STREAM, headers=[(b"x-flyball-run", b"r1")])
        await house.call(client, Answer(*words(2000), event("", "stop"), DONE))
        await house.parts.ledger.close()
    facts = chunks(client)[-1]["flyball"]
    assert (facts["code"], facts["run"], facts["limit_tokens"]) == ("run_stopped", "r1", 600)


async def test_a_run_keeps_its_depth_where_its_stream_was_extended(tmp_path: Path) -> None:
    """Regression: the row of such a call said depth 0, as if it were of no run."""
    more = "runs: {limits: [{tokens: 6000}]}"
    with one_worker(tmp_path, config(more=f"holds: {{first_hold_output_tokens: {STEP}}}\n{more}")) as house:
        client = Client(STREAM, headers=[(b"x-flyball-run", b"r1")])
        await house.call(client, Answer(*words(400), event("", "stop"), told_usage(400), DONE))
        await house.parts.ledger.close()
    assert (house.rows()[0]["run"], house.rows()[0]["run_depth"]) == ("r1", 1)


async def test_no_answer_is_cut_for_a_rate(tmp_path: Path) -> None:
    """What it took beyond the rate is booked, and the calls after it wait for that."""
    (*_, last), row, balances = await counted(tmp_path, "limit_usd: 1000", RATE.format("limit_tokens: 600"))
    assert (last["usage"]["completion_tokens"], row["outcome"]) == (2000, "ok")
    assert float(row["held_usd"]) >= float(row["cost_usd"])
    assert {balance.line.name: balance.spent for balance in balances}["rate"] == 2008
