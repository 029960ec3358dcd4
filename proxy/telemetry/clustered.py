"""The same schema on a cluster: each table becomes a replicated one of every shard and a distributed one over them.

`operations` is the distributed table that everybody reads and writes, `operations_local` holds a shard's rows. Views
hang on local tables and feed local ones. A row's shard follows from its own id, so that a row sent twice meets itself.
"""

import re
from collections.abc import Iterator
from typing import Final

LOCAL: Final = "_local"
_TABLE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS (\S+)\.(\w+)")
_VIEW: Final = re.compile(r"CREATE MATERIALIZED VIEW IF NOT EXISTS (\S+)\.(\w+) TO (\S+)\.(\w+) AS\n")
_DROPPED_VIEW: Final = re.compile(r"DROP VIEW IF EXISTS \S+\.\w+")
_SOURCE: Final = re.compile(r"(\nFROM \S+\.)(\w+)")
_ALTER: Final = re.compile(r"ALTER TABLE (\S+)\.(\w+)")
_ENGINE: Final = re.compile(r"\bENGINE = (\w*MergeTree)\b")
_WINDOW: Final = re.compile(r"\bnon_replicated_deduplication_window = (\d+)")
_SHARDED_BY: Final = ("operation_id", "spool", "org", "number", "host", "version")


def arranged(statement: str, cluster: str | None) -> Iterator[str]:
    """What makes the schema's statement true: itself on one server, its parts on a cluster.

    Raises:
        ValueError: a statement of a kind that is not known here.
    """
    if cluster is None:
        yield statement
    elif table := _TABLE.match(statement):
        yield from _tables(statement, table[1], table[2], cluster)
    elif _VIEW.match(statement):
        yield _view(statement, cluster)
    elif _DROPPED_VIEW.fullmatch(statement):
        yield f"{statement} {on(cluster)}"
    elif _ALTER.match(statement):
        yield _ALTER.sub(rf"ALTER TABLE \1.\2{LOCAL} {on(cluster)}", statement, count=1)
        if " MODIFY SETTING " not in statement:  # of MergeTree, which distributed tables are not
            yield _ALTER.sub(rf"ALTER TABLE \1.\2 {on(cluster)}", statement, count=1)
    else:
        raise ValueError(f"this statement cannot be put on a cluster: {statement[:80]}")


def on(cluster: str | None) -> str:
    """The clause that has a statement run everywhere; nothing on one server."""
    return "" if cluster is None else f"ON CLUSTER {quoted(cluster)}"


def held(table: str, cluster: str | None) -> str:
    """The table that holds the rows."""
    return table if cluster is None else table + LOCAL


def everywhere(table: str, cluster: str | None) -> str:
    """What to read a system table or a local table of all shards from."""
    return table if cluster is None else f"cluster({_literal(cluster)}, {table})"


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return f"`{name.replace('`', '')}`"


def _tables(statement: str, database: str, table: str, cluster: str) -> Iterator[str]:
    local = _TABLE.sub(rf"CREATE TABLE IF NOT EXISTS \1.\2{LOCAL} {on(cluster)}", statement, count=1)
    local = _ENGINE.sub(r"ENGINE = Replicated\1", local)
    yield _WINDOW.sub(r"replicated_deduplication_window = \1, replicated_deduplication_window_seconds = 604800", local)
    yield (
        f"CREATE TABLE IF NOT EXISTS {database}.{table} {on(cluster)} AS {database}.{table}{LOCAL}"
        f"\nENGINE = Distributed({_literal(cluster)}, {_literal(database.strip('`'))}, {_literal(table + LOCAL)},"
        f" {_shard(statement)})"
    )


def _shard(statement: str) -> str:
    """By the call where rows have one, so that a call and its attempts lie together; else by what each row has."""
    for column in _SHARDED_BY:
        if re.search(rf"[\n(]\s*{column} ", statement):
            return f"cityHash64({column})"
    raise ValueError(f"no column says which shard a row belongs to: {statement[:80]}")


def _view(statement: str, cluster: str) -> str:
    made = _VIEW.sub(
        rf"CREATE MATERIALIZED VIEW IF NOT EXISTS \1.\2 {on(cluster)} TO \3.\4{LOCAL} AS\n", statement, count=1
    )
    return _SOURCE.sub(rf"\1\2{LOCAL}", made, count=1)


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
