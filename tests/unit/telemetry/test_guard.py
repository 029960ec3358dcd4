"""What the read-only user may run, given the engine's canonical form of it."""

import pytest

from proxy.telemetry.embedded.guard import Names, refusal

NAMES = Names(
    table_functions=frozenset(
        {"file", "url", "numbers", "values", "python", "sqlite", "merge", "view", "eval", "remote", "input", "s3"}
    ),
    functions=frozenset({"file", "sleep", "aiembed", "dictget", "count", "air", "tostring", "hascolumnintable"}),
)


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
        "SELECT arrayMap(toString, [1])",
        "SELECT name, total_bytes FROM system.tables",
        "SELECT * FROM `system`.`columns`",
        "SHOW CREATE TABLE operations",
        "SHOW FULL TABLES FROM flyball",
        "SELECT url, input, s3 FROM t",
        "SELECT settings, a = 1 FROM t ORDER BY settings",
        "SELECT {team:String}, 'x:Identifier'",
    ],
)
def test_reading_is_allowed(sql: str) -> None:
    assert refusal(sql, NAMES) is None


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
        "SELECT arrayMap(file, ['/etc/passwd'])",
        "SELECT * APPLY file FROM (SELECT '/etc/passwd' AS x)",
        "SELECT * APPLY(x -> file(x)) FROM t",
        "SELECT arrayMap(aiEmbed, ['x'])",
        "SELECT hasColumnInTable('host', 'a', 'b', 'c')",
        "SELECT * FROM system.processes",
        "SELECT * FROM `system`.`named_collections`",
        "SELECT * FROM system.query_cache",
        "SELECT * FROM SYSTEM.processes",
        "SHOW PROCESSLIST",
        "SHOW GRANTS",
        "SHOW CREATE USER grafana",
        "SHOW",
        "SELECT * FROM {t:Identifier}",
        "SELECT * FROM (SELECT 1 SETTINGS max_memory_usage = 0)",
        "EXPLAIN TABLE OVERRIDE sqlite('a', 'b') COLUMNS (x Int8)",
        "SELECT * FROM input('x String')",
        "SELECT 1 UNION ALL SELECT * FROM (SELECT * FROM s3('http://x'))",
    ],
)
def test_everything_that_reaches_out_is_refused(sql: str) -> None:
    assert refusal(sql, NAMES) is not None
