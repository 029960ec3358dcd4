"""Counting tokens: exact where it can be, bounded where it cannot, and never on the loop."""

import asyncio
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from proxy.metering.families import family_of
from proxy.metering.memo import Memo, key_of
from proxy.metering.settings import MeteringSettings
from proxy.metering.tokens import SLICE_CHARS, TokenCounter, batches
from proxy.metering.vocabulary import VOCAB_FOLDER, VOCABULARIES, BadVocabulary, load
from proxy.wire.endpoint import Endpoint


@pytest.fixture(scope="module")
def counter() -> Iterator[TokenCounter]:
    counter = TokenCounter(MeteringSettings())
    yield counter
    counter.close()


def chat(*contents: object, **more: object) -> bytes:
    messages = [{"role": "user", "content": content} for content in contents]
    return json.dumps({"model": "m", "messages": messages} | more).encode()


@pytest.mark.parametrize(
    ("model", "encoding", "native"),
    [
        ("gpt-5-mini", "o200k_base", True),
        ("gpt-4o-2024-08-06", "o200k_base", True),
        ("gpt-4.1", "o200k_base", True),
        ("gpt-6-future", "o200k_base", True),
        ("o3-mini", "o200k_base", True),
        ("o1", "o200k_base", True),
        ("chatgpt-4o-latest", "o200k_base", True),
        ("openai/gpt-oss-120b", "o200k_base", True),
        ("openai.gpt-5.6-luna", "o200k_base", True),
        ("ft:gpt-4o-mini:acme::1", "o200k_base", True),
        ("gpt-4", "cl100k_base", True),
        ("gpt-4-turbo", "cl100k_base", True),
        ("gpt-3.5-turbo-instruct", "cl100k_base", True),
        ("gpt-35-turbo", "cl100k_base", True),
        ("ft:gpt-3.5-turbo:acme", "cl100k_base", True),
        ("text-embedding-3-small", "cl100k_base", True),
        ("claude-opus-5", "o200k_base", False),
        ("meta-llama/Llama-3.3-70B", "o200k_base", False),
        ("my-deployment", "o200k_base", False),
        ("o2-cloud-model", "o200k_base", True),
        ("olmo-2", "o200k_base", False),
    ],
)
def test_a_model_is_counted_by_its_familys_vocabulary(model: str, encoding: str, native: bool) -> None:
    family = family_of(model)
    assert (family.encoding, family.native) == (encoding, native)


# Tokens of texts as OpenAI publishes them for tiktoken's two encodings.
@pytest.mark.parametrize(
    ("name", "text", "tokens"),
    [
        ("cl100k_base", "tiktoken is great!", [83, 1609, 5963, 374, 2294, 0]),
        ("cl100k_base", "antidisestablishmentarianism", [519, 85342, 34500, 479, 8997, 2191]),
        ("cl100k_base", "2 + 2 = 4", [17, 489, 220, 17, 284, 220, 19]),
        ("o200k_base", "antidisestablishmentarianism", [493, 129901, 376, 160388, 21203, 2367]),
        ("o200k_base", "2 + 2 = 4", [17, 659, 220, 17, 314, 220, 19]),
    ],
)
def test_a_vocabulary_gives_its_published_tokens(name: str, text: str, tokens: list[int]) -> None:
    encoding = load("o200k_base" if name == "o200k_base" else "cl100k_base")
    assert encoding.encode_ordinary(text) == tokens


async def test_text_is_counted_with_its_messages_exactly(counter: TokenCounter) -> None:
    count = await counter.count_input("gpt-4o", Endpoint.CHAT, chat("tiktoken is great!", "hello"))
    assert (count.tokens, count.exact, count.encoding) == (6 + 1 + 2 * 4 + 3, True, "o200k_base")
    count = await counter.count_input("gpt-4", Endpoint.CHAT, chat("tiktoken is great!"))
    assert (count.tokens, count.exact, count.encoding) == (6 + 4 + 3, True, "cl100k_base")


