"""The embedded ClickHouse over HTTP: the real clients, the read-only user, and its limits."""

import asyncio
import http.client
import socket
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.httpclient import HttpClient

from tests.contract.telemetry.collecting import CollectorProcess
from tests.contract.telemetry.tricks import TRICKS

ROWS = [[number, f"it's {number}\n", Decimal(number) / 1000, ["a", "b"], {"k": "v"}] for number in range(5000)]
COLUMNS = ["a", "s", "d", "l", "m"]


@pytest.fixture(scope="module")
def table(collector: CollectorProcess) -> Iterator[str]:
    client = collector.client()
    client.command(
        "CREATE OR REPLACE TABLE tried (a UInt64, s String, d Decimal(18, 9), l Array(String), m Map(String, String))"
        " ENGINE = MergeTree ORDER BY a"
    )
    client.insert("tried", ROWS, column_names=COLUMNS)
    yield "tried"
    client.command("DROP TABLE tried")
    client.close()


@pytest.fixture
def grafana(collector: CollectorProcess, table: str) -> Iterator[HttpClient]:
    client = collector.client("grafana")
    yield client
    client.close()


def password(collector: CollectorProcess, name: str = "clickhouse-password") -> str:
    return (collector.folder / name).read_text().strip()


def test_a_statement_that_curl_sends_as_if_it_were_a_form_is_read(collector: CollectorProcess) -> None:
    # `curl --data` sets that content type: the line in docs/telemetry.md was answered "Empty query".
    kind = {"content-type": "application/x-www-form-urlencoded"}
    as_grafana = ("grafana", password(collector, "grafana-password"))
    with httpx.Client(auth=as_grafana, headers=kind, trust_env=False) as client:
        for text in ("SELECT 1 + 1 = 2 AS a", "query=SELECT%201%20%2B%201%20%3D%202&default_format=TSV"):
            answer = client.post(collector.endpoints["url"], content=text)
            assert (answer.status_code, answer.text) == (200, "1\n")


@pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", False])
def test_the_sync_client_inserts_and_reads(collector: CollectorProcess, compress: str | bool) -> None:
    client = collector.client(compress=compress)
    client.command(_CREATE)
    assert client.insert("packed", ROWS, column_names=COLUMNS).written_rows == len(ROWS)
    rows = client.query("SELECT * FROM packed ORDER BY a", settings={"max_threads": 1}).result_rows
    assert [list(row) for row in rows] == ROWS
    raw = client.raw_insert("packed", ["a", "s"], b'{"a": 9999, "s": "x"}\n', fmt="JSONEachRow")
    assert raw.written_rows == 1
    client.command("DROP TABLE packed")
    client.close()


_CREATE = (
    "CREATE OR REPLACE TABLE packed (a UInt64, s String, d Decimal(18, 9), l Array(String), m Map(String, String))"
    " ENGINE = MergeTree ORDER BY a"
)


async def test_the_async_client_reads_streams_and_inserts(collector: CollectorProcess, table: str) -> None:
    address = collector.address
    client = await clickhouse_connect.get_async_client(
        host=address.host,
        port=address.port,
        username="flyball",
        password=password(collector),
        database="flyball",
        autogenerate_session_id=False,
    )
    answers = await asyncio.gather(*(client.query("SELECT count() FROM tried WHERE a < 5000") for _ in range(40)))
    assert {answer.result_rows[0][0] for answer in answers} == {5000}
    async with await client.query_rows_stream("SELECT number FROM numbers(100000)") as stream:
        assert sum([1 async for _ in stream]) == 100_000
    summary = await client.insert("tried", [[10_000, "x", 1, [], {}]], column_names=COLUMNS)
    assert summary.written_rows == 1
    await client.close()


@pytest.mark.parametrize("text", ["a'b\\c\n\t", "日本", "x" * 9000, "", "{a:String}"])
def test_parameters_arrive_as_they_are(collector: CollectorProcess, text: str) -> None:
    client = collector.client()
    answer = client.query("SELECT {x:String}, {y:Array(String)}", parameters={"x": text, "y": [text, "b"]})
    assert answer.result_rows == [(text, [text, "b"])]
    client.close()


