"""Everything that can be made to go wrong does."""

import json
import time
from typing import Any

import httpx
import pytest

from proxy.sim import Faults, Replay, Script, SimProcess, SimServer
from proxy.sim.faults import UnknownFault, parse_faults

CHAT: dict[str, Any] = {"model": "sim-small", "messages": [{"role": "user", "content": "one two three"}]}


def faulty(fault: str, **more: object) -> dict[str, Any]:
    """A request that asks for a fault in the model's name."""
    return {**CHAT, "model": f"sim-small!{fault}", **more}


def read(client: httpx.Client, body: dict[str, Any]) -> tuple[bytes, str]:
    """What arrived, and the name of the error it ended in."""
    got = b""
    try:
        with client.stream("POST", "/chat/completions", json=body, timeout=0.6) as response:
            for chunk in response.iter_raw():
                got += chunk
    except httpx.TransportError as error:
        return got, type(error).__name__
    return got, ""


def test_faults_are_read_from_text() -> None:
    assert parse_faults("429=7+no-usage+slow=0.5") == Faults(status=429, retry_after_s=7, no_usage=True, slow_s=0.5)
    assert parse_faults("") == Faults()


@pytest.mark.parametrize("text", ["boom", "299", "600", "cut=x"])
def test_an_unknown_fault_is_said_with_those_there_are(text: str) -> None:
    with pytest.raises(UnknownFault, match="no-usage"):
        parse_faults(text)


@pytest.mark.parametrize(
    ("fault", "status", "retry_after"), [("429=7", 429, "7"), ("429", 429, "1"), ("529", 529, None)]
)
def test_a_status_is_answered_in_the_providers_shape(
    client: httpx.Client, fault: str, status: int, retry_after: str | None
) -> None:
    response = client.post("/chat/completions", json=faulty(fault))
    assert (response.status_code, response.headers.get("retry-after")) == (status, retry_after)
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_header_and_metadata_ask_for_faults_too(client: httpx.Client, sim: SimServer) -> None:
    assert client.post("/chat/completions", json=CHAT, headers={"x-sim-fault": "500"}).status_code == 500
    assert client.post("/chat/completions", json=CHAT | {"metadata": {"sim_fault": "503"}}).status_code == 503
    assert not sim.provider.bill.accounts


def test_a_script_overrules_requests_turn_by_turn(client: httpx.Client, sim: SimServer) -> None:
    sim.provider.script.add(Faults(status=500), Replay(status=201, body=b"abcdef", cuts=(1, 2)))
    statuses = [client.post("/chat/completions", json=CHAT).status_code for _ in range(3)]
    assert statuses == [500, 201, 200]


def test_a_replay_is_cut_where_it_is_told_and_loses_nothing() -> None:
    assert list(Replay(body=b"abcdef", cuts=(1, 2)).chunks()) == [b"a", b"bc", b"def"]
    assert list(Replay(body=b"ab", cuts=(2, 5)).chunks()) == [b"ab"]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("fault", "error"), [("cut=150", "ReadError"), ("close=150", "RemoteProtocolError")])
def test_an_answer_breaks_after_exactly_so_many_bytes(
    client: httpx.Client, fault: str, error: str, streamed: bool
) -> None:
    got, ended = read(client, faulty(fault, stream=streamed))
    assert (len(got), ended) == (150, error)


def test_a_wrong_length_is_told(client: httpx.Client) -> None:
    got, ended = read(client, faulty("length=20"))
    assert ended == "RemoteProtocolError"
    short, ended = read(client, faulty("length=-20"))
    assert ended == ""
    assert json.loads(got)
    assert len(short) == len(got) - 20


def test_a_stall_lasts_until_the_client_leaves_and_only_what_was_said_is_billed(
    client: httpx.Client, sim: SimServer
) -> None:
    got, ended = read(client, faulty("stall=4", stream=True))
    assert ended == "ReadTimeout"
    assert got.count(b"data: ") == 4
    deadline = time.monotonic() + 5
    while sim.provider.seen.requests[0].ending == "open" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sim.provider.seen.requests[0].ending == "client_left"
    assert sim.provider.bill.accounts["sim-small"].output_tokens == 3


def test_a_slow_first_token_is_slow(client: httpx.Client) -> None:
    started = time.monotonic()
    client.post("/chat/completions", json=faulty("slow=0.3"))
    assert time.monotonic() - started >= 0.3


def test_an_error_comes_inside_the_stream(client: httpx.Client) -> None:
    got, _ = read(client, faulty("error=2", stream=True))
    *before, last = got.decode().strip().split("\n\n")
    assert len(before) == 2
    assert '"error"' in last
    told = client.post("/responses", json={"model": "sim-small!error=2", "input": "x", "stream": True}).text
    assert told.strip().split("\n\n")[-1].startswith("event: error\n")


def test_an_error_instead_of_a_whole_answer_is_a_500_and_free(client: httpx.Client, sim: SimServer) -> None:
    assert client.post("/chat/completions", json=faulty("error")).status_code == 500
    assert not sim.provider.bill.accounts


def test_usage_can_be_withheld(client: httpx.Client) -> None:
    assert "usage" not in client.post("/chat/completions", json=faulty("no-usage")).json()
    asked = faulty("no-usage", stream=True, stream_options={"include_usage": True})
    assert "usage" not in client.post("/chat/completions", json=asked).text


def test_garbage_comes_after_the_end(client: httpx.Client) -> None:
    got, ended = read(client, faulty("garbage", stream=True))
    assert not ended
    assert not got.endswith(b"[DONE]\n\n")
    assert b"[DONE]" in got


def test_a_huge_answer_ignores_the_limit(client: httpx.Client) -> None:
    body = client.post("/chat/completions", json=faulty("huge=5000", max_tokens=5)).json()
    assert body["usage"]["completion_tokens"] == 5000


def test_what_was_seen_can_be_asked_for_and_hides_credentials(sim: SimServer, client: httpx.Client) -> None:
    client.post("/chat/completions", json=CHAT)
    root = sim.url.removesuffix("/v1")
    seen = httpx.get(f"{root}/sim/seen").json()
    assert (seen["total"], seen["requests"][0]["path"]) == (1, "/v1/chat/completions")
    assert "sk-test" not in str(seen)
    assert sim.provider.seen.requests[0].header("authorization") == "Bearer sk-test"


def test_a_process_of_its_own_takes_a_script_over_http_and_ends_when_told() -> None:
    process = SimProcess(speed=0)
    try:
        root = process.url.removesuffix("/v1")
        assert httpx.post(f"{root}/sim/script", json={"turns": ["529", ""], "always": "500"}).json() == {"added": 2}
        statuses = [httpx.post(f"{process.url}/chat/completions", json=CHAT).status_code for _ in range(3)]
        assert statuses == [529, 200, 500]
        assert httpx.post(f"{root}/sim/script", json={"turns": ["boom"]}).status_code == 400
    finally:
        assert process.stop() == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(process.url)


def test_the_script_answers_only_what_it_was_given() -> None:
    script = Script(Faults(status=500))
    assert script.take() == Faults(status=500)
    assert script.take() is None
