"""What the read-only user may run, given the engine's canonical form of it."""

import pytest

from proxy.telemetry.embedded.guard import refusal

TABLE_FUNCTIONS = frozenset({"file", "url", "numbers", "values", "python", "sqlite", "merge", "view", "eval", "remote"})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count() FROM operations WHERE team = 'file(' GROUP BY url",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "SELECT * FROM numbers(10)",
        "SELECT * FROM `values`('a Int', 1)",
        "SHOW TABLES",
        "DESCRIBE TABLE operations",
        "EXISTS TABLE operations",
        "EXPLAIN SELECT 1",
        "SELECT 'it\\'s file(' AS `into`, 1 AS outfile",
        "SELECT anyLast(a), avg(b) FROM t",
    ],
)
def test_reading_is_allowed(sql: str) -> None:
    assert refusal(sql, TABLE_FUNCTIONS) is None


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t FORMAT Values",
        "DROP TABLE t",
        "SET readonly = 0",
        "KILL QUERY WHERE 1 ASYNC",
        "SYSTEM SHUTDOWN",
        "USE default",
        "",
        "SELECT file('/etc/passwd')",
        "SELECT FILE('/etc/passwd')",
        "SELECT `file`('/etc/passwd')",
        "SELECT \"file\"('/etc/passwd')",
        "SELECT * FROM file('/etc/passwd')",
        "SELECT * FROM view(SELECT * FROM url('http://x'))",
        "DESCRIBE TABLE sqlite('a', 'b')",
        "EXPLAIN SELECT file('x')",
        "SELECT * FROM python(rows)",
        "SELECT * FROM merge('system', '.*')",
        "SELECT * FROM eval('x')",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT aiGenerate('x')",
        "SELECT dictGet('a', 'b', 1)",
        "SELECT sleep(3)",
        "SELECT `f\\x69le`('/etc/passwd')",
        "SELECT 'a\\'', file('/etc/passwd')",
        "SELECT '''', file('/etc/passwd')",
    ],
)
def test_everything_that_reaches_out_is_refused(sql: str) -> None:
    assert refusal(sql, TABLE_FUNCTIONS) is not None
