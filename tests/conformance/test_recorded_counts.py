"""Our count of recorded requests against what their providers billed: never too little where it can be bounded."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from proxy.core.refusal import Refused
from proxy.metering.families import family_of
from proxy.metering.settings import MeteringSettings
from proxy.metering.tokens import TokenCounter
from proxy.wire.dialects import dialect_of
from proxy.wire.endpoint import Endpoint
from tests.harness.recordings import ENDS

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDINGS = Path(os.environ.get("FLYBALL_RECORDINGS", REPOSITORY.parent / "shared" / "recordings"))


@dataclass(frozen=True)
class Billed:
    """A recorded request and its input tokens as billed."""

    name: str
    endpoint: Endpoint
    model: str
    body: bytes
    tokens: int


def billed_requests() -> Iterator[Billed]:
    for file in sorted(RECORDINGS.glob("*__*.json")):
        for number, exchange in enumerate(json.loads(file.read_text())["interactions"]):
            path = exchange["url"].split("?")[0]
            endpoint = next((e for end, e in ENDS.items() if path.endswith(end)), None)
            asked = exchange["request_json"]
            if endpoint is None or not asked or not exchange["usage_objects"]:
                continue
            # A stream of Anthropic's tells its input at its beginning.
            usage = exchange["usage_objects"][0 if endpoint is Endpoint.MESSAGES else -1]
            # Azure names a deployment in the path; its model is told in the answer.
            model = asked.get("model") or _answered_model(exchange)
            body = json.dumps({**asked, "model": model}).encode()
            yield Billed(f"{file.stem}-{number}", endpoint, model, body, _input(usage))


def _input(usage: dict[str, Any]) -> int:
    told = usage.get("usage", usage)
    cached = sum(int(told.get(f"cache_{what}_input_tokens") or 0) for what in ("read", "creation"))
    return cached + int(told["prompt_tokens"] if "prompt_tokens" in told else told["input_tokens"])


def _answered_model(exchange: dict[str, Any]) -> str:
    found = re.search(r'"model":\s*"([^"]+)"', exchange["body"]["text"])
    return "" if found is None else found[1]


def is_bounded(billed: Billed) -> bool:
    """Models whose text is counted, or bounded, without tools that the provider runs: nobody can count what they
    fetch."""
    try:
        facts = dialect_of(billed.endpoint).read_request(billed.endpoint, "", billed.body)
    except Refused:
        return False
    is_known = family_of(billed.model).native or billed.endpoint is Endpoint.MESSAGES
    return is_known and not facts.hosted_tools and not facts.stateful


@pytest.fixture(scope="module")
def counter() -> Iterator[TokenCounter]:
    counter = TokenCounter(MeteringSettings())
    yield counter
    counter.close()


MADE_UP: Final = "anthropic__ed4def"
"""A recording whose author has written other numbers into it: "Hello!" is no hundred tokens."""
BILLED = [each for each in billed_requests() if is_bounded(each) and not each.name.startswith(MADE_UP)]


@pytest.mark.parametrize("billed", BILLED, ids=lambda b: b.name)
async def test_a_count_is_never_below_the_bill(counter: TokenCounter, billed: Billed) -> None:
    count = await counter.count_input(billed.model, billed.endpoint, billed.body)
    assert count.tokens >= billed.tokens
    if count.exact:
        assert count.tokens <= billed.tokens + 2


def test_the_recordings_are_there() -> None:
    """Absent recordings are told, and are a failure where CI runs."""
    if not BILLED:
        print(f"not run: no recordings in {RECORDINGS}")  # noqa: T201  said to whoever runs the tests
        assert "CI" not in os.environ
