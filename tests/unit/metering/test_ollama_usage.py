"""Ollama's counts of tokens."""

import pytest

from proxy.core.usage import Bucket, Flaw, UsageSource
from proxy.metering.ollama_usage import normalise_ollama


def test_what_it_counts_is_what_is_billed() -> None:
    usage = normalise_ollama(b'{"prompt_eval_count":26,"eval_count":282}')
    assert usage.tokens == {Bucket.INPUT: 26, Bucket.OUTPUT: 282}
    assert usage.source is UsageSource.PROVIDER


@pytest.mark.parametrize(
    ("told", "tokens", "flaws"),
    [
        (b"[]", {}, ()),
        (b'{"eval_count":3}', {Bucket.OUTPUT: 3}, ()),
        (b'{"prompt_eval_count":-1,"eval_count":"x"}', {Bucket.INPUT: 0}, (Flaw.NEGATIVE, Flaw.NOT_A_NUMBER)),
    ],
)
def test_what_is_missing_or_cannot_be_meant(told: bytes, tokens: dict[Bucket, int], flaws: tuple[Flaw, ...]) -> None:
    usage = normalise_ollama(told)
    assert (dict(usage.tokens), usage.flaws) == (tokens, flaws)
