"""The semantic cache in shadow: every call is paid for, and its row says what would have been given instead."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.config import BadConfig
from proxy.upstream import UpstreamRequest
from tests.harness.emitted import DONE, chunk, ends
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
PARIS = "The capital of France is Paris."
ASKED, ALIKE = "What is the capital of France?", "What's France's capital?"
OPPOSITE = [("Is it safe to swim here?", "Is it not safe to swim here?"), ("From A to B?", "From B to A?")]


def settings(more: str = "mode: shadow, deadline_ms: 20000", overrides: str = "") -> str:
    return config(more=f"cache: {{exact: {{mode: disabled}}, semantic: {{{more}}}, overrides: [{overrides}]}}")


def asking(text: str, **more: Any) -> bytes:
    return chat(**{"messages": [{"role": "user", "content": text}], **more})


def found(worker: OneWorker) -> Callable[[], Awaitable[None]]:
    """Waits for the look that goes on beside the call, as a provider's thinking does."""

    async def wait() -> None:
        semantic = worker.rooms.semantic
        assert semantic is not None
        await asyncio.wrap_future(semantic._begin(lambda: None))

    return wait


def whole(worker: OneWorker, said: str, finish: str = "stop", **message: Any) -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", "content": said, **message}, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": USAGE}
    return Answer(found(worker), json.dumps(body).encode(), headers=JSON_HEADERS)


async def told(worker: OneWorker, body: bytes, said: str = PARIS, **more: Any) -> dict[str, Any]:
    """The row of a call that was answered so."""
    client = await worker.call(Client(body, **more), whole(worker, said))
    assert client.status == 200, client.text
    await found(worker)()
    return worker.rows()[-1]


async def test_a_paraphrase_would_have_been_given_the_kept_answer(tmp_path: Path) -> None:
    with one_worker(tmp_path, settings()) as worker:
        first = await told(worker, asking(ASKED))
        second = await told(worker, asking(ALIKE))
    assert "cache_status" not in first
    assert (second["cache_status"], second["cache_kind"]) == ("would_hit", "semantic")
    assert second["cache_entry"] == first["operation_id"]
    assert second["cache_similarity"] > 0.85
    assert second["cache_agreement"] == 1.0
    assert (second["outcome"], second["cost_usd"]) == ("ok", "0.020000000")
    assert second["cache_would_save_usd"] == "0.02"


async def test_a_stream_is_watched_too(tmp_path: Path) -> None:
    with one_worker(tmp_path, settings()) as worker:
        usage = b"data: " + json.dumps({"id": "c", "choices": [], "usage": USAGE}).encode() + b"\n\n"
        for text in (ASKED, ALIKE):
            answer = Answer(found(worker), chunk({"role": "assistant", "content": PARIS}), ends("stop"), usage, DONE)
            await worker.call(Client(asking(text, stream=True)), answer)
        await found(worker)()
        assert [row.get("cache_status", "") for row in worker.rows()] == ["", "would_hit"]


async def test_an_answer_that_differs_is_a_false_hit_and_raises_the_threshold(tmp_path: Path) -> None:
    with one_worker(tmp_path, settings()) as worker:
        await told(worker, asking(ASKED))
        row = await told(worker, asking(ALIKE), said="Bananas are rich in potassium.")
        semantic = worker.rooms.semantic
        assert semantic is not None
        standing = semantic.audits.standing("acme", "m")
        assert row["cache_agreement"] < 0.5
        assert (standing.looked_at, standing.false) == (1, 1)
        assert semantic.audits.threshold("acme", "m", 0.85) == pytest.approx(0.87)