def test_errors_carry_clickhouses_numbers(collector: CollectorProcess) -> None:
    client = collector.client()
    for sql, code in [("SELEC 1", 62), ("SELECT * FROM nosuch", 60), ("SELECT * FROM nosuch.t", 81), ("SELECT x", 47)]:
        with pytest.raises(DatabaseError) as refused:
            client.command(sql)
        assert refused.value.code == code
    with pytest.raises(DatabaseError) as refused:
        client.raw_insert("operations", None, b'{"charged_at": []}\n', fmt="JSONEachRow")
    assert refused.value.code is not None
    assert client.query("SELECT 1").result_rows == [(1,)], "the connection lives on after an error"
    client.close()


def test_settings_of_one_request_do_not_reach_the_next(collector: CollectorProcess) -> None:
    client = collector.client()
    ask = "SELECT getSetting('max_threads'), getSetting('max_execution_time')"
    before = client.query(ask).result_rows
    changed = client.query(ask, settings={"max_threads": 3, "max_execution_time": 7}).result_rows
    assert changed == [(3, 7)]
    with pytest.raises(DatabaseError):
        client.command("SELECT 1", settings={"max_threads": "many"})
    client.close()
    client = collector.client(autogenerate_session_id=False)
    client.command("SET max_threads = 5")
    assert {tuple(client.query(ask).result_rows[0]) for _ in range(20)} == {tuple(before[0])}
    client.close()


