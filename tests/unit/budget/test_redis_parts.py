"""The Redis ledger's parts that need no server: breaker, names, URLs, scripts, and the room without it."""

import subprocess
import sys

import pytest
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from proxy.budget import RedisLedger, RedisSettings
from proxy.budget.redis import scripts
from proxy.budget.redis.breaker import Breaker
from proxy.budget.redis.keys import Keys
from proxy.budget.redis.link import Link
from proxy.core.clock import SystemClock
from proxy.core.ids import new_id


def test_a_breaker_opens_after_failures_in_a_row_and_closes_by_one_success() -> None:
    breaker = Breaker(failures=3, pause_s=0.5)
    breaker.failed(1.0)
    breaker.failed(1.0)
    breaker.succeeded()
    breaker.failed(2.0)
    breaker.failed(2.0)
    assert breaker.state(2.0) == "closed"
    breaker.failed(2.0)
    assert (breaker.state(2.49), breaker.state(2.5)) == ("open", "trial")
    breaker.failed(2.5)
    assert (breaker.state(2.99), breaker.state(3.0), breaker.opened) == ("open", "trial", 1)
    breaker.succeeded()
    assert breaker.state(3.0) == "closed"


def test_operations_of_one_moment_are_remembered_together_and_apart() -> None:
    keys = Keys("flyball")
    ours = [keys.settled(new_id("op")) for _ in range(200)]
    assert len({key for key, _ in ours}) < 10
    assert len({name for _, name in ours}) == 200
    assert {len(name) for _, name in ours} == {16}
    others = [keys.settled(f"op_{at}") for at in range(2000)]
    assert len({key for key, _ in others}) <= 256
    assert len({name for _, name in others}) == 2000


@pytest.mark.parametrize("name", ["", "a}b", "{a", "a b", "a" * 65])
def test_a_name_that_would_break_the_hash_tag_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name for a ledger"):
        Keys(name)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://localhost:6379/2", Connection),
        ("rediss://user:pass@localhost:6380?ssl_cert_reqs=required", SSLConnection),
        ("unix:///run/redis.sock?db=1", UnixDomainSocketConnection),
    ],
)
def test_urls_are_those_of_redis(url: str, kind: type) -> None:
    assert Link(url, deadline_s=0.05)._home.connection_class is kind


@pytest.mark.parametrize("url", ["http://localhost", "localhost:6379", "redis://localhost?no_such_option=1"])
def test_a_url_that_cannot_be_meant_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"Redis URL|ledger\.url"):
        RedisLedger(url, clock=SystemClock())


def test_scripts_say_first_what_they_may_do() -> None:
    every = [each for each in vars(scripts).values() if isinstance(each, scripts.Script)]
    assert {each.name for each in every} == {
        "hold",
        "dispatch",
        "extend",
        "settle",
        "release",
        "renew",
        "lapsed",
        "balances",
        "kill_run",
        "runs",
        "killed_runs",
    }
    for script in every:
        assert script.text.startswith(b"#!lua")
        # What ends a hold must work in a server that is full; what makes one must not.
        reads = {"balances", "runs", "killed_runs"}
        assert (b"allow-oom" in script.text) == (script.name not in {"hold", "extend"} | reads)


def test_the_settings_are_those_of_the_failure_contract() -> None:
    assert RedisSettings() == RedisSettings(name="flyball", deadline_ms=50, patience_ms=200, failures=2, pause_ms=250)


def test_the_room_works_without_redis_and_says_what_to_install() -> None:
    program = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "redis":
            raise ModuleNotFoundError("No module named 'redis'", name=name)

sys.meta_path.insert(0, Missing())
import proxy.budget
try:
    proxy.budget.RedisLedger
except ImportError as error:
    print(error)
try:
    proxy.budget.Nonsense
except AttributeError as error:
    print(error)
print("redis.asyncio" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert "flyball[redis]" in said[0]
    assert "Nonsense" in said[1]
    assert said[2] == "False"
