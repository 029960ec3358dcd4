"""What one HTTP request asks the engine to do; bytes in, facts out, no I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

# Query-string keys of ClickHouse's HTTP interface that are no settings of the engine, and settings that only
# concern the transport we speak ourselves.
_TRANSPORT: Final = frozenset(
    {
        "query", "database", "user", "password", "quota_key", "role", "query_id", "session_id", "session_timeout",
        "session_check", "default_format", "buffer_size", "wait_end_of_query", "compress", "decompress",
        "client_protocol_version", "stacktrace", "close_session", "enable_http_compression",
        "http_zlib_compression_level", "send_progress_in_http_headers", "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close", "add_http_cors_header", "readonly", "async_insert",
        "wait_for_async_insert", "log_queries", "network_compression_method", "network_zstd_compression_level",
        "http_native_compression_disable_checksumming_on_decompress",
    }
)  # fmt: skip
_NAME: Final = re.compile(r"[a-zA-Z_]\w*")
_INSERT: Final = re.compile(
    rb"""\s*(?P<into>INSERT\s+INTO\s+(?:TABLE\s+)?[\w.`"]+\s*(?:\([^)]*\)\s*)?)(?P<settings>SETTINGS\s[^\n]*?)?"""
    rb"""\s*\bFORMAT\s+(?P<format>\w+)[ \t]*(?:;?\r?\n|$)""",
    re.IGNORECASE,
)
_FORMAT: Final = re.compile(r"\sFORMAT\s+(\w+)\s*(?:SETTINGS\s[^']*)?;?\s*$", re.IGNORECASE)
_READS: Final = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(?:SELECT|WITH|FROM|SHOW|DESC|DESCRIBE|EXISTS|EXPLAIN|CHECK|VALUES)\b",
    re.IGNORECASE | re.DOTALL,
)
_TEMPORARY: Final = re.compile(r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?TEMPORARY\s", re.IGNORECASE)
_LONGEST_SESSION_S: Final = 3600
_SESSION: Final = re.compile(r"\s*(?:SET|USE)\s", re.IGNORECASE)
# Formats that the engine's Python wrapper answers with Python objects instead of bytes.
_NOT_BYTES: Final = frozenset({"dataframe", "datastore", "arrowtable"})


class BadRequest(ValueError):
    """A request that cannot be read; `code` is ClickHouse's number for that."""

    def __init__(self, message: str, code: int = 36) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One statement for the engine. `insert_format` is set when `data` is the rows of an INSERT, `insert_settings` its
    SETTINGS clause."""

    sql: str
    database: str
    output_format: str = "TabSeparated"
    insert_format: str | None = None
    insert_settings: str = ""
    data: bytes = b""
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    session: str = ""
    session_timeout_s: int = 60
    session_check: bool = False

    @property
    def only_for_sessions(self) -> bool:
        """Whether it only changes later requests of a session; without one it has no effect."""
        return _SESSION.match(self.sql) is not None

    @property
    def makes_temporary(self) -> bool:
        """Whether it makes a table that is its session's own."""
        return _TEMPORARY.match(self.sql) is not None

    @property
    def reads(self) -> bool:
        """Whether the statement answers with a result set."""
        return self.insert_format is None and _READS.match(self.sql) is not None


def read_statement(values: Mapping[str, str], body: bytes, *, database: str) -> Statement:
    """Put together query string (or form) and body as ClickHouse does: the query may be in either or cut in two.

    Raises:
        BadRequest: no query, a name that is none, or text that is not UTF-8.
    """
    head = values.get("query", "").encode()
    whole = head + b"\n" + body if head and body else head or body
    insert = _INSERT.match(whole)
    rows = whole[insert.end() :] if insert is not None else b""
    sql = _text(insert["into"] if insert is not None and rows else whole)
    sql = sql.strip()
    if not sql:
        raise BadRequest("Empty query", 62)
    return Statement(
        sql=sql,
        database=values.get("database") or database,
        output_format=_output_format(sql, values.get("default_format")),
        insert_format=_text(insert["format"]) if insert is not None and rows else None,
        insert_settings=_text(insert["settings"] or b"").strip() if insert is not None and rows else "",
        data=rows,
        settings=_settings(values),
        parameters={key[6:]: value for key, value in values.items() if key.startswith("param_")},
        read_only=values.get("readonly", "0") != "0",
        session=values.get("session_id", "")[:128],
        session_timeout_s=_session_timeout(values.get("session_timeout", "60")),
        session_check=values.get("session_check") == "1",
    )


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise BadRequest("the query is not UTF-8") from None


def _output_format(sql: str, default: str | None) -> str:
    named = _FORMAT.search(sql)
    chosen = named[1] if named else default or "TabSeparated"
    if not _NAME.fullmatch(chosen) or chosen.lower() in _NOT_BYTES:
        raise BadRequest(f"Unknown format {chosen[:40]}", 73)
    return chosen


def _session_timeout(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) <= _LONGEST_SESSION_S:
        raise BadRequest(f"session_timeout must be seconds from 1 to {_LONGEST_SESSION_S}, not {text[:40]!r}", 374)
    return int(text)


def _settings(values: Mapping[str, str]) -> dict[str, str]:
    settings = {key: value for key, value in values.items() if key not in _TRANSPORT and not key.startswith("param_")}
    for name in settings:
        if not _NAME.fullmatch(name):
            raise BadRequest(f"Unknown setting {name[:40]!r}", 115)
    return settings


def quoted(text: str) -> str:
    """A string literal of ClickHouse's SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
