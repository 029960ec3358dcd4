"""The first five minutes: no provider key, no file, one command; a call, its row, its explanation."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness.flyball import Flyball


@pytest.fixture(scope="module")
def flyball(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    with Flyball(tmp_path_factory.mktemp("first")) as running:
        yield running


def ask(flyball: Flyball, **body: object) -> httpx.Response:
    body = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}], **body}
    headers = {"authorization": f"Bearer {flyball.secret('first-key')}"}
    return httpx.post(flyball.data + "/v1/chat/completions", json=body, headers=headers, timeout=30)


def test_a_call_becomes_a_row_with_its_exact_cost(flyball: Flyball) -> None:
    answer = ask(flyball)
    assert answer.status_code == 200, answer.text
    operation = answer.headers["x-flyball-operation"]
    usage = answer.json()["usage"]
    (row,) = flyball.wait_for_rows(1, where=f"operation_id = '{operation}'")
    assert (row["outcome"], row["status"], row["provider"]) == ("ok", 200, "sim")
    assert int(row["input_tokens"]) + int(row["cache_read_tokens"]) == usage["prompt_tokens"]
    assert int(row["output_tokens"]) == usage["completion_tokens"]
    assert f"{row['cost_usd']}".rstrip("0") == answer.headers["x-flyball-cost-usd"].rstrip("0")
    (attempt,) = flyball.wait_for_rows(1, "attempts", f"operation_id = '{operation}'")
    assert attempt["cost_usd"] == row["cost_usd"]


def test_a_stream_is_metered_though_the_client_did_not_ask_for_usage(flyball: Flyball) -> None:
    answer = ask(flyball, stream=True)
    assert answer.status_code == 200, answer.text
    assert "usage" not in answer.text
    assert answer.text.endswith("data: [DONE]\n\n")
    operation = answer.headers["x-flyball-operation"]
    (row,) = flyball.wait_for_rows(1, where=f"operation_id = '{operation}'")
    assert (row["outcome"], row["usage_source"], row["streamed"]) == ("ok", "provider", True)
    assert row["ttft_ms"] is not None
    assert float(row["cost_usd"]) > 0


def test_a_wrong_key_is_refused_without_a_row(flyball: Flyball) -> None:
    answer = httpx.post(flyball.data + "/v1/chat/completions", headers={"authorization": "Bearer " + "x" * 40})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


def test_the_admin_api_tells_what_was_spent(flyball: Flyball) -> None:
    operation = ask(flyball).headers["x-flyball-operation"]
    flyball.wait_for_rows(1, where=f"operation_id = '{operation}'")
    told = flyball.admin("GET", f"/admin/v1/operations/{operation}")
    assert told["attempts"]


def test_it_stops_in_order(tmp_path: Path) -> None:
    running = Flyball(tmp_path)
    running.start()
    assert running.stop() == 0
    assert not running.endpoints().keys() & {"data", "admin", "clickhouse"}