async def test_near_misses_and_other_partitions_are_none(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    question = {"role": "user", "content": ALIKE}
    others: list[dict[str, Any]] = [
        {"temperature": 0.5},
        {"seed": 7},
        {"response_format": {"type": "json_object"}},
        {"model": "cheap"},
        {"stream": True},
        {"messages": [system, question]},
        {"messages": [*turns, question]},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
    ]
    with one_worker(tmp_path, settings()) as worker:
        await told(worker, asking(ASKED))
        for change in others:
            await worker.call(Client(asking(ALIKE, **change)), whole(worker, PARIS))
        for one, other in OPPOSITE:
            await told(worker, asking(one))
            await told(worker, asking(other))
        assert not [row for row in worker.rows() if "cache_status" in row]


async def test_what_is_never_kept(tmp_path: Path) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    with one_worker(tmp_path, settings()) as worker:
        for finish, message in (("length", {}), ("content_filter", {}), ("tool_calls", {"tool_calls": [call]})):
            await worker.call(Client(asking(ASKED)), whole(worker, PARIS, finish, **message))
        await told(worker, asking(ASKED), said="  ")
        row = await told(worker, asking(ALIKE))
        semantic = worker.rooms.semantic
        assert semantic is not None
        assert "cache_status" not in row
        assert len(semantic._index) == 1  # the last one's own


async def test_a_client_may_raise_the_threshold_and_never_lower_it(tmp_path: Path) -> None:
    with one_worker(tmp_path, settings("mode: shadow, threshold: 0.9, deadline_ms: 20000")) as worker:
        await told(worker, asking(ASKED))
        raised = await told(worker, asking(ALIKE), headers=[(b"x-flyball-similarity", b"0.9999")])
        assert "cache_status" not in raised
        near = "Which city is the capital of France?"
        assert "cache_status" in await told(worker, asking(near), headers=[(b"x-flyball-similarity", b"0")])
        refused = await worker.call(Client(asking(ALIKE), headers=[(b"x-flyball-similarity", b"high")]))
        assert refused.status == 400
        assert "from 0 to 1" in json.loads(refused.text)["error"]["message"]


async def test_modes_of_an_organisation_and_of_a_route(tmp_path: Path) -> None:
    text = settings("mode: disabled, deadline_ms: 20000", "{org: ac*, route: cheap, semantic: shadow}")
    with one_worker(tmp_path, text) as worker:
        for model in ("m", "cheap"):
            await told(worker, asking(ASKED, model=model))
            await told(worker, asking(ALIKE, model=model))
        assert [row.get("cache_status", "") for row in worker.rows()] == ["", "", "", "would_hit"]


async def test_a_broken_cache_breaks_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with one_worker(tmp_path, settings()) as worker:
        semantic = worker.rooms.semantic
        assert semantic is not None

        def broken(_: str) -> Any:
            raise OSError("no model")

        monkeypatch.setattr(semantic.embedder, "embed", broken)
        for text in (ASKED, ALIKE):
            assert "cache_status" not in await told(worker, asking(text))


def test_where_nobody_has_one_nothing_is_loaded(tmp_path: Path) -> None:
    with one_worker(tmp_path, config()) as worker:
        assert worker.rooms.semantic is None
    assert not (tmp_path / "state" / "semantic.sqlite").exists()


async def test_nothing_that_was_said_stands_in_the_file(tmp_path: Path) -> None:
    with one_worker(tmp_path, settings()) as worker:
        await told(worker, asking(ASKED))
    kept = b"".join(file.read_bytes() for file in (tmp_path / "state").glob("semantic.sqlite*"))
    assert len(kept) > 1000
    assert b"capital" not in kept and b"Paris" not in kept


class Provider:
    """A Transport that makes vectors, and answers chats once the call's vector has been looked up."""

    def __init__(self, worker: OneWorker, numbers: tuple[float, ...]) -> None:
        self._worker = worker
        self._numbers = numbers

    async def send(self, request: UpstreamRequest) -> Answer:
        """A vector, or a chat's answer."""
        if request.path.endswith("/embeddings"):
            body = {
                "data": [{"index": 0, "embedding": self._numbers}],
                "usage": {"prompt_tokens": 7, "total_tokens": 7},
            }
            return Answer(json.dumps({"object": "list", "model": "embed", **body}).encode(), headers=JSON_HEADERS)
        return Answer(self._embedded, *whole(self._worker, PARIS)._script, headers=JSON_HEADERS)

    async def _embedded(self) -> None:
        while len(self._worker.rooms.errands):  # noqa: ASYNC110  as long as it takes
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        """Nothing is open."""


async def test_vectors_may_come_from_a_provider_on_the_overhead_account(tmp_path: Path) -> None:
    embedder = "{provider: up, model: embed, dimension: 3}"
    asks: list[tuple[str, tuple[float, ...]]] = [
        (ASKED, (0.0, 3.0, 4.0)),
        (ALIKE, (0.0, 3.1, 4.0)),
        ("Which city is the capital of France?", (1.0, 0.0, 0.0)),  # far away, whatever the gate says
        ("What is the capital of France", (1.0, 0.0)),  # no vector of this model
    ]
    rows = []
    with one_worker(tmp_path, settings(f"mode: shadow, deadline_ms: 20000, embedder: {embedder}")) as worker:
        for text, numbers in asks:
            client = Client(asking(text))
            worker.rooms.transport = Provider(worker, numbers)
            await worker.parts.port(client.scope, client.receive, client.send)
            assert client.status == 200
            await found(worker)()
            own = client.answered[b"x-flyball-operation"]
            rows.append(next(row for row in worker.rows() if row["operation_id"].encode() == own))
        bought = [row for row in worker.rows() if row.get("purpose") == "cache_embed"]
    assert [row.get("cache_status", "") for row in rows] == ["", "would_hit", "", ""]
    assert (rows[1]["cache_agreement"], len(bought)) == (1.0, 4)
    assert {row["key_name"] for row in bought} == {"(overhead)"}
    assert {row["cost_usd"] for row in bought} == {"0.000070000"}


def test_an_embedder_at_a_provider_that_is_not_there(tmp_path: Path) -> None:
    embedder = "{provider: nowhere, model: embed, dimension: 3}"
    wrong = pytest.raises(BadConfig, match=r"cache\.semantic\.embedder\.provider names 'nowhere'")
    with wrong, one_worker(tmp_path, settings(f"mode: shadow, embedder: {embedder}")):
        pass
