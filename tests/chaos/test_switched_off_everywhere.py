"""A kill switch that is set on one host of a shared ledger is in force on the other too, on its open streams."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import openai
import pytest

from proxy.sim import SimProvider, SimServer, SimSettings
from tests.chaos.hosts import config, hosts, until
from tests.chaos.scene import KEY
from tests.contract.ledger.redis_server import served
from tests.harness.flyball import Flyball

pytestmark = pytest.mark.timeout(240)
IN_FORCE_S: Final = 2.0


@pytest.fixture
def both(tmp_path: Path) -> Iterator[list[Flyball]]:
    patient = {"deadline_ms": 5_000, "patience_ms": 20_000}
    with (
        served() as redis,
        SimServer(SimProvider(settings=SimSettings(speed=1))) as sim,
        hosts(tmp_path, config(sim.url, redis.tcp_url, ledger=patient)) as made,
    ):
        yield made


def talking(host: Flyball) -> Any:
    """A stream that takes half a minute."""
    client = openai.OpenAI(base_url=f"{host.data}/v1", api_key=KEY, max_retries=0)
    given: Any = {"model": "sim-small", "messages": [{"role": "user", "content": "x"}], "max_tokens": 4000}
    long = {"metadata": {"sim_output_tokens": "4000"}}
    return client.chat.completions.create(**given, stream=True, extra_body=long)


def code(host: Flyball) -> str:
    """What a short call is refused with; empty when it is served."""
    given: Any = {"model": "sim-small", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    try:
        openai.OpenAI(base_url=f"{host.data}/v1", api_key=KEY, max_retries=0).chat.completions.create(**given)
    except openai.PermissionDeniedError as error:
        return str(error.code)
    return ""


def test_what_one_host_turns_off_is_off_on_the_other(both: list[Flyball]) -> None:
    here, there = both
    stream = talking(there)
    next(stream)
    made = here.admin("POST", "/admin/v1/kill-switches", {"target": "model:sim-*", "reason": "a test"})
    set_at = time.monotonic()
    *_, last = stream
    took = time.monotonic() - set_at
    assert last.model_extra["flyball"]["switch"] == made["id"]
    assert took < IN_FORCE_S
    time.sleep(max(0.0, set_at + IN_FORCE_S - time.monotonic()))  # the worker whose stream ended is one of two there
    assert [code(host) for host in (here, there) for _ in range(4)] == ["policy_denied"] * 8
    for host in both:
        (listed,) = host.admin("GET", "/admin/v1/kill-switches")["data"]
        assert (listed["id"], listed["by"]) == (made["id"], "bootstrap")
    there.admin("POST", f"/admin/v1/kill-switches/{made['id']}/lift")
    until(lambda: {code(host) for host in both for _ in range(4)} == {""}, 30)
    until(lambda: here.admin("GET", "/admin/v1/budgets/all")["held_nano"] == 0, 10)