FORBIDDEN = [
    "INSERT INTO tried (a) VALUES (1)",
    "DROP TABLE tried",
    "CREATE TABLE mine (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE mine (a Int8)",
    "ALTER TABLE tried DELETE WHERE 1",
    "OPTIMIZE TABLE tried",
    "SET readonly = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 SETTINGS max_memory_usage = 1",
    "SELECT file('/etc/hostname')",
    "SELECT `f\\x69le`('/etc/hostname')",
    "SELECT /* */ \"file\" /* */ ('/etc/hostname')",
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "SELECT * FROM `/etc/hostname`",
    "SELECT * FROM default.`/etc/hostname`",
    "SELECT * FROM '/etc/hostname'",
    "DESCRIBE TABLE file('/etc/hostname')",
    "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:9', system.one)",
    "SELECT * FROM executable('id', 'CSV', 'a String')",
    "SELECT * FROM s3('http://127.0.0.1:9/a.csv')",
    "SELECT * FROM merge('system', '.*')",
    "SELECT * FROM Python(sys)",
    "SELECT * FROM sqlite('/tmp/x.db', 't')",
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1; DROP TABLE tried",
    "KILL QUERY WHERE 1",
    "SYSTEM STOP MERGES",
    "SELECT sleep(1)",
    "BACKUP TABLE tried TO File('{out}')",
    *TRICKS,
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_the_reader_cannot_write_reach_out_or_change_settings(
    collector: CollectorProcess, table: str, tmp_path: Path, sql: str
) -> None:
    out = tmp_path / "out"
    answer = httpx.post(
        collector.endpoints["url"],
        content=sql.replace("{out}", str(out)),
        auth=("grafana", password(collector, "grafana-password")),
    )
    assert answer.status_code >= 400, answer.text
    assert answer.headers["x-clickhouse-exception-code"]
    assert not out.exists()
    assert Path("/etc/hostname").read_text().strip() not in answer.text or "hostname" not in sql


@pytest.mark.parametrize(
    "names",
    [
        {"max_memory_usage": "1e12"},
        {"readonly": "0"},
        {"max_execution_time": "9999"},
        {"max_execution_time": "0"},
        {"dialect": "kusto"},
        {"allow_introspection_functions": "1"},
        {"format_schema": "/etc/passwd"},
        {"database": "system"},
    ],
)
def test_the_reader_cannot_widen_its_bounds_in_the_query_string(
    collector: CollectorProcess, names: dict[str, str]
) -> None:
    answer = httpx.get(
        collector.endpoints["url"],
        params={**names, "query": "SELECT getSetting('readonly'), getSetting('max_execution_time')"},
        auth=("grafana", password(collector, "grafana-password")),
    )
    assert answer.status_code == 403 or answer.text == "1\t30\n"


def test_the_reader_may_set_what_clients_send_by_themselves(collector: CollectorProcess) -> None:
    """Regression: clickhouse-go tells its deadline as max_execution_time, so Grafana could not connect at all."""
    answer = httpx.get(
        collector.endpoints["url"],
        params={
            "query": "SELECT number, getSetting('readonly'), getSetting('max_execution_time') FROM numbers(9)",
            "max_execution_time": "7",
            "limit": "1",
            "offset": "2",
            "log_comment": "panel 3",
            "session_timezone": "Asia/Kathmandu",
        },
        auth=("grafana", password(collector, "grafana-password")),
    )
    assert answer.text == "2\t1\t7\n"


def test_names_as_parameters_are_not_for_the_reader(collector: CollectorProcess) -> None:
    answer = httpx.get(
        collector.endpoints["url"],
        params={"query": "SELECT * FROM {d:Identifier}.{t:Identifier}", "param_d": "system", "param_t": "processes"},
        auth=("grafana", password(collector, "grafana-password")),
    )
    assert answer.headers["x-clickhouse-exception-code"] == "497"


def test_an_insert_whose_view_fails_is_refused(collector: CollectorProcess) -> None:
    """Regression: the engine's streaming insert said nothing, and left the rows out of every view."""
    client = collector.client()
    client.command("CREATE OR REPLACE TABLE seen (x Float64) ENGINE = MergeTree ORDER BY x")
    client.command("CREATE MATERIALIZED VIEW seen_mv ENGINE = MergeTree ORDER BY x AS SELECT toInt16(x) AS x FROM seen")
    client.raw_insert("seen", ["x"], b'{"x": 1}\n', fmt="JSONEachRow")
    with pytest.raises(DatabaseError, match="inf or nan"):
        client.raw_insert("seen", ["x"], b'{"x": "inf"}\n', fmt="JSONEachRow")
    client.command("DROP TABLE seen_mv")
    client.command("DROP TABLE seen")
    client.close()


def test_what_a_failed_query_had_read_stands_before_no_other_answer(grafana: HttpClient) -> None:
    """Regression: a result over its bound stayed in the connection, and the next answer began with it."""
    for _ in range(3):
        with pytest.raises(DatabaseError) as refused:
            grafana.query("SELECT number, toString(number) FROM numbers(6000000)")
        assert refused.value.code == 396
    for number in range(6):
        assert grafana.raw_query(f"SELECT {number}") == f"{number}\n".encode()


def test_the_reader_reads(grafana: HttpClient) -> None:
    assert grafana.query("SELECT count() FROM tried WHERE s LIKE {x:String}", parameters={"x": "it's 1%"}).result_rows
    assert ("operations",) in grafana.query("SHOW TABLES").result_rows
    assert grafana.query("SELECT 'file(' AS x, `s` FROM tried LIMIT 1").row_count == 1
    assert grafana.query("EXPLAIN SELECT 1").row_count > 0


def test_the_reader_is_bounded_in_memory_and_result(grafana: HttpClient) -> None:
    with pytest.raises(DatabaseError) as refused:
        grafana.query("SELECT groupArray(number) FROM numbers(100000000)")
    assert refused.value.code == 241
    with pytest.raises(DatabaseError) as refused:
        grafana.query("SELECT number, toString(number) FROM numbers(30000000)")
    assert refused.value.code == 396


def test_a_query_is_bounded_in_time(fresh_collector: Callable[..., CollectorProcess]) -> None:
    collector = fresh_collector(query_timeout_s=1)
    collector.start()
    with pytest.raises(DatabaseError) as refused:
        collector.client("grafana").query("SELECT count() FROM numbers(1000000000000)")
    assert refused.value.code == 159


@pytest.mark.parametrize("user", ["flyball", "grafana", "default", "nobody"])
def test_passwords_always(collector: CollectorProcess, user: str) -> None:
    url = collector.endpoints["url"]
    for options in (
        {"params": {"query": "SELECT 1", "user": user}},
        {"params": {"query": "SELECT 1", "user": user, "password": "x"}},
        {"params": {"query": "SELECT 1"}, "headers": {"x-clickhouse-user": user, "x-clickhouse-key": ""}},
        {"params": {"query": "SELECT 1"}, "auth": (user, "wrong")},
        {"params": {"query": "SELECT 1"}, "headers": {"authorization": "Basic !!!"}},
        {"params": {"query": "SELECT 1"}},
    ):
        answer = httpx.get(url, **options)
        assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (403, "516")


def test_every_way_to_say_the_password_works(collector: CollectorProcess) -> None:
    url, secret = collector.endpoints["url"], password(collector)
    for options in (
        {"params": {"query": "SELECT 1", "user": "flyball", "password": secret}},
        {"params": {"query": "SELECT 1"}, "headers": {"x-clickhouse-user": "flyball", "x-clickhouse-key": secret}},
        {"params": {"query": "SELECT 1"}, "auth": ("flyball", secret)},
    ):
        assert httpx.get(url, **options).text == "1\n"


def test_pings_need_no_password(collector: CollectorProcess) -> None:
    for path in ("/ping", "/replicas_status", "/"):
        assert httpx.get(collector.endpoints["url"] + path).text == "Ok.\n"
    assert httpx.get(collector.endpoints["url"] + "/nosuch").status_code == 404


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"content": b"x" * 10, "headers": {"content-encoding": "zstd"}}, 400),
        ({"content": b"SELECT 1", "params": {"decompress": "1"}}, 400),
        ({"content": b"SELECT 1", "params": {"compress": "1", "network_compression_method": "Delta"}}, 400),
        ({"content": b"SELECT 1", "params": {"client_protocol_version": "new"}}, 400),
        ({"content": b""}, 400),
        ({"files": {"external": b"1"}, "params": {"query": "SELECT 1"}}, 501),
        ({"content": b"SELECT '\xff'"}, 400),
        ({"content": b"SELECT 1 FORMAT DataFrame"}, 400),
    ],
)
def test_what_cannot_be_read_is_a_clear_error(
    collector: CollectorProcess, options: dict[str, Any], status: int
) -> None:
    answer = httpx.post(collector.endpoints["url"], auth=("flyball", password(collector)), **options)
    assert answer.status_code == status
    assert answer.text.startswith("Code: ")
    assert "Traceback" not in answer.text


