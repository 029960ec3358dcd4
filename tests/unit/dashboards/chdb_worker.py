"""A ClickHouse engine in a process of its own: one JSON request per line in, one JSON answer per line out.

Its own process, because one process can open one embedded engine only, and other tests open theirs.
Requests: {"sql": …, "database": …} answers {"rows": […]}; {"insert": "db.table", "rows": "JSONEachRow text"}.
"""

import json
import sys
from typing import Any

import chdb


def main() -> None:
    """Serve until standard input ends."""
    engine = chdb.connect(":memory:")
    engine.query("SET output_format_json_quote_decimals = 1")  # else nano-dollars would pass through a float
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _answer(engine, request)
        except RuntimeError as refused:
            answer = {"error": str(refused)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _answer(engine: Any, request: dict[str, str]) -> dict[str, object]:
    if "insert" in request:
        inserter = engine.send_insert(f"INSERT INTO {request['insert']}", "JSONEachRow")
        inserter.append(request["rows"].encode())
        inserter.finish()
        return {"rows": []}
    engine.query(f"USE {request['database']}")
    content = engine.query(request["sql"], "JSONCompact").bytes()
    return {"rows": json.loads(content)["data"] if content else []}


main()
