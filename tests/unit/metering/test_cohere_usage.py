"""Cohere's usage: what it bills is what is billed, whatever else it has counted."""

import pytest

from proxy.core.usage import Bucket, Flaw, UsageSource
from proxy.metering.cohere_usage import normalise_cohere


def test_billed_units_go_before_tokens() -> None:
    told = b'{"billed_units":{"input_tokens":5.0,"output_tokens":418},"tokens":{"input_tokens":71,"output_tokens":420}}'
    usage = normalise_cohere(told)
    assert usage.tokens == {Bucket.INPUT: 5, Bucket.OUTPUT: 418}
    assert (usage.source, usage.flaws) == (UsageSource.PROVIDER, ())


def test_without_them_what_was_counted_is_billed() -> None:
    usage = normalise_cohere(b'{"tokens":{"input_tokens":71,"output_tokens":420},"billed_units":null}')
    assert usage.tokens == {Bucket.INPUT: 71, Bucket.OUTPUT: 420}


@pytest.mark.parametrize(
    ("told", "tokens", "flaws"),
    [
        (b"[]", {}, (Flaw.NOT_A_NUMBER,)),
        (b"{}", {}, (Flaw.NOT_A_NUMBER,)),
        (
            b'{"billed_units":{"input_tokens":-1,"output_tokens":2}}',
            {Bucket.INPUT: 0, Bucket.OUTPUT: 2},
            (Flaw.NEGATIVE,),
        ),
        (b'{"billed_units":{"input_tokens":1.5,"output_tokens":2}}', {Bucket.OUTPUT: 2}, (Flaw.NOT_A_NUMBER,)),
        (b'{"billed_units":{"output_tokens":true}}', {}, (Flaw.NOT_A_NUMBER,)),
    ],
)
def test_what_cannot_be_meant_is_flagged(told: bytes, tokens: dict[Bucket, int], flaws: tuple[Flaw, ...]) -> None:
    usage = normalise_cohere(told)
    assert (dict(usage.tokens), usage.flaws) == (tokens, flaws)
