"""A provider's usage becomes disjoint buckets that explain its total, whatever it sends."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.money import Nano
from proxy.core.usage import INPUT_BUCKETS, OUTPUT_BUCKETS, Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering import estimated, normalise
from proxy.wire.endpoint import Endpoint
from proxy.wire.profile import Arithmetic

B = Bucket


def read(
    usage: Any, arithmetic: Arithmetic = Arithmetic.OPENAI, endpoint: Endpoint = Endpoint.CHAT, **more: Any
) -> Usage:
    raw = usage if isinstance(usage, bytes) else json.dumps(usage).encode()
    return normalise(raw, arithmetic=arithmetic, endpoint=endpoint, service_tier=more.get("tier"), tool_calls={})


def chat(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": more.pop("input", None),
        "completion_tokens_details": more.pop("output", None),
        **more,
    }


def test_openai_chat_takes_cached_written_and_reasoning_out_of_their_sums() -> None:
    usage = read(
        chat(1000, 100, input={"cached_tokens": 400, "cache_write_tokens": 300}, output={"reasoning_tokens": 30}),
        tier="default",
    )
    assert usage.tokens == {
        B.INPUT: 300,
        B.CACHE_READ: 400,
        B.CACHE_WRITE: 300,
        B.OUTPUT: 70,
        B.REASONING: 30,
    }
    assert (usage.source, usage.flaws, usage.service_tier) == (UsageSource.PROVIDER, (), "default")


def test_responses_names_mean_the_same() -> None:
    usage = read(
        {
            "input_tokens": 1000,
            "input_tokens_details": {
                "cached_tokens": 400,
                "cache_write_tokens": 300,
                "cache_write_tokens_details": {"ttl_30m_tokens": 100, "ttl_12h_tokens": 200},
            },
            "output_tokens": 100,
            "output_tokens_details": {"reasoning_tokens": 30},
            "total_tokens": 1100,
        },
        endpoint=Endpoint.RESPONSES,
    )
    assert usage.tokens == {
        B.INPUT: 300,
        B.CACHE_READ: 400,
        B.CACHE_WRITE: 100,
        B.CACHE_WRITE_1H: 200,
        B.OUTPUT: 70,
        B.REASONING: 30,
    }
    assert usage.flaws == ()


def test_what_was_not_told_has_no_bucket_and_what_was_told_zero_has() -> None:
    assert read(chat(5, 2)).tokens == {B.INPUT: 5, B.OUTPUT: 2}
    assert read(chat(5, 2, input={"cached_tokens": 0}, output={"reasoning_tokens": 0})).tokens == {
        B.INPUT: 5,
        B.CACHE_READ: 0,
        B.OUTPUT: 2,
        B.REASONING: 0,
    }


def test_embeddings_have_no_output() -> None:
    assert read({"prompt_tokens": 8, "total_tokens": 8}, endpoint=Endpoint.EMBEDDINGS).tokens == {B.INPUT: 8}
    assert read({"total_tokens": 8}, endpoint=Endpoint.EMBEDDINGS).tokens == {B.INPUT: 8}


@pytest.mark.parametrize(
    ("field", "arithmetic"),
    [
        ("cached_tokens", Arithmetic.TOP_LEVEL_CACHED),
        ("num_cached_tokens", Arithmetic.MISTRAL),
        ("prompt_cache_hit_tokens", Arithmetic.DEEPSEEK),
    ],
)
def test_cached_is_found_at_the_top_level(field: str, arithmetic: Arithmetic) -> None:
    usage = read(chat(70, 12, **{field: 60}), arithmetic)
    assert (usage.count(B.CACHE_READ), usage.count(B.INPUT)) == (60, 10)
    assert read(chat(70, 12, input={"cached_tokens": 60}, **{field: 60}), arithmetic).count(B.CACHE_READ) == 60


def test_deepseek_hits_and_misses_make_a_prompt_that_is_not_told() -> None:
    told = {"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 6, "completion_tokens": 3}
    assert read(told, Arithmetic.DEEPSEEK).tokens == {B.CACHE_READ: 64, B.INPUT: 6, B.OUTPUT: 3}


class TestXai:
    def test_reasoning_is_beside_the_completion(self) -> None:
        told = {"prompt_tokens": 37, "completion_tokens": 530, "total_tokens": 800}
        usage = read(told | {"completion_tokens_details": {"reasoning_tokens": 233}}, Arithmetic.XAI)
        assert (usage.count(B.OUTPUT), usage.count(B.REASONING), usage.flaws) == (530, 233, ())

    def test_without_a_total_it_is_added_too(self) -> None:
        told = {"prompt_tokens": 37, "completion_tokens": 530, "completion_tokens_details": {"reasoning_tokens": 233}}
        assert read(told, Arithmetic.XAI).completion_tokens == 763

    def test_a_total_that_has_no_room_for_it_says_that_it_is_inside(self) -> None:
        assert read(chat(37, 530, output={"reasoning_tokens": 233}), Arithmetic.XAI).completion_tokens == 530

    def test_ticks_are_the_stated_cost(self) -> None:
        assert read(chat(3, 4, cost_in_usd_ticks=37_756_000), Arithmetic.XAI).stated_cost == 3_775_600


class TestGemini:
    @pytest.mark.parametrize(("prompt", "completion", "total"), [(35, 12, 109), (66, 6, 100)])
    def test_thinking_is_what_the_total_has_more(self, prompt: int, completion: int, total: int) -> None:
        told = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
        usage = read(told, Arithmetic.GEMINI_COMPAT)
        assert usage.completion_tokens == total - prompt
        assert usage.count(B.REASONING) == total - prompt - completion
        assert usage.flaws == ()

    def test_without_thinking_nothing_changes(self) -> None:
        assert read(chat(35, 12), Arithmetic.GEMINI_COMPAT).tokens == {B.INPUT: 35, B.OUTPUT: 12}


class TestMedia:
    def test_audio_and_images_are_apart_from_text(self) -> None:
        usage = read(
            chat(
                100,
                50,
                input={"audio_tokens": 40, "image_tokens": 10, "text_tokens": 50, "cached_tokens": 0},
                output={"audio_tokens": 30, "image_tokens": 5},
            )
        )
        assert [usage.count(b) for b in (B.INPUT, B.AUDIO_INPUT, B.IMAGE_INPUT)] == [50, 40, 10]
        assert [usage.count(b) for b in (B.OUTPUT, B.AUDIO_OUTPUT, B.IMAGE_OUTPUT)] == [15, 30, 5]

    def test_cached_audio_is_cached_and_not_audio(self) -> None:
        told = {"audio_tokens": 80, "cached_tokens": 60, "cached_tokens_details": {"audio_tokens": 50}}
        usage = read(chat(100, 1, input=told))
        assert [usage.count(b) for b in (B.CACHE_READ, B.AUDIO_INPUT, B.INPUT)] == [60, 30, 10]

    def test_an_overlap_nobody_explains_is_taken_to_be_cached(self) -> None:
        usage = read(chat(100, 1, input={"audio_tokens": 80, "cached_tokens": 60}))
        assert [usage.count(b) for b in (B.CACHE_READ, B.AUDIO_INPUT, B.INPUT)] == [60, 40, 0]
        assert usage.flaws == ()


class TestFlaws:
    @pytest.mark.parametrize(
        ("usage", "flaw"),
        [
            (chat(10, 1, input={"cached_tokens": 11}), Flaw.CACHED_EXCEEDS_INPUT),
            (chat(10, 1, input={"cached_tokens": 6, "cache_write_tokens": 5}), Flaw.DETAILS_EXCEED_INPUT),
            (chat(10, 1, input={"audio_tokens": 11}), Flaw.DETAILS_EXCEED_INPUT),
            (chat(10, 10, output={"reasoning_tokens": 11}), Flaw.REASONING_EXCEEDS_OUTPUT),
            (chat(10, 10, output={"reasoning_tokens": 6, "audio_tokens": 5}), Flaw.DETAILS_EXCEED_OUTPUT),
            (chat(10, 10) | {"total_tokens": 21}, Flaw.TOTAL_UNEXPLAINED),
            (chat(-1, 10), Flaw.NEGATIVE),
            (chat(10, 10, input={"cached_tokens": -5}), Flaw.NEGATIVE),
            (chat(10, 10, input={"cached_tokens": "five"}), Flaw.NOT_A_NUMBER),
            (chat(10, 10, input=[1]), Flaw.NOT_A_NUMBER),
            (chat(10, 10, input={"cached_tokens": True}), Flaw.NOT_A_NUMBER),
            (chat(10, 10**30), Flaw.NOT_A_NUMBER),
            (chat(10, 10, input={"cached_tokens": 1.5}), Flaw.NOT_A_NUMBER),
        ],
    )
    def test_a_contradiction_is_flagged_and_clamped(self, usage: dict[str, Any], flaw: Flaw) -> None:
        read_as = read(usage)
        assert flaw in read_as.flaws
        assert all(number >= 0 for number in read_as.tokens.values())

    def test_a_whole_number_written_as_a_fraction_is_a_number(self) -> None:
        assert read(b'{"prompt_tokens": 10.0, "completion_tokens": 2e1}').tokens == {B.INPUT: 10, B.OUTPUT: 20}

    def test_one_bad_field_does_not_hide_the_others(self) -> None:
        usage = read(chat(10, 4, input={"cached_tokens": "many"}, output={"reasoning_tokens": 3}))
        assert usage.tokens == {B.INPUT: 10, B.OUTPUT: 1, B.REASONING: 3}
        assert usage.flaws == (Flaw.NOT_A_NUMBER,)

    @pytest.mark.parametrize("raw", [b"", b"[]", b"7", b'"usage"', b"{", b"\xff", b'{"prompt_tokens": NaN}'])
    def test_what_is_no_usage_object_tells_nothing(self, raw: bytes) -> None:
        usage = read(raw)
        assert (usage.tokens, usage.source, usage.flaws) == ({}, UsageSource.NONE, (Flaw.NOT_A_NUMBER,))

    @pytest.mark.parametrize("raw", [b"null", b"{}", b'{"total_time": 0.5}'])
    def test_nothing_told_is_no_flaw(self, raw: bytes) -> None:
        assert read(raw) == Usage(source=UsageSource.NONE)

    def test_a_missing_side_is_what_the_total_leaves(self) -> None:
        assert read({"prompt_tokens": 10, "total_tokens": 14}).tokens == {B.INPUT: 10, B.OUTPUT: 4}
        assert read({"completion_tokens": 4, "total_tokens": 14}).tokens == {B.INPUT: 10, B.OUTPUT: 4}


class TestStatedCost:
    def test_openrouters_cost_is_read_exactly_and_rounded_to_the_nano_dollar(self) -> None:
        raw = b'{"prompt_tokens":1,"completion_tokens":1,"cost":4.1400000000000003e-05}'
        assert read(raw, Arithmetic.OPENROUTER).stated_cost == 41_400

    def test_with_a_key_of_ones_own_the_upstream_cost_comes_on_top(self) -> None:
        told = chat(1, 1, cost=0.001, is_byok=True, cost_details={"upstream_inference_cost": 0.02})
        assert read(told, Arithmetic.OPENROUTER).stated_cost == 21_000_000
        assert read(told | {"is_byok": False}, Arithmetic.OPENROUTER).stated_cost == 1_000_000

    @pytest.mark.parametrize("cost", ["-1", "1e400", "1e9", '"x"'])
    def test_an_unbelievable_cost_is_not_stated(self, cost: str) -> None:
        raw = b'{"prompt_tokens":1,"completion_tokens":1,"cost":' + cost.encode() + b"}"
        assert read(raw, Arithmetic.OPENROUTER).stated_cost is None

    def test_zero_is_stated(self) -> None:
        assert read(chat(1, 1, cost=0), Arithmetic.OPENROUTER).stated_cost == Nano(0)


def test_tool_calls_are_carried() -> None:
    calls = {ToolFee.WEB_SEARCH: 2}
    for raw in (b'{"input_tokens":1,"output_tokens":1}', b"null"):
        usage = normalise(
            raw, arithmetic=Arithmetic.OPENAI, endpoint=Endpoint.RESPONSES, service_tier=None, tool_calls=calls
        )
        assert usage.tool_calls == calls


def test_an_estimate_says_that_it_is_one() -> None:
    assert estimated(7, 3) == Usage(tokens={B.INPUT: 7, B.OUTPUT: 3}, source=UsageSource.ESTIMATED)
    assert estimated(-1, -1).tokens == {B.INPUT: 0, B.OUTPUT: 0}


NUMBERS = (
    st.none()
    | st.integers(-5, 3000)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
    | st.booleans()
)
DETAILS = NUMBERS | st.dictionaries(
    st.sampled_from(
        ["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "reasoning_tokens", "text_tokens"]
    ),
    NUMBERS,
)
ANY_USAGE = st.fixed_dictionaries(
    {},
    optional={
        name: DETAILS if name.endswith("details") else NUMBERS
        for name in [
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "input_tokens",
            "output_tokens",
            "prompt_tokens_details",
            "completion_tokens_details",
            "input_tokens_details",
            "output_tokens_details",
            "num_cached_tokens",
            "cached_tokens",
            "prompt_cache_hit_tokens",
            "cost",
            "cost_in_usd_ticks",
        ]
    },
)


@settings(max_examples=400)
@given(ANY_USAGE, st.sampled_from(Arithmetic), st.sampled_from(Endpoint))
def test_any_usage_gives_buckets_that_explain_the_total_or_a_flaw(
    told: dict[str, Any], arithmetic: Arithmetic, endpoint: Endpoint
) -> None:
    usage = read(told, arithmetic, endpoint)
    assert all(number >= 0 for number in usage.tokens.values())
    total = told.get("total_tokens")
    if usage.source is UsageSource.PROVIDER and isinstance(total, int) and usage.flaws == ():
        assert usage.prompt_tokens + usage.completion_tokens == total


@settings(max_examples=400)
@given(ANY_USAGE, st.sampled_from([a for a in Arithmetic if a not in (Arithmetic.XAI, Arithmetic.GEMINI_COMPAT)]))
def test_buckets_sum_to_what_was_told_of_each_side(told: dict[str, Any], arithmetic: Arithmetic) -> None:
    usage = read(told, arithmetic)
    prompt = told.get("prompt_tokens") if told.get("prompt_tokens") is not None else told.get("input_tokens")
    if type(prompt) is int and 0 <= prompt <= 10**12:
        assert usage.prompt_tokens == prompt
        assert set(usage.tokens) <= {*INPUT_BUCKETS, *OUTPUT_BUCKETS}
    completion = told.get("completion_tokens")
    if type(completion) is int and 0 <= completion <= 10**12:
        assert usage.completion_tokens == completion


@given(st.binary(max_size=60))
def test_no_bytes_raise(raw: bytes) -> None:
    read(raw)
