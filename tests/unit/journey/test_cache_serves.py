"""The exact cache where it serves: the same bytes without a provider, for nothing, and never what must not be given."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.core.clock import SetClock, utc
from proxy.upstream import UpstreamFailed
from tests.harness.emitted import DONE, chunk, ends
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, Upstream, chat, config, one_worker

SERVES = "cache: {exact: {mode: serve}}"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
EVENTS = (
    chunk({"role": "assistant", "content": "Hi "}),
    chunk({"content": "there"}),
    ends("stop"),
    b"data: " + json.dumps({"id": "c", "choices": [], "usage": USAGE}).encode() + b"\n\n",
    DONE,
)


def body_of(text: str = "Hi", finish: str = "stop", **message: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    told = {"id": "c", "object": "chat.completion", "model": "m-2026", "choices": [choice], "usage": USAGE}
    return json.dumps(told, indent=1).encode()


def whole(text: str = "Hi", finish: str = "stop", **message: Any) -> Answer:
    return Answer(body_of(text, finish, **message), headers=JSON_HEADERS)


async def asked(worker: OneWorker, body: bytes, *answers: Any, **more: Any) -> Client:
    return await worker.call(Client(body, **more), *answers)


def said(client: Client) -> str:
    return client.answered[b"x-flyball-cache-status"].decode()


async def test_the_second_call_is_answered_from_memory(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        first = await asked(worker, chat(), whole())
        spent, _ = await worker.standing()
        second = await asked(worker, chat())
        assert (said(first), said(second)) == ("miss", "hit") and first.text == second.text == body_of()
        assert first.answered[b"cache-status"] == b"flyball; fwd=uri-miss"
        assert second.answered[b"content-length"] == str(len(body_of())).encode()
        assert second.answered[b"x-flyball-cost-usd"] == b"0.00" and second.answered[b"x-flyball-model"] == b"m"
        made, given = worker.rows()
        told = f'flyball; hit; ttl=3600; key="{made["operation_id"]}"; detail=exact'
        assert second.answered[b"cache-status"].decode() == told and second.answered[b"age"] == b"0"
        assert (given["outcome"], given["cost_usd"], given["cache_status"]) == ("cached", "0.000000000", "hit")
        assert (given["cache_saved_usd"], given["cache_entry"]) == ("0.02", made["operation_id"])
        assert (given["model"], given["provider"], given["finish_reason"]) == ("m-2026", "up", "stop")
        assert not [name for name in given if name.endswith("_tokens")] and "attempts" not in given
        assert await worker.standing() == (spent, 0) and len(worker.rows("attempts")) == 1


async def test_a_stream_is_given_as_a_stream(tmp_path: Path) -> None:
    body = chat(stream=True, stream_options={"include_usage": True})
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        first = await asked(worker, body, Answer(*EVENTS))
        second = await asked(worker, body)
        assert (said(first), said(second)) == ("miss", "hit") and first.text == second.text == b"".join(EVENTS)
        assert second.answered[b"content-type"] == b"text/event-stream"
        assert said(await asked(worker, chat(), whole())) == "miss"  # in one piece it is another request


ANTHROPIC = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"Hi"}}\n\n',
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":2}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)
GEMINI = (
    b'data: {"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],"modelVersion":"m"}\r\n\r\n',
    b'data: {"candidates":[{"content":{"parts":[{"text":"."}],"role":"model"},"finishReason":"STOP","index":0}],'
    b'"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5},"modelVersion":"m"}\r\n\r\n',
)


async def test_streams_of_other_dialects_are_given_in_theirs(tmp_path: Path) -> None:
    user = [{"role": "user", "content": "Hello"}]
    claude = json.dumps({"model": "m", "max_tokens": 50, "stream": True, "messages": user}).encode()
    google = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}).encode()
    streaming = "/v1beta/models/m:streamGenerateContent"
    for dialect, path, query, body, events in (
        ("anthropic", "/v1/messages", b"", claude, ANTHROPIC),
        ("gemini", streaming, b"alt=sse", google, GEMINI),
    ):
        (tmp_path / dialect).mkdir()
        with one_worker(tmp_path / dialect, config(provider=f"dialect: {dialect}", more=SERVES)) as worker:
            for status in ("miss", "hit"):
                given = await asked(worker, body, Answer(*events), path=path, query=query)
                assert (said(given), given.text) == (status, b"".join(events)), given.text
            translated = await asked(worker, chat(stream=True), Answer(*events))
            again = await asked(worker, chat(stream=True))
            assert (said(again), again.text) == ("hit", translated.text) and again.text.endswith(DONE)


async def test_embeddings_are_kept_by_their_whole_body(tmp_path: Path) -> None:
    told = json.dumps({"object": "list", "data": [], "model": "embed", "usage": {"prompt_tokens": 3}}).encode()
    body = json.dumps({"model": "embed", "input": ["one", "two"]}).encode()
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        await asked(worker, body, Answer(told, headers=JSON_HEADERS), path="/v1/embeddings")
        assert (await asked(worker, body, path="/v1/embeddings")).text == told
        empty = json.dumps({"model": "embed", "input": ["one", ""]}).encode()
        for _ in range(2):
            seen = await asked(worker, empty, Answer(told, headers=JSON_HEADERS), path="/v1/embeddings")
            assert (said(seen), seen.answered[b"cache-status"]) == ("bypass", b"flyball; fwd=bypass; detail=empty")


NEVER: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"seed": 1}, {"finish": "length"}, "miss"),
    ({"seed": 2}, {"finish": "content_filter"}, "miss"),
    ({"seed": 3}, {"refusal": "I will not."}, "miss"),
    ({"seed": 4}, {"finish": "tool_calls", "tool_calls": [{"id": "a", "function": {"name": "f"}}]}, "miss"),
    ({"n": 2}, {}, "bypass"),
    ({"messages": [{"role": "user", "content": ""}]}, {}, "bypass"),
    (
        {"messages": [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "a", "content": "y"}]},
        {},
        "bypass",
    ),
    ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": []}]}, {}, "bypass"),
]


async def test_what_is_never_kept_is_asked_for_each_time(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        for request_of, answer_of, status in NEVER:
            for _ in range(2):
                seen = await asked(worker, chat(**request_of), whole(**answer_of))
                assert said(seen) == status, (request_of, answer_of)
        for _ in range(2):
            failed = await asked(worker, chat(seed=9), Answer(b'{"error": {}}', status=500, headers=JSON_HEADERS))
            assert failed.status == 500
            cut = await asked(worker, chat(stream=True), Answer(EVENTS[0]))
            assert b"upstream_truncated" in cut.text
        assert "cached" not in {row["outcome"] for row in worker.rows()}


async def test_words_about_tools_and_refusals_keep_nothing_from_the_cache(tmp_path: Path) -> None:
    text = 'He wrote {"role": "tool", "tool_calls": []} and then "refusal": "no", "content": "".'
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        body = chat(messages=[{"role": "user", "content": text}])
        await asked(worker, body, whole(text))
        assert said(await asked(worker, body)) == "hit"


async def test_what_clients_say_of_caches(tmp_path: Path) -> None:
    def control(value: str) -> dict[str, Any]:
        return {"headers": [(b"cache-control", value.encode())]}

    with one_worker(tmp_path, config(more=SERVES)) as worker:
        worker.rooms.clock = clock = SetClock(utc(worker.rooms.clock.now_ns()))
        none = await asked(worker, chat(), **control("only-if-cached"))
        assert (none.status, json.loads(none.text)["error"]["code"]) == (504, "cache_miss")
        assert said(await asked(worker, chat(), whole("a"), **control("no-store"))) == "bypass"
        assert said(await asked(worker, chat(), whole("b"))) == "miss"
        assert (await asked(worker, chat(), **control("only-if-cached"))).text == body_of("b")
        fresh = await asked(worker, chat(), whole("c"), **control("no-cache"))
        assert (said(fresh), fresh.answered[b"cache-status"]) == ("bypass", b"flyball; fwd=request; detail=no_cache")
        assert (await asked(worker, chat())).text == body_of("c")
        clock.move(10)
        assert (await asked(worker, chat(), **control("max-age=10"))).answered[b"age"] == b"10"
        assert said(await asked(worker, chat(), whole("d"), **control("max-age=9"))) == "miss"
        clock.move(3600)
        assert said(await asked(worker, chat(), whole("e"))) == "miss"


async def test_only_if_cached_is_refused_where_no_cache_serves(tmp_path: Path) -> None:
    for folder, more in (("shadow", ""), ("off", "cache: {exact: {mode: disabled}}")):
        (tmp_path / folder).mkdir()
        with one_worker(tmp_path / folder, config(more=more)) as worker:
            none = await asked(worker, chat(), headers=[(b"cache-control", b"only-if-cached")])
            assert none.status == 504 and worker.rows()[0]["code"] == "cache_miss"


async def test_a_repeat_within_one_run_is_asked_anew(tmp_path: Path) -> None:
    one, other = ([(b"x-flyball-run", name)] for name in (b"r1", b"r2"))
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        assert said(await asked(worker, chat(), whole("a"), headers=one)) == "miss"
        again = await asked(worker, chat(), whole("b"), headers=one)
        assert (said(again), again.text) == ("bypass", body_of("b"))
        assert (await asked(worker, chat(), headers=other)).text == body_of("b")
        assert said(await asked(worker, chat(), whole("c"), headers=other)) == "bypass"


async def test_a_hit_passes_the_rules_of_today(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.rego").write_text(
        'package flyball.request\ndeny contains {"code": "no_bots", "msg": "No."} if input.claims.tags.role == "bot"\n'
        'obligations contains {"type": "no_cache"} if input.claims.tags.role == "careful"\n'
    )
    (tmp_path / "rules" / "route.rego").write_text(
        'package flyball.route\ndeny contains {"code": "revoked", "msg": "No."} if input.claims.tags.role == "late"\n'
    )
    (tmp_path / "rules" / "response.rego").write_text(
        'package flyball.response\ndeny contains {"code": "dear", "msg": "No."} if {\n'
        '\tinput.response.usage.input == 1000\n\tinput.claims.tags.role == "frugal"\n}\n'
    )

    def tagged(role: str) -> dict[str, Any]:
        return {"headers": [(b"x-flyball-tags", f"role={role}".encode())]}

    with one_worker(tmp_path, config(more=f"{SERVES}\npolicy: {{dir: rules}}")) as worker:
        assert said(await asked(worker, chat(), whole(), **tagged("x1"))) == "miss"
        assert said(await asked(worker, chat(), **tagged("x2"))) == "hit"
        for role in ("bot", "late", "frugal"):
            refused = await asked(worker, chat(), **tagged(role))
            assert (refused.status, refused.text.find(b"Hi")) == (403, -1), role
        assert said(await asked(worker, chat(), whole("new"), **tagged("careful"))) == "bypass"
        assert (await asked(worker, chat(), **tagged("x3"))).text == body_of()


async def test_limits_count_a_hit_and_ladders_let_it_through(tmp_path: Path) -> None:
    limits = 'rate_limits: [{name: pace, scope: "org:acme", limit_requests: 3, window: day}]'
    budget = "limit_usd: 0.04, ladder: [{at: 0.4, do: cache_only}]"
    with one_worker(tmp_path, config(more=f"{SERVES}\n{limits}", budget=budget)) as worker:
        assert said(await asked(worker, chat(), whole())) == "miss"
        other = await asked(worker, chat(seed=1))
        assert (other.status, json.loads(other.text)["error"]["flyball"]["step"]) == (402, "cache_only")
        assert said(await asked(worker, chat())) == "hit"
        assert said(await asked(worker, chat())) == "hit"
        assert (await asked(worker, chat())).status == 429


async def test_a_price_for_a_hit(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more="cache: {exact: {mode: serve, price_per_hit_usd: 0.001}}")) as worker:
        await asked(worker, chat(), whole())
        spent, _ = await worker.standing()
        given = await asked(worker, chat())
        assert given.answered[b"x-flyball-cost-usd"] == b"0.001"
        assert await worker.standing() == (spent + 1_000_000, 0)
        row = worker.rows()[1]
        assert (row["cost_usd"], row["cache_saved_usd"]) == ("0.001000000", "0.019")


async def test_what_was_purged_is_asked_for_anew(tmp_path: Path) -> None:
    tagged = {"headers": [(b"x-flyball-tags", b"env=prod")]}
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        for number, target in enumerate(("all", "model:m-2026", "model:m", "tag:env=prod", "entry")):
            assert said(await asked(worker, chat(), whole(str(number)), **tagged)) == "miss", target
            assert said(await asked(worker, chat())) == "hit"
            entry = worker.rows()[-2]["operation_id"]
            named = f"entry:{entry}" if target == "entry" else target
            worker.stores.purges.purge(named, org="other", by="anna")
            worker.parts.configured.reload_switches()
            assert said(await asked(worker, chat())) == "hit"
            worker.stores.purges.purge(named, org="acme", by="anna")
            worker.parts.configured.reload_switches()
        assert said(await asked(worker, chat(), whole("last"))) == "miss"


async def test_an_answer_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more="cache: {exact: {mode: serve, max_answer_kb: 1}}")) as worker:
        for body, answer in (
            (chat(), whole("x" * 2000)),
            (chat(stream=True), Answer(chunk({"content": "x" * 2000}), *EVENTS)),
        ):
            assert said(await asked(worker, body, answer)) == "miss"
        assert said(await asked(worker, chat(), whole())) == "miss"


class Gated(Answer):
    """An answer that begins when it is let go."""

    def __init__(self, *script: Any, **more: Any) -> None:
        self.opened = asyncio.Event()
        super().__init__(script[0], self._open, *script[1:], **more)

    async def _open(self) -> None:
        await self.opened.wait()


async def together(worker: OneWorker, clients: list[Client], *answers: Any) -> list[asyncio.Task[Client]]:
    """Calls under way at once, all of which have come as far as they come by themselves."""
    worker.rooms.transport = Upstream(*answers)

    async def one(client: Client) -> Client:
        await worker.parts.port(client.scope, client.receive, client.send)
        return client

    tasks = [asyncio.ensure_future(one(client)) for client in clients]
    flights = worker.rooms.cache.exact.flights
    async with asyncio.timeout(30):
        while not len(flights) or flights.waiters < len(clients) - 1:  # noqa: ASYNC110 - who waits tells nobody
            await asyncio.sleep(0.005)
    return tasks


def streams(count: int) -> list[Client]:
    return [Client(chat(stream=True)) for _ in range(count)]


async def test_one_call_for_many_alike_at_once(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        answer = Gated(*EVENTS)
        calls = await together(worker, streams(200), answer)
        answer.opened.set()
        given = await asyncio.gather(*calls)
        sent = given[0].text
        assert sent.endswith(DONE) and {client.text for client in given} == {sent}
        assert sorted(said(client) for client in given) == ["hit"] * 199 + ["miss"]
        rows = worker.rows()
        assert [row["cost_usd"] for row in rows].count("0.020000000") == 1 and len(worker.rows("attempts")) == 1
        assert sum(row["outcome"] == "cached" for row in rows) == 199
        assert await worker.standing() == (20_000_000, 0) and not len(worker.rooms.cache.exact.flights)


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_the_leader_may_hang_up(tmp_path: Path, is_streamed: bool) -> None:
    with one_worker(tmp_path, config(provider="on_client_disconnect: cancel", more=SERVES)) as worker:
        answer = Gated(*EVENTS) if is_streamed else Gated(b"", body_of(), headers=JSON_HEADERS)
        clients = [Client(chat(stream=is_streamed)) for _ in range(5)]
        calls = await together(worker, clients, answer)
        clients[0].hang_up()
        for _ in range(5):
            await asyncio.sleep(0)
        answer.opened.set()
        given = (await asyncio.gather(*calls))[1:]
        assert {said(client) for client in given} == {"hit"} and len({client.text for client in given}) == 1
        assert len(worker.rows("attempts")) == 1
        assert sorted(row["outcome"] for row in worker.rows()) == ["cached"] * 4 + ["cancelled"]
        assert await worker.standing() == (20_000_000, 0)


async def test_a_leader_that_fails_is_followed_by_the_next(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        broken = Gated(EVENTS[0], UpstreamFailed("reset", "gone", sent=True))
        calls = await together(worker, streams(5), broken, Answer(*EVENTS))
        broken.opened.set()
        given = await asyncio.gather(*calls)
        assert b"upstream_truncated" in given[0].text
        assert [said(client) for client in given].count("hit") == 3 and len(worker.rows("attempts")) == 2
        assert {client.text[-len(DONE) :] for client in given[1:]} == {DONE}


async def test_an_answer_that_is_nobody_elses_is_asked_for_by_each(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        first = Gated(b"", body_of(finish="length"), headers=JSON_HEADERS)
        calls = await together(worker, [Client(chat()) for _ in range(3)], first, whole("b"), whole("c"))
        first.opened.set()
        given = await asyncio.gather(*calls)
        assert sorted(client.text for client in given) == sorted([body_of(finish="length"), body_of("b"), body_of("c")])


async def test_who_waits_may_leave(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more=SERVES)) as worker:
        clients, answer = streams(3), Gated(*EVENTS)
        calls = await together(worker, clients, answer)
        clients[1].hang_up()
        await asyncio.wait([calls[1]])
        answer.opened.set()
        await asyncio.gather(*calls)
        assert clients[1].sent == [] and clients[2].text.endswith(DONE)
        left = next(row for row in worker.rows() if row["outcome"] == "cancelled")
        assert (left["error"], left["cost_usd"]) == ("client_left", "0.000000000")