async def test_other_families_get_a_margin_and_are_never_exact(counter: TokenCounter) -> None:
    ours = await counter.count_input("gpt-5", Endpoint.CHAT, chat("hello " * 1000))
    other = await counter.count_input("grok-4", Endpoint.CHAT, chat("hello " * 1000))
    assert not other.exact
    assert other.tokens == -(-(ours.tokens + 64) * 120 // 100)
    wide = TokenCounter(MeteringSettings(margin_percent=50))
    assert (await wide.count_input("grok-4", Endpoint.CHAT, chat("hello " * 1000))).tokens > other.tokens
    wide.close()


async def test_claudes_texts_may_have_a_third_more_tokens(counter: TokenCounter) -> None:
    other = await counter.count_input("grok-4", Endpoint.CHAT, chat("hello " * 1000))
    claude = await counter.count_input("claude-opus-5", Endpoint.CHAT, chat("hello " * 1000))
    assert 1.3 < claude.tokens / other.tokens < 1.36


async def test_a_second_count_needs_no_thread() -> None:
    counter = TokenCounter(MeteringSettings())
    body = chat("You are helpful. " * 100, "hi")
    first = await counter.count_input("gpt-5", Endpoint.CHAT, body)
    counter.close()
    assert await counter.count_input("gpt-5", Endpoint.CHAT, body) == first
    with pytest.raises(RuntimeError):
        await counter.count_input("gpt-5", Endpoint.CHAT, chat("not seen before"))


async def test_nothing_is_remembered_without_memory() -> None:
    counter = TokenCounter(MeteringSettings(memo_bytes=0))
    await counter.count_input("gpt-5", Endpoint.CHAT, chat("hi"))
    counter.close()
    with pytest.raises(RuntimeError):
        await counter.count_input("gpt-5", Endpoint.CHAT, chat("hi"))


@pytest.mark.alone
async def test_the_loop_runs_on_while_a_large_body_is_counted(counter: TokenCounter) -> None:
    await counter.warm()
    body = chat(*[f"{n} lorem ipsum dolor sit amet " * 20_000 for n in range(5)])
    longest = 0.0
    counting = asyncio.ensure_future(counter.count_input("gpt-5", Endpoint.CHAT, body))
    while not counting.done():
        started = time.monotonic()
        await asyncio.sleep(0)
        longest = max(longest, time.monotonic() - started)
    assert counting.result().tokens > 500_000
    assert longest < 0.5


async def test_a_small_count_is_not_kept_waiting_by_a_huge_one(counter: TokenCounter) -> None:
    await counter.warm()
    huge = asyncio.ensure_future(counter.count_input("gpt-5", Endpoint.CHAT, chat("lorem ipsum dolor " * 500_000)))
    await asyncio.sleep(0.1)
    small = await counter.count_input("gpt-5", Endpoint.CHAT, chat("a small one"))
    assert small.tokens == 3 + 4 + 3
    assert not huge.done()
    await huge


async def test_special_tokens_in_a_users_text_are_text(counter: TokenCounter) -> None:
    count = await counter.count_input("gpt-5", Endpoint.CHAT, chat("<|endoftext|><|endofprompt|>"))
    assert count.tokens > 10


async def test_half_a_surrogate_pair_is_counted(counter: TokenCounter) -> None:
    assert await counter.count_output("gpt-5", ["a\ud83d"], 2) >= 2


@pytest.mark.parametrize(
    ("part", "model", "at_least", "at_most"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x/y.png"}}, "gpt-4o", 1445, 1600),
        ({"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}, "gpt-4o", 85, 100),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9000}}, "gpt-4o", 1445, 1600),
        ({"type": "image_url", "image_url": {"url": "x", "detail": "high"}}, "gpt-4o-mini", 48_169, 48_200),
        ({"type": "image_url", "image_url": {"url": "x"}}, "claude-opus-5", 8192, 10_000),
        ({"type": "input_audio", "input_audio": {"data": "A" * 40_000, "format": "wav"}}, "gpt-4o-audio", 300, 400),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64," + "A" * 4000}}, "gpt-4o", 3000, 3100),
        ({"type": "input_file", "file_url": "https://x/y.pdf"}, "gpt-4o", 100_000, 100_100),
        ({"type": "text", "text": "hello"}, "gpt-4o", 8, 8),
        ({"type": "novelty", "what": "hello there"}, "gpt-4o", 10, 30),
    ],
)
async def test_what_is_no_text_is_counted_at_its_ceiling(
    counter: TokenCounter, part: dict[str, object], model: str, at_least: int, at_most: int
) -> None:
    count = await counter.count_input(model, Endpoint.CHAT, chat([part]))
    assert at_least <= count.tokens <= at_most
    assert count.exact == (part["type"] in ("text", "novelty"))


async def test_tools_and_schemas_count_and_are_not_exact(counter: TokenCounter) -> None:
    function = {"name": "get_file", "description": "", "parameters": {"type": "object", "properties": {}}}
    plain = await counter.count_input("gpt-5-mini", Endpoint.CHAT, chat("Use it"))
    tools = await counter.count_input("gpt-5-mini", Endpoint.CHAT, chat("Use it", tools=[{"function": function}]))
    assert tools.tokens > plain.tokens + 116
    assert not tools.exact
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    schema = await counter.count_input("gpt-5-mini", Endpoint.CHAT, chat("Use it", response_format=wanted))
    assert schema.tokens > plain.tokens + 116


async def test_a_bare_text_of_another_family_has_its_marks_counted(counter: TokenCounter) -> None:
    body = json.dumps({"model": "mistral-embed", "input": ["hello", "hello"]}).encode()
    assert (await counter.count_input("mistral-embed", Endpoint.EMBEDDINGS, body)).tokens == 8


async def test_a_template_that_is_not_ours_to_see_is_bounded_and_not_exact(counter: TokenCounter) -> None:
    plain = await counter.count_input("gpt-5", Endpoint.CHAT, chat("hello"))
    harmony = await counter.count_input("openai/gpt-oss-20b", Endpoint.CHAT, chat("hello"))
    assert harmony.tokens == plain.tokens + 80
    assert not harmony.exact


async def test_tool_calls_names_and_reasoning_count(counter: TokenCounter) -> None:
    message = {
        "role": "assistant",
        "name": "bot",
        "content": None,
        "reasoning_content": "hello",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "hello", "arguments": "hello"}}],
    }
    body = json.dumps({"model": "m", "messages": [message]}).encode()
    count = await counter.count_input("gpt-4o", Endpoint.CHAT, body)
    assert count.tokens == (1 + 1) + 1 + 1 + 1 + 2 * 4 + 3


