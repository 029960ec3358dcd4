"""The semantic cache where it serves: a question that asks the same gets the kept answer, and some hits are audited."""

import json
from pathlib import Path
from typing import Any

import pytest

from proxy.config import BadConfig
from tests.harness.emitted import DONE, chunk, ends
from tests.harness.one_worker import Answer, Client, OneWorker, config, one_worker
from tests.unit.journey.test_semantic_shadow import ALIKE, ASKED, OPPOSITE, PARIS, USAGE, asking, found, told, whole

WRONG = "Bananas are rich in potassium."


def serving(share: str = "0", more: str = "") -> str:
    semantic = f"mode: serve, deadline_ms: 20000, audit_share: {share}"
    return config(more=f"cache: {{exact: {{mode: serve}}, semantic: {{{semantic}}}}}\n{more}")


async def given(worker: OneWorker, body: bytes, *answers: Answer, **more: Any) -> tuple[Client, dict[str, Any]]:
    """A call that is answered from memory: nobody else would answer it."""
    client = await worker.call(Client(body, **more), *answers)
    (row,) = [row for row in worker.rows() if row["operation_id"].encode() == client.answered[b"x-flyball-operation"]]
    return client, row


async def test_a_paraphrase_is_given_the_kept_answer_and_costs_nothing(tmp_path: Path) -> None:
    with one_worker(tmp_path, serving()) as worker:
        first = await worker.call(Client(asking(ASKED)), whole(worker, PARIS))
        await found(worker)()
        client, row = await given(worker, asking(ALIKE))
        spent, held = await worker.standing()
    assert (client.status, client.text) == (200, first.text)
    assert client.answered[b"x-flyball-cache-status"] == b"hit"
    assert b"detail=semantic; similarity=0.9" in client.answered[b"cache-status"]
    assert (row["outcome"], row["cache_status"], row["cache_kind"]) == ("cached", "hit", "semantic")
    assert row["cache_entry"].encode() == first.answered[b"x-flyball-operation"]
    assert row["cache_similarity"] > 0.85
    assert (row["cache_saved_usd"], row.get("input_tokens", 0)) == ("0.02", 0)
    assert (spent, held) == (20_000_000, 0)


async def test_a_stream_is_given_as_a_stream(tmp_path: Path) -> None:
    with one_worker(tmp_path, serving()) as worker:
        usage = b"data: " + json.dumps({"id": "c", "choices": [], "usage": USAGE}).encode() + b"\n\n"
        answer = Answer(found(worker), chunk({"role": "assistant", "content": PARIS}), ends("stop"), usage, DONE)
        first = await worker.call(Client(asking(ASKED, stream=True)), answer)
        await found(worker)()
        client, row = await given(worker, asking(ALIKE, stream=True))
    assert client.text == first.text
    assert client.answered[b"content-type"].startswith(b"text/event-stream")
    assert row["outcome"] == "cached"


async def test_near_misses_and_what_may_not_be_given_are_asked_anew(tmp_path: Path) -> None:
    with one_worker(tmp_path, serving()) as worker:
        for one, other in OPPOSITE:
            await told(worker, asking(one))
            assert (await told(worker, asking(other)))["outcome"] == "ok"
        await told(worker, asking(ASKED))
        for header in (
            (b"cache-control", b"no-cache"),
            (b"cache-control", b"no-store"),
            (b"x-flyball-similarity", b"0.9999"),
        ):
            assert (await told(worker, asking(ALIKE + " " * len(header[1])), headers=[header]))["outcome"] == "ok"
        cached = await worker.call(Client(asking(ALIKE), headers=[(b"cache-control", b"only-if-cached")]))
        missed = await worker.call(
            Client(asking(OPPOSITE[0][0] + " Why?"), headers=[(b"cache-control", b"only-if-cached")])
        )
    assert (cached.status, missed.status) == (200, 504)


async def test_a_run_that_asks_again_in_other_words_is_not_given_the_same_again(tmp_path: Path) -> None:
    with one_worker(tmp_path, serving()) as worker:
        run = [(b"x-flyball-run", b"r1")]
        await told(worker, asking(ASKED), headers=run)
        assert (await told(worker, asking(ALIKE), headers=run))["outcome"] == "ok"
        _, row = await given(worker, asking("What is the capital of France"), headers=[(b"x-flyball-run", b"r2")])
        assert row["outcome"] == "cached"


async def test_a_hit_that_is_audited_is_asked_again_on_the_overhead_account_and_counted(tmp_path: Path) -> None:
    with one_worker(tmp_path, serving("1")) as worker:
        first = await worker.call(Client(asking(ASKED)), whole(worker, PARIS))
        await found(worker)()
        client, _ = await given(worker, asking(ALIKE), whole(worker, WRONG))
        await worker.rooms.errands.close(20)
        audit = worker.rows()[-1]
        semantic = worker.rooms.semantic
        assert semantic is not None
        assert client.text == first.text
        assert (audit["purpose"], audit["cache_status"], audit["cache_kind"]) == ("cache_audit", "audit", "semantic")
        assert audit["beside"].encode() == client.answered[b"x-flyball-operation"]
        assert audit["cache_agreement"] < 0.5
        assert (semantic.audits.standing("acme", "m").looked_at, semantic.audits.standing("acme", "m").false) == (1, 1)


async def test_a_route_whose_hits_were_false_serves_none_any_more(tmp_path: Path) -> None:
    with one_worker(tmp_path, serving()) as worker:
        await told(worker, asking(ASKED))
        semantic = worker.rooms.semantic
        assert semantic is not None
        assert semantic.audits.note("acme", "m", is_false=True)
        assert semantic.audits.standing("acme", "m").is_off
        assert (await told(worker, asking(ALIKE)))["outcome"] == "ok"


def test_it_needs_the_exact_cache_to_serve_too(tmp_path: Path) -> None:
    text = config(more="cache: {semantic: {mode: serve}}")
    with (
        pytest.raises(BadConfig, match=r"cache\.semantic\.mode needs exact\.mode: serve"),
        one_worker(tmp_path, text),
    ):
        pass
