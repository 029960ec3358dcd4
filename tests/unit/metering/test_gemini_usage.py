"""Gemini's usageMetadata in disjoint buckets."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.usage import Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering import usage_told
from proxy.wire.endpoint import Endpoint
from proxy.wire.profile import Arithmetic


def told(**usage: Any) -> Usage:
    return usage_told(
        "gemini",
        json.dumps(usage).encode(),
        arithmetic=Arithmetic.GEMINI_COMPAT,
        endpoint=Endpoint.GENERATE_CONTENT,
        service_tier="flex",
        tool_calls={ToolFee.WEB_SEARCH: 1},
    )


def of(modality: str, count: int) -> dict[str, Any]:
    return {"modality": modality, "tokenCount": count}


def test_cached_is_inside_and_thoughts_and_tool_prompts_are_beside() -> None:
    usage = told(
        promptTokenCount=100,
        cachedContentTokenCount=40,
        candidatesTokenCount=20,
        thoughtsTokenCount=30,
        toolUsePromptTokenCount=7,
        totalTokenCount=157,
    )
    assert usage == Usage(
        tokens={Bucket.CACHE_READ: 40, Bucket.INPUT: 67, Bucket.REASONING: 30, Bucket.OUTPUT: 20},
        tool_calls={ToolFee.WEB_SEARCH: 1},
        source=UsageSource.PROVIDER,
        service_tier="flex",
    )


def test_modalities_have_buckets_of_their_own_without_what_was_cached() -> None:
    kinds = {"TEXT": 100, "AUDIO": 400, "IMAGE": 200, "DOCUMENT": 100, "VIDEO": 200}
    usage = told(
        promptTokenCount=1000,
        cachedContentTokenCount=300,
        promptTokensDetails=[of(kind, count) for kind, count in kinds.items()],
        cacheTokensDetails=[of("AUDIO", 250), of("TEXT", 50)],
        candidatesTokenCount=90,
        candidatesTokensDetails=[of("IMAGE", 50), of("AUDIO", 30)],
        totalTokenCount=1090,
    )
    assert usage.tokens == {
        Bucket.CACHE_READ: 300,
        Bucket.AUDIO_INPUT: 150,
        Bucket.IMAGE_INPUT: 300,
        Bucket.INPUT: 250,
        Bucket.IMAGE_OUTPUT: 50,
        Bucket.AUDIO_OUTPUT: 30,
        Bucket.OUTPUT: 10,
    }
    assert usage.flaws == ()


def test_an_embedding_has_no_output() -> None:
    assert told(promptTokenCount=7).tokens == {Bucket.INPUT: 7}


def test_what_is_missing_of_the_output_is_what_the_total_leaves() -> None:
    assert told(promptTokenCount=7, totalTokenCount=10).tokens == {Bucket.INPUT: 7, Bucket.OUTPUT: 3}
    assert told(promptTokenCount=7, thoughtsTokenCount=3, totalTokenCount=10).tokens == {
        Bucket.INPUT: 7,
        Bucket.REASONING: 3,
    }


def test_numbers_that_contradict_each_other_are_flagged() -> None:
    usage = told(promptTokenCount=5, cachedContentTokenCount=9, candidatesTokenCount=-1, totalTokenCount=9)
    assert usage.tokens == {Bucket.CACHE_READ: 5, Bucket.INPUT: 0, Bucket.OUTPUT: 0}
    assert usage.flaws == (Flaw.CACHED_EXCEEDS_INPUT, Flaw.NEGATIVE, Flaw.TOTAL_UNEXPLAINED)
    assert told(promptTokenCount="7").tokens == {Bucket.INPUT: 7}
    assert told(promptTokenCount=True).flaws == (Flaw.NOT_A_NUMBER,)


def test_what_tells_nothing_is_no_usage() -> None:
    assert told().source is UsageSource.NONE
    assert told(totalTokenCount=5).source is UsageSource.NONE


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "promptTokenCount",
                "cachedContentTokenCount",
                "candidatesTokenCount",
                "thoughtsTokenCount",
                "toolUsePromptTokenCount",
                "totalTokenCount",
                "promptTokensDetails",
                "candidatesTokensDetails",
            ]
        ),
        st.integers(-5, 10**13)
        | st.none()
        | st.booleans()
        | st.text(max_size=3)
        | st.lists(st.builds(of, st.sampled_from(["AUDIO", "IMAGE", "TEXT"]), st.integers(-5, 50)), max_size=3),
    )
)
def test_no_bucket_is_negative_and_none_raises(usage: dict[str, Any]) -> None:
    assert all(count >= 0 for count in told(**usage).tokens.values())
