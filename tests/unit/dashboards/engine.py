"""A ClickHouse engine with our schema, in a process of its own."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from proxy.telemetry.migrate import migrations


class Engine:
    """The test's side of the worker."""

    def __init__(self) -> None:
        worker = [sys.executable, str(Path(__file__).with_name("chdb_worker.py"))]
        self._process = subprocess.Popen(worker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def query(self, sql: str, database: str = "flyball") -> list[list[Any]]:
        return self._ask({"sql": sql, "database": database})

    def insert(self, table: str, rows: Sequence[msgspec.Struct]) -> None:
        self._ask({"insert": table, "rows": "\n".join(msgspec.json.encode(row).decode() for row in rows)})

    def migrate(self, database: str) -> None:
        """A new database with our tables, whose rows are kept for years."""
        self.query(f"CREATE DATABASE {database}", "default")
        for step in migrations():
            kept = {name: "4000" for name in re.findall(r"\{(\w+_days)\}", step.sql)}
            for statement in step.statements({"database": database, **kept}):
                self.query(statement, database)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _ask(self, request: dict[str, str]) -> list[list[Any]]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, f"{answer['error']}\n{request}"
        rows: list[list[Any]] = answer["rows"]
        return rows
