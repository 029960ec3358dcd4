"""A client that reads slowly slows its provider down, and costs us no memory."""

import json
import socket
import time
from pathlib import Path

from proxy.sim import Faults, Script, SimProvider, SimServer, SimSettings
from tests.harness.flyball import Flyball

STREAM_TOKENS = 400_000
"""Some 100 MB of events: far beyond what sockets hold."""
ROOM_KB = 4 * 1024
KEY = "fb-test-key-of-a-slow-reader-0123456789"


def config(sim_url: str) -> str:
    return f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}}
providers: {{sim: {{base_url: "{sim_url}", profile: sim}}}}
routes: [{{model: "*", targets: [{{provider: sim}}]}}]
tenants: [{{org: acme, teams: [{{team: support, keys: [{{name: bot, key_env: BOT_KEY}}]}}]}}]
"""


def resident_kb(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def open_stream(flyball: Flyball) -> socket.socket:
    host, _, port = flyball.data.removeprefix("http://").rpartition(":")
    body = json.dumps({"model": "sim-small", "stream": True, "messages": [{"role": "user", "content": "go on"}]})
    client = socket.create_connection((host, int(port)))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    client.sendall(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
    return client


def sent_when_still(sim: SimServer) -> int:
    """What the provider has sent once it sends no more: a second passed without a token."""
    sent, deadline = -1, time.monotonic() + 60
    while (now := sum(request.sent_tokens for request in sim.provider.seen.requests)) != sent:
        assert time.monotonic() < deadline, "the provider goes on and on"
        sent = now
        time.sleep(1.0)
    return sent


def test_a_slow_reader_slows_the_provider_and_not_us(tmp_path: Path) -> None:
    """R9.6. What stands still is the provider: the sockets' own buffers fill, ours stay as they are."""
    huge = Script(always=Faults(huge=STREAM_TOKENS))
    with (
        SimServer(SimProvider(huge, SimSettings(speed=0))) as sim,
        Flyball(tmp_path, config(sim.url), {"BOT_KEY": KEY}) as flyball,
    ):
        (worker,) = flyball.pids("worker")
        clients = [open_stream(flyball) for _ in range(2)]
        for client in clients:
            client.recv(1000)
        before = resident_kb(worker)
        assert sent_when_still(sim) < 2 * STREAM_TOKENS // 2, "the provider was not made to wait"
        assert resident_kb(worker) - before < ROOM_KB
        for client in clients:
            client.close()
        rows = flyball.wait_for_rows(2)
        assert {row["outcome"] for row in rows} == {"cancelled"}
