"""A row keeps the names of its call's time: another cost center, or another name for a key, changes later rows only."""

import json
from pathlib import Path
from typing import Any, Final

from tests.harness.one_worker import JSON_HEADERS, Answer, Client, chat, config, one_worker

_USAGE: Final = {"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10}


async def _called(folder: Path, text: str) -> list[dict[str, Any]]:
    """All rows that there are after one more call under this configuration."""
    with one_worker(folder, text) as worker:
        answer = json.dumps({"model": "m", "choices": [], "usage": _USAGE}).encode()
        client = await worker.call(Client(chat()), Answer(answer, headers=JSON_HEADERS))
        assert client.status == 200, client.text
        await worker.parts.ledger.close()
        return worker.rows()


async def test_old_rows_keep_their_names(tmp_path: Path) -> None:
    before = config().replace("{name: bot,", '{name: bot, cost_center: "4711",')
    await _called(tmp_path, before)
    rows = await _called(
        tmp_path,
        before.replace("4711", "0815").replace("name: bot", "name: robot").replace("support/bot", "support/robot"),
    )
    rows.sort(key=lambda row: str(row["operation_id"]))
    assert [(row["key_name"], row["cost_center"]) for row in rows] == [("bot", "4711"), ("robot", "0815")]
