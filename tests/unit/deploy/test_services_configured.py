"""The services' own configurations, by the programs themselves where they are to be had."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from tests.contract.ledger.redis_server import EXECUTABLE
from tests.contract.policy.real_opa import opa_command
from tests.unit.deploy.composed import DEPLOY, ROOT, SERVICES

PASSWORD = "a password of 'letters'"
LONG = 1600


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A redis-server as the compose file starts it, in another folder and on another port."""
    assert EXECUTABLE is not None, "redis-server is missing: install Debian's package of that name"
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    shell, flag, command = SERVICES["redis"]["command"]
    command = command.replace("$$", "$").replace("/etc/redis/redis.conf", str(DEPLOY / "redis.conf"))
    command = command.replace("redis-server", EXECUTABLE) + f" --dir {folder} --port {port} --bind 127.0.0.1"
    with subprocess.Popen(
        [shell, flag, command], env={"REDIS_PASSWORD": PASSWORD}, stdout=subprocess.DEVNULL
    ) as server:
        try:
            yield port
        finally:
            server.terminate()


def answering(client: "redis.Redis") -> "redis.Redis":
    until = time.monotonic() + 20
    while True:
        try:
            client.ping()
            return client
        except redis.ConnectionError:
            assert time.monotonic() < until, "redis-server does not answer"
            time.sleep(0.02)


def test_redis_keeps_what_it_is_given_and_asks_for_its_password(redis_port: int) -> None:
    known = answering(redis.Redis(port=redis_port, password=PASSWORD))
    told = {name: known.config_get(name)[name] for name in ("appendonly", "maxmemory-policy", "appendfsync", "save")}
    assert told == {"appendonly": "yes", "maxmemory-policy": "noeviction", "appendfsync": "everysec", "save": ""}
    assert known.config_get("maxmemory")["maxmemory"] == str(512 * 1024 * 1024)
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=redis_port).ping()
    known.close()


@pytest.fixture
def opa_url() -> Iterator[str]:
    """OPA as the compose file starts it, on another port and with the policies of this tree."""
    port = free_port()
    put_in = {"--addr=0.0.0.0:8181": f"--addr=127.0.0.1:{port}", "/policies": str(ROOT / "policies")}
    command = [put_in.get(each, each) for each in SERVICES["opa"]["command"]]
    with subprocess.Popen([opa_command(), *command], stderr=subprocess.DEVNULL) as server:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def asks_well(url: str) -> bool:
    """The compose file's health check, of that server."""
    _, _, *command = SERVICES["opa"]["healthcheck"]["test"]
    command[-1] = command[-1].replace("http://127.0.0.1:8181", url)
    return subprocess.run([opa_command(), *command], capture_output=True, timeout=60).returncode == 0


@pytest.mark.long
@pytest.mark.timeout(LONG)
def test_opa_serves_our_policies_and_is_seen_to(opa_url: str, tmp_path: Path) -> None:
    until = time.monotonic() + 60
    while not asks_well(opa_url):
        assert time.monotonic() < until, "opa does not answer"
    decided = httpx.get(f"{opa_url}/v1/data/flyball", trust_env=False).json()["result"]
    assert {"request", "route", "tool_call"} <= decided.keys()
    assert not [name for name in decided if name.endswith("_test")] and decided["request"]["deny"] == []
    known = {"input": {"org": "acme", "team": "support", "key": "key_1"}}
    assert httpx.post(f"{opa_url}/v1/data/flyball/request/allow", json=known, trust_env=False).json()["result"] is True
    assert not asks_well(f"{opa_url}/no-such-path") and not asks_well("http://127.0.0.1:1")
