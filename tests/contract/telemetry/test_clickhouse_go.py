"""The HTTP protocol of clickhouse-go, and so of Grafana's ClickHouse plugin, byte for byte.

`clickhouse_go/requests.json` holds what clickhouse-go 2.51.0 sent for `clickhouse_go/main.go` (options as the plugin
sets them, with each kind of compression), without its credentials. Answers are decoded here, down to the checksums.
"""

import base64
import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from backports import zstd
from clickhouse_connect.driver.httpclient import HttpClient

from tests.contract.telemetry.collecting import CollectorProcess
from tests.contract.telemetry.native_blocks import rows, uncompressed

RECORDED: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parent / "clickhouse_go" / "requests.json").read_text()
)


class Replay:
    """Sends recorded requests over one connection, with the credentials of this store."""

    def __init__(self, collector: CollectorProcess, user: str) -> None:
        address = collector.address
        self._socket = socket.create_connection((address.host, address.port), 30)
        name = "clickhouse-password" if user == "flyball" else "grafana-password"
        secret = (collector.folder / name).read_text().strip()
        self._credentials = base64.b64encode(f"{user}:{secret}".encode()).decode()

    def send(self, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        """One request as it was recorded; its answer."""
        head = [request["head"][0], "Host: here", f"Authorization: Basic {self._credentials}", *request["head"][1:]]
        self._socket.sendall("\r\n".join([*head, "", ""]).encode() + base64.b64decode(request["body"]))
        answer = http.client.HTTPResponse(self._socket, method="POST")
        answer.begin()
        content = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    def close(self) -> None:
        self._socket.close()


def plain(content: bytes, headers: dict[str, str], method: str) -> bytes:
    """An answer's native blocks as the client of this compression unpacks them."""
    if method == "gzip":
        return gzip.decompress(content) if headers.get("content-encoding") == "gzip" else content
    if method == "lz4":
        return uncompressed(content)
    return content


@pytest.fixture
def client(collector: CollectorProcess) -> Iterator[HttpClient]:
    made = collector.client()
    yield made
    made.close()


@pytest.mark.parametrize("name", [each for each in RECORDED if "zstd" not in each])
def test_a_recorded_session_is_answered(collector: CollectorProcess, client: HttpClient, name: str) -> None:
    user, _, method = name.partition(", ")
    replay = Replay(collector, user)
    answers = []
    for request in RECORDED[name]:
        status, headers, content = replay.send(request)
        asked = base64.b64decode(request["body"])
        if b"nosuch" in asked:
            assert (status, headers["x-clickhouse-exception-code"]) == (404, "47")
            assert content.startswith(b"Code: 47. DB::Exception: ")
            continue
        assert status == 200, content
        answers.append((asked, rows(plain(content, headers, method))))
    replay.close()
    ((names, hello),) = [answer for asked, answer in answers if b"displayName" in asked][:1]
    assert names == ["displayName()", "version()", "revision()", "timezone()"]
    assert hello[0][1].startswith("26.")
    assert hello[0][2] > 54454, "a client takes the engine's own version for what it decodes"
    (listed,) = [answer for asked, answer in answers if b"numbers(2000)" in asked]
    assert listed == (["n", "time", "team", "cost", "lc", "maybe", "list"], EXPECTED), "limit=1000 is kept"
    assert next(answer for asked, answer in answers if b"nobody" in asked) == ([], [])
    if user == "flyball":
        assert client.query(f"SELECT * FROM go_{method} ORDER BY at").result_rows == INSERTED
        client.command(f"DROP TABLE go_{method}")


START = datetime(2026, 11, 20, 10, tzinfo=UTC).replace(tzinfo=None)
EXPECTED = [
    (
        number,
        START + timedelta(seconds=number),
        f"team {number % 3}",
        Decimal(number),
        f"team {number % 3}",
        None if number % 2 else number,
        [f"team {number % 3}"],
    )
    for number in range(1000)
]
INSERTED = [
    (
        datetime.fromtimestamp((1764500000000 + number) // 1000, UTC).replace(tzinfo=None)
        + timedelta(milliseconds=(1764500000000 + number) % 1000),
        f"team {number % 3}",
        Decimal("0.000000001"),
        None if number % 2 else f"it's {number}",
        {"k": "日本"},
        ["a", f"it's {number}"],
    )
    for number in range(50)
]


def test_zstd_blocks_both_ways(collector: CollectorProcess, client: HttpClient) -> None:
    replay = Replay(collector, "flyball")
    for request in RECORDED["flyball, zstd"]:
        status, _, content = replay.send(request)
        if b"timezone()" in base64.b64decode(request["body"]):
            assert content[16] == 0x90
            assert rows(zstd.decompress(content[25:]))[1][0][3].endswith("UTC")
        assert status == (404 if b"nosuch" in base64.b64decode(request["body"]) else 200)
    replay.close()
    assert client.query("SELECT * FROM go_zstd ORDER BY at").result_rows == INSERTED
    client.command("DROP TABLE go_zstd")


def test_the_checksum_is_the_one_of_clickhouse() -> None:
    """The recorded insert was hashed by an implementation in Go."""
    (insert,) = [each for each in RECORDED["flyball, lz4"] if "decompress=1" in each["head"][0]]
    body = base64.b64decode(insert["body"])
    size, _, chunk = body.partition(b"\r\n")
    assert uncompressed(chunk[: int(size, 16)]).startswith(b"\x06\x32\x02at\x14DateTime64(3, 'UTC')")


def test_every_type_of_our_tables_and_more_is_carried(collector: CollectorProcess, client: HttpClient) -> None:
    sql = (
        "SELECT number, if(number % 3 = 0, NULL, toString(number)) AS n, toLowCardinality(toString(number % 5)) AS lc,"
        " toLowCardinality(if(number % 2 = 0, NULL, 'x')) AS lcn,"
        " arrayMap(x -> repeat('y', x), range(number % 4)) AS sa,"
        " map('k', toLowCardinality(toString(number))) AS m, tuple(number, toFixedString('abc', 3)) AS t,"
        " CAST((1, 'z'), 'Tuple(a UInt8, `b c` Nullable(String))') AS nt, toDecimal128(1, 9) AS d,"
        " now64(3, 'UTC') AS at,"
        " toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0') AS u, toIPv6('::1') AS i6, toIPv4('1.2.3.4') AS i4,"
        " CAST('b, c(', 'Enum8(\\'a\\' = 1, \\'b, c(\\' = 2)') AS e, true AS b, repeat('x', number * 2) AS long,"
        " CAST([], 'Array(LowCardinality(String))') AS none, [[1, 2], []] AS aa, toInt256(-3) AS big,"
        " CAST(['a', NULL], 'Array(LowCardinality(Nullable(String)))') AS alc FROM numbers(300)"
    )
    answer = httpx.post(
        collector.endpoints["url"],
        params={"default_format": "Native", "client_protocol_version": "54460", "compress": "1"},
        content=sql,
        auth=("flyball", (collector.folder / "clickhouse-password").read_text().strip()),
    )
    assert answer.status_code == 200, answer.text
    names, found = rows(uncompressed(answer.content))
    expected = client.query(sql)
    at = names.index("at")
    assert names == list(expected.column_names)
    told = [tuple(row) for row in expected.result_rows]
    assert [row[:at] + row[at + 1 :] for row in found] == [row[:at] + row[at + 1 :] for row in told]


def test_what_newer_native_blocks_cannot_carry_is_said(collector: CollectorProcess) -> None:
    answer = httpx.post(
        collector.endpoints["url"],
        params={"default_format": "Native", "client_protocol_version": "54460"},
        content="SELECT sumState(1)",
        auth=("flyball", (collector.folder / "clickhouse-password").read_text().strip()),
    )
    assert answer.status_code == 501
    assert "finalizeAggregation" in answer.text


def test_blocks_of_many_megabytes(collector: CollectorProcess) -> None:
    answer = httpx.post(
        collector.endpoints["url"],
        params={"default_format": "Native", "compress": "1"},
        content="SELECT number, toString(number) AS s FROM numbers(300000)",
        auth=("flyball", (collector.folder / "clickhouse-password").read_text().strip()),
        timeout=60,
    )
    assert len(uncompressed(answer.content)) > 4_000_000
