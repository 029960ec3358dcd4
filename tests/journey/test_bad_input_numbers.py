"""Numbers beyond all reason, in requests and in answers: refused or flagged, never a fault, never money lost."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from proxy.sim import Replay
from tests.journey.guarded import CHAT, Guarded, guarded

RICH: Final = 'budgets: [{name: rich, scope: "org:acme", window: total, limit_usd: 1000000000, hard: true}]'


@pytest.fixture(scope="module", params=["", RICH], ids=["no budget", "a billion dollars"])
def scene(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("numbers"), request.param) as running:
        yield running


def test_a_call_dearer_than_a_billion_dollars_is_refused(scene: Guarded) -> None:
    """20,000 prompts, 1,024 tries each, 2,147,483,647 tokens a try: it made an amount that no ledger could hold."""
    asked = {"model": "sim-small", "prompt": ["x"] * 20_000, "best_of": 1024, "n": 1, "max_tokens": 2**31 - 1}
    with scene.untouched():
        error = scene.refused(scene.post(asked, target="/v1/completions"), 400, "invalid_request")
    assert "lower max_tokens, n or best_of" in error["message"]


@pytest.mark.parametrize("limit", [2**31, 2**63, 2**200, 10**400])
def test_an_output_limit_beyond_64_bits_is_no_fault(scene: Guarded, limit: int) -> None:
    """It is taken as the largest there is, or refused; what the provider says of it is its own affair."""
    answer = scene.post(json.dumps({**CHAT, "max_tokens": 0}).encode().replace(b"0", str(limit).encode(), 1))
    assert answer.status in (200, 400, 402), answer


USAGES: Final[dict[str, dict[str, Any]]] = {
    "a quadrillion tokens": {"prompt_tokens": 10**15, "completion_tokens": 10**15, "total_tokens": 2 * 10**15},
    "beyond 64 bits": {"prompt_tokens": 2**80, "completion_tokens": 1, "total_tokens": 2**80 + 1},
    "negative": {"prompt_tokens": -5, "completion_tokens": -(10**12), "total_tokens": -(10**12) - 5},
    "a huge fraction": {"prompt_tokens": 1e300, "completion_tokens": 0.5, "total_tokens": 1e300},
    "words": {"prompt_tokens": "many", "completion_tokens": None, "total_tokens": []},
}


@pytest.mark.parametrize("case", USAGES)
def test_an_absurd_usage_does_not_break_the_books(scene: Guarded, case: str) -> None:
    """The answer passes, the row is written and shipped, nothing stays held."""
    said = {"id": "x", "object": "chat.completion", "model": "sim-small", "choices": [], "usage": USAGES[case]}
    scene.sim.provider.script.add(Replay(body=json.dumps(said).encode()))
    answer = scene.post(CHAT)
    assert answer.status == 200, answer
    operation = answer.headers["x-flyball-operation"]
    (row,) = scene.flyball.wait_for_rows(1, where=f"operation_id = '{operation}'")
    assert row["outcome"] == "ok"
    assert row["cost_usd"] is None or float(row["cost_usd"]) >= 0
    for budget in scene.flyball.admin("GET", "/admin/v1/budgets")["data"]:
        assert budget["held_nano"] == 0
    assert "traceback" not in scene.flyball.log.read_text()