@pytest.mark.parametrize(
    ("endpoint", "request_fields", "tokens"),
    [
        (Endpoint.EMBEDDINGS, {"input": "hello"}, 1),
        (Endpoint.EMBEDDINGS, {"input": ["hello", "hello"]}, 2),
        (Endpoint.EMBEDDINGS, {"input": [1, 2, 3]}, 3),
        (Endpoint.EMBEDDINGS, {"input": [[1, 2, 3], [4]]}, 4),
        (Endpoint.COMPLETIONS, {"prompt": "hello", "suffix": "hello"}, 2),
        (Endpoint.COMPLETIONS, {"prompt": [[1], [2]]}, 2),
        (Endpoint.RESPONSES, {"input": "hello"}, 1 + 4 + 3),
        (Endpoint.RESPONSES, {"input": "hello", "instructions": "hello"}, 2 + 8 + 3),
        (Endpoint.RESPONSES, {"input": [{"role": "user", "content": "hello"}]}, 1 + 4 + 3),
        (Endpoint.RESPONSES, {"input": [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}]}, 8),
        (Endpoint.RESPONSES, {"input": [{"type": "function_call", "name": "hello", "arguments": "hello"}]}, 2 + 4 + 3),
        (Endpoint.RESPONSES, {"input": [{"type": "function_call_output", "output": "hello"}]}, 1 + 4 + 3),
        (
            Endpoint.RESPONSES,
            {"input": [{"type": "reasoning", "summary": [{"text": "hello", "type": "summary_text"}]}]},
            8,
        ),
        (Endpoint.RESPONSES, {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "A" * 400}]}, 107),
    ],
)
async def test_every_endpoints_input_is_counted(
    counter: TokenCounter, endpoint: Endpoint, request_fields: dict[str, object], tokens: int
) -> None:
    body = json.dumps({"model": "gpt-4o"} | request_fields).encode()
    assert (await counter.count_input("gpt-4o", endpoint, body)).tokens == tokens


async def test_a_body_that_is_no_json_counts_as_text(counter: TokenCounter) -> None:
    assert (await counter.count_input("gpt-4o", Endpoint.CHAT, b"hello")).tokens > 0