def test_a_body_beyond_the_bound_is_refused(collector: CollectorProcess) -> None:
    sending = http.client.HTTPConnection("127.0.0.1", collector.address.port)
    sending.putrequest("POST", "/")
    sending.putheader("Content-Length", str(1 << 40))
    sending.putheader("X-ClickHouse-User", "flyball")
    sending.putheader("X-ClickHouse-Key", password(collector))
    sending.endheaders()
    assert sending.getresponse().status == 413
    sending.close()


def test_a_second_owner_is_told_so(collector: CollectorProcess, capfd: pytest.CaptureFixture[str]) -> None:
    second = CollectorProcess(collector.folder)
    with pytest.raises(AssertionError, match="did not start"):
        second.start()
    assert second.process is not None
    second.wait()
    assert "another process owns it" in capfd.readouterr().err


def test_a_taken_port_is_said_and_a_free_one_taken(fresh_collector: Callable[..., CollectorProcess]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        collector = fresh_collector(listen=listen)
        collector.start()
        assert f"{listen} is not free" in collector.endpoints["notes"][0]
        assert collector.client().query("SELECT 1").result_rows == [(1,)]


def test_passwords_are_kept_for_their_owner_only(collector: CollectorProcess) -> None:
    for name in ("clickhouse-password", "grafana-password"):
        assert (collector.folder / name).stat().st_mode & 0o777 == 0o600
    assert password(collector) not in str(collector.endpoints)
