"""Sessions of the embedded ClickHouse, as clickhouse-connect uses them."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.httpclient import HttpClient

from tests.contract.telemetry.collecting import CollectorProcess

THREADS = "SELECT getSetting('max_threads')"


@pytest.fixture
def client(collector: CollectorProcess) -> Iterator[HttpClient]:
    made = collector.client(session_id="one")
    yield made
    made.close()


def asked(collector: CollectorProcess, sql: str, **values: Any) -> httpx.Response:
    secret = (collector.folder / "clickhouse-password").read_text().strip()
    return httpx.post(collector.endpoints["url"], params=values, content=sql, auth=("flyball", secret))


def test_a_session_keeps_its_settings_and_temporary_tables(client: HttpClient, collector: CollectorProcess) -> None:
    client.command("SET max_threads = 5")
    client.command("CREATE TEMPORARY TABLE mine (a UInt64, s String)")
    client.insert("mine", [[1, "x"], [2, "y"]], column_names=["a", "s"], database="")
    assert client.query("SELECT sum(a) FROM mine").result_rows == [(3,)]
    assert client.query(THREADS).result_rows == [(5,)]
    assert client.query(THREADS, settings={"max_threads": 3}).result_rows == [(3,)]
    assert client.query(THREADS).result_rows == [(5,)], "a request's own settings end with it"
    with pytest.raises(DatabaseError):
        client.query("SELECT number, toString(number) FROM numbers(6000000)")
    with pytest.raises(DatabaseError):
        client.query("SELECT nosuch")
    assert client.query("SELECT sum(a) FROM mine").result_rows == [(3,)], "an error ends no session, and leaves nothing"
    other = collector.client(session_id="two")
    assert other.query(THREADS).result_rows != [(5,)]
    with pytest.raises(DatabaseError):
        other.query("SELECT * FROM mine")
    other.close()


def test_a_temporary_table_without_a_session_is_gone_with_its_request(collector: CollectorProcess) -> None:
    assert asked(collector, "CREATE TEMPORARY TABLE gone (a UInt64)").status_code == 200
    assert {asked(collector, "SELECT * FROM gone").status_code for _ in range(8)} == {404}


def test_sessions_that_are_not_there_or_not_said_well(collector: CollectorProcess) -> None:
    absent = asked(collector, "SELECT 1", session_id="three", session_check="1")
    assert (absent.status_code, absent.headers["x-clickhouse-exception-code"]) == (404, "372")
    assert asked(collector, "SELECT 1", session_id="three").text == "1\n", "one that needs no session gets none"
    assert asked(collector, "SELECT 1", session_id="three", session_check="1").status_code == 404
    assert asked(collector, "SELECT 1", session_id="three", session_timeout="never").status_code == 400


def test_the_longest_unused_session_makes_room(collector: CollectorProcess) -> None:
    for number in range(40):
        assert asked(collector, "SET max_threads = 7", session_id=f"many {number}").status_code == 200
    assert asked(collector, THREADS, session_id="many 39").text == "7\n"
    assert asked(collector, THREADS, session_id="many 0", session_check="1").status_code == 404