async def test_delivered_output_is_counted_and_the_rest_extrapolated(counter: TokenCounter) -> None:
    assert await counter.count_output("gpt-5", ["tiktoken", " is", " great!"], 18) == 6
    assert await counter.count_output("gpt-5", ["tiktoken", " is", " great!"], 36) == 12
    assert await counter.count_output("other", ["tiktoken", " is", " great!"], 18) == 8
    assert await counter.count_output("gpt-5", [], 0) == 0
    assert await counter.count_output("gpt-5", [], 30) == 10


def test_slices_hold_every_character_and_cut_at_spaces() -> None:
    texts = ["a b " * SLICE_CHARS, "short", "x" * (2 * SLICE_CHARS + 1), ""]
    found = list(batches(texts))
    for index, text in enumerate(texts):
        assert "".join(piece for batch in found for number, piece in batch if number == index) == text
    assert all(sum(len(piece) for _, piece in batch) <= SLICE_CHARS for batch in found)
    assert found[1][0][1].startswith(" ")


async def test_a_sliced_text_has_as_many_tokens_as_a_whole_one(counter: TokenCounter) -> None:
    text = "Lorem ipsum dolor sit amet, consectetur. " * 20_000
    count = await counter.count_output("gpt-5", [text], len(text))
    sliced = await counter.count_input("gpt-5", Endpoint.EMBEDDINGS, json.dumps({"model": "m", "input": text}).encode())
    assert sliced.tokens == count


async def test_a_changed_vocabulary_is_told_by_name(tmp_path: Path) -> None:
    for name in VOCABULARIES:
        shutil.copy(VOCAB_FOLDER / f"{name}.tiktoken", tmp_path)
    with (tmp_path / "o200k_base.tiktoken").open("ab") as file:
        file.write(b"eA== 1\n")
    counter = TokenCounter(MeteringSettings(), vocab_folder=tmp_path)
    with pytest.raises(BadVocabulary, match=r"o200k_base\.tiktoken has been changed"):
        await counter.warm()
    with pytest.raises(BadVocabulary):
        await counter.count_input("gpt-5", Endpoint.CHAT, chat("hi"))
    assert (await counter.count_input("gpt-4", Endpoint.CHAT, chat("hi"))).tokens == 8
    counter.close()


async def test_a_missing_vocabulary_is_told_by_name(tmp_path: Path) -> None:
    counter = TokenCounter(MeteringSettings(), vocab_folder=tmp_path)
    with pytest.raises(BadVocabulary, match=r"o200k_base\.tiktoken cannot be read"):
        await counter.warm()
    counter.close()


async def test_no_network_and_no_cache_folder_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    counter = TokenCounter(MeteringSettings())
    await counter.warm()
    counter.close()
    assert os.listdir(tmp_path) == []


async def test_the_thread_ends_with_the_counter() -> None:
    counter = TokenCounter(MeteringSettings())
    await counter.count_input("gpt-4", Endpoint.CHAT, chat("hi"))
    before = threading.active_count()
    counter.close()
    for _ in range(100):
        if threading.active_count() < before:
            break
        await asyncio.sleep(0.01)
    assert threading.active_count() < before


def test_the_memo_is_bounded_and_forgets_the_longest_unused() -> None:
    memo = Memo(10_000)
    kept = key_of("o200k_base", "kept")
    memo.put(kept, 1)
    for number in range(1000):
        memo.put(key_of("o200k_base", f"text {number} " * 100), number)
        assert memo.get(kept) == 1
    assert len(memo) < 40
    assert memo.get(key_of("o200k_base", "text 0 " * 100)) is None
    assert memo.get(key_of("o200k_base", "text 999 " * 100)) == 999


def test_a_long_text_is_not_kept_and_an_encoding_is_part_of_the_key() -> None:
    assert key_of("o200k_base", "secret prompt " * 100)[1] != "secret prompt " * 100
    assert len(key_of("o200k_base", "secret prompt " * 100)[1]) == 16
    assert key_of("o200k_base", "a") != key_of("cl100k_base", "a")


def test_every_setting_has_its_sentence() -> None:
    assert [f.name for f in fields(MeteringSettings) if not f.metadata.get("doc")] == []
