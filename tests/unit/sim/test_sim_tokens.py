"""The simulated provider's token counts, held against a real tokenizer."""

import json
from collections.abc import AsyncIterator
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.metering import MeteringSettings, TokenCounter
from proxy.sim.answers import answer
from proxy.sim.ask import read_ask
from proxy.wire.endpoint import Endpoint

TEXTS = st.lists(
    st.text(max_size=60) | st.sampled_from(["x" * 300, " " * 200, "naïve café 東京", "{}[]();" * 9]), max_size=5
)


@pytest.fixture
async def counter() -> AsyncIterator[TokenCounter]:
    """Flyball's own."""
    counter = TokenCounter(MeteringSettings())
    yield counter
    counter.close()


@given(texts=TEXTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_it_never_counts_more_than_flyball_holds_for(counter: TokenCounter, texts: list[str]) -> None:
    body = json.dumps({"model": "sim-small", "messages": [{"role": "user", "content": text} for text in ["a", *texts]]})
    held = await counter.count_input("gpt-4o", Endpoint.CHAT, body.encode())
    assert read_ask(Endpoint.CHAT, body.encode()).prompt_tokens <= held.tokens


async def test_the_words_of_an_answer_are_as_many_tokens_as_it_is_billed_for(counter: TokenCounter) -> None:
    body = {
        "model": "sim-small",
        "messages": [{"role": "user", "content": "x"}],
        "metadata": {"sim_output_tokens": 400},
    }
    made = answer(read_ask(Endpoint.CHAT, json.dumps(body).encode()), Random(1))
    assert await counter.count_output("gpt-4o", [made.text], len(made.text)) == made.tokens == 400
