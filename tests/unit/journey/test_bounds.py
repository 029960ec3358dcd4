"""What a call is held for is no less than what it may be billed for."""

import json
from pathlib import Path

import pytest

from tests.harness.one_worker import JSON_HEADERS, Answer, Client, chat, config, one_worker

USED = b'{"usage":{"prompt_tokens":7,"completion_tokens":40}}'


async def test_many_inputs_are_held_for_together(tmp_path: Path) -> None:
    """A model's window is that of one input; it once capped what was held for all of them."""
    text = "one two three four five six seven eight nine ten " * 8
    body = json.dumps({"model": "embed", "input": [text] * 5}).encode()
    with one_worker(tmp_path) as house:
        answer = Answer(b'{"usage":{"prompt_tokens":410,"total_tokens":410}}', headers=JSON_HEADERS)
        await house.call(Client(body, path="/v1/embeddings"), answer)
        (row,) = house.rows()
        assert float(row["held_usd"]) >= float(row["cost_usd"]) == 410 * 10 / 1e6
        assert "overrun_usd" not in row
        await house.parts.ledger.close()


@pytest.mark.parametrize("limit", [0, -1, None])
async def test_a_limit_of_nothing_is_no_limit(tmp_path: Path, limit: int | None) -> None:
    """Servers that leave out what is zero read it as unset, and write on."""
    with one_worker(tmp_path) as house:
        answer = Answer(b'{"usage":{"prompt_tokens":7,"completion_tokens":900}}', headers=JSON_HEADERS)
        await house.call(Client(chat(max_tokens=limit)), answer)
        (row,) = house.rows()
        assert float(row["held_usd"]) >= float(row["cost_usd"])
        await house.parts.ledger.close()


async def test_the_limit_that_is_said_to_fit_does_fit(tmp_path: Path) -> None:
    """Each of four choices may be as long as the limit says."""
    with one_worker(tmp_path, config(budget="limit_usd: 0.01")) as house:
        refused = await house.call(Client(chat(n=4, max_tokens=500)))
        assert refused.status == 402
        fits = json.loads(refused.text)["error"]["flyball"]["fits"]["max_tokens"]
        assert 0 < fits <= 25
        served = await house.call(Client(chat(n=4, max_tokens=fits)), Answer(USED, headers=JSON_HEADERS))
        assert served.status == 200
        await house.parts.ledger.close()
