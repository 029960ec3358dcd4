"""An HTTP request is cut into a statement as ClickHouse cuts it."""

import pytest

from proxy.telemetry.embedded.statement import BadRequest, Statement, quoted, read_statement


def read(body: bytes = b"", **values: str) -> Statement:
    return read_statement(values, body, database="flyball")


def test_the_query_may_be_in_the_body_or_the_query_string() -> None:
    assert read(b"SELECT 1").sql == "SELECT 1"
    assert read(query="SELECT 1").sql == "SELECT 1"
    assert read(b"FROM t", query="SELECT a").sql == "SELECT a\nFROM t"


@pytest.mark.parametrize(
    "insert",
    [
        b"INSERT INTO t FORMAT JSONEachRow\n",
        b"insert into flyball.t (a, `b`)\nFORMAT JSONEachRow\r\n",
        b"  INSERT INTO TABLE `flyball`.`t` (a) SETTINGS async_insert=0 FORMAT JSONEachRow \n",
        b"INSERT INTO t FORMAT JSONEachRow;\n",
    ],
)
def test_rows_of_an_insert_are_cut_off_byte_for_byte(insert: bytes) -> None:
    rows = b'{"a":"FORMAT Native\\n"}\n\xff\x00\n'
    statement = read(insert + rows)
    assert (statement.insert_format, statement.data) == ("JSONEachRow", rows)
    assert "FORMAT" not in statement.sql
    assert not statement.reads


def test_an_insert_in_the_query_string_takes_its_rows_from_the_body() -> None:
    statement = read(b"\x01\x02\n\n", query="INSERT INTO t FORMAT Native")
    assert (statement.sql, statement.insert_format, statement.data) == ("INSERT INTO t", "Native", b"\x01\x02\n\n")


@pytest.mark.parametrize(
    "sql", ["INSERT INTO t VALUES ('x FORMAT CSV\n')", "INSERT INTO t SELECT 1", "INSERT INTO t FORMAT CSV 1,2"]
)
def test_other_inserts_go_to_the_engine_whole(sql: str) -> None:
    statement = read(sql.encode())
    assert (statement.sql, statement.insert_format) == (sql, None)


def test_settings_parameters_and_transport_keys_are_told_apart() -> None:
    statement = read(
        b"SELECT 1",
        database="other",
        max_threads="2",
        param_x="a'b",
        query_id="q",
        session_id="s",
        wait_end_of_query="1",
        client_protocol_version="54405",
    )
    assert statement.database == "other"
    assert statement.settings == {"max_threads": "2"}
    assert statement.parameters == {"x": "a'b"}


def test_readonly_asks_for_the_reading_lane() -> None:
    assert read(b"SELECT 1", readonly="1").read_only
    assert read(b"SELECT 1", readonly="2").read_only
    assert not read(b"SELECT 1", readonly="0").read_only


@pytest.mark.parametrize(
    ("sql", "default", "chosen"),
    [
        ("SELECT 1", None, "TabSeparated"),
        ("SELECT 1", "Native", "Native"),
        ("SELECT 1\n FORMAT Native", "CSV", "Native"),
        ("SELECT 1 format JSONCompact ;", None, "JSONCompact"),
        ("SELECT ' FORMAT x'", None, "TabSeparated"),
    ],
)
def test_the_answers_format(sql: str, default: str | None, chosen: str) -> None:
    values = {} if default is None else {"default_format": default}
    assert read(sql.encode(), **values).output_format == chosen


@pytest.mark.parametrize(
    ("values", "body", "code"),
    [
        ({}, b"", 62),
        ({}, b"  \n", 62),
        ({}, b"SELECT '\xff'", 36),
        ({"default_format": "DataFrame"}, b"SELECT 1", 73),
        ({}, b"SELECT 1 FORMAT ArrowTable", 73),
        ({"default_format": "x y"}, b"SELECT 1", 73),
        ({"a b": "1"}, b"SELECT 1", 115),
    ],
)
def test_what_cannot_be_read_is_refused_with_clickhouses_number(values: dict[str, str], body: bytes, code: int) -> None:
    with pytest.raises(BadRequest) as refused:
        read_statement(values, body, database="flyball")
    assert refused.value.code == code


@pytest.mark.parametrize("sql", ["set readonly = 0", "USE other"])
def test_statements_for_sessions_have_no_effect(sql: str) -> None:
    assert read(sql.encode()).only_for_sessions


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "-- why\nSELECT 1", "/* a */ (SELECT 1)", "WITH 1 AS x SELECT x", "show tables", "EXISTS t"]
)
def test_reading_statements_answer_with_a_result(sql: str) -> None:
    assert read(sql.encode()).reads


def test_literals_are_quoted_for_the_engine() -> None:
    assert quoted("a'b\\") == "'a\\'b\\\\'"
