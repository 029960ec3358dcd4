"""A runaway loop with the real openai package: stopped at exactly its run's limit, once, without a retry."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from proxy.core.money import exact_usd
from tests.journey.looping_agent import (
    CALLS,
    DEPTH,
    HISTORY,
    KEYS,
    ROOM,
    SECONDS,
    TOOL,
    TOOL_CALLS,
    Loop,
    looping,
    stopped,
)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    with looping(tmp_path_factory.mktemp("loops")) as loop:
        yield loop


def test_it_is_stopped_after_so_many_calls(running: Loop) -> None:
    agent, before = running.agent("COUNTED", x_flyball_run="loop"), running.upstream()
    answered, refused = agent.loop()
    assert answered == CALLS == running.upstream() - before
    facts = stopped(refused)
    assert (facts["scope"], facts["run"], facts["run_limit"]) == ("run:acme/loop", "loop", "runs of key:acme/t/counted")
    assert (facts["limit_requests"], facts["spent_requests"], facts["wanted_requests"]) == (CALLS, CALLS, 1)
    assert len(agent.sent) == CALLS + 1
    row = running.flyball.wait_for_rows(CALLS + 1, where="run = 'loop' AND key_name = 'counted'")
    assert Counter((each["outcome"], each["code"]) for each in row) == {
        ("ok", ""): CALLS,
        ("refused", "run_stopped"): 1,
    }


def test_two_keys_with_one_name_have_two_runs(running: Loop) -> None:
    answered = [running.agent(key, x_flyball_run="shared").loop()[0] for key in ("COUNTED", "OTHER")]
    assert answered == [CALLS, CALLS]


def test_another_gateways_header_names_the_run_as_well(running: Loop) -> None:
    agent = running.agent("COUNTED", helicone_session_id="h-1")
    assert agent.loop()[0] == CALLS
    (row, *_) = running.flyball.wait_for_rows(CALLS + 1, where="run = 'h-1'")
    assert row["run_source"] == "helicone-session-id"
    assert all(each.header("helicone-session-id") is None for each in running.sim.provider.seen.requests)


def test_it_is_stopped_after_so_many_tool_calls(running: Loop) -> None:
    agent, before = running.agent("TOOLED", x_flyball_run="tools"), running.upstream()
    answered, refused = agent.loop(tools=[TOOL], tool_choice="required")
    assert answered == TOOL_CALLS == running.upstream() - before
    facts = stopped(refused)
    assert (facts["limit_tool_calls"], facts["spent_tool_calls"]) == (TOOL_CALLS, TOOL_CALLS)
    # A call that offers no tools can make no tool call.
    agent.call()


def test_it_is_stopped_at_so_many_dollars(running: Loop) -> None:
    agent, before = running.agent("PRICED", x_flyball_run="money"), running.upstream()
    answered, refused = agent.loop()
    facts = stopped(refused)
    assert answered == running.upstream() - before > 0
    spent, wanted, limit = (exact_usd(facts[f"{name}_usd"]) for name in ("spent", "wanted", "limit"))
    assert spent <= limit < spent + wanted
    rows = running.flyball.wait_for_rows(answered + 1, where="run = 'money'")
    assert sum(exact_usd(row["cost_usd"] or 0) for row in rows) == spent


def test_it_is_stopped_after_so_many_seconds(running: Loop) -> None:
    agent = running.agent("TIMED", x_flyball_run="slow")
    agent.call()
    began = time.monotonic()  # the run began before
    time.sleep(SECONDS / 2)
    agent.call()
    time.sleep(max(0.0, SECONDS + 0.1 - (time.monotonic() - began)))
    before = running.upstream()
    _, refused = agent.loop(most=1)
    facts = stopped(refused)
    assert (facts["why"], facts["limit_seconds"]) == ("seconds", SECONDS)
    assert running.upstream() == before
    # Another run of the key has its own time.
    running.agent("TIMED", x_flyball_run="next").call()


def test_it_is_stopped_below_so_deep(running: Loop) -> None:
    running.agent("NESTED", x_flyball_run="root").call()
    running.agent("NESTED", x_flyball_run="child", x_flyball_parent_run="root").call()
    before = running.upstream()
    _, refused = running.agent("NESTED", x_flyball_run="grandchild", x_flyball_parent_run="child").loop(most=1)
    facts = stopped(refused)
    assert (facts["why"], facts["limit_depth"], facts["spent_depth"]) == ("depth", DEPTH, DEPTH + 1)
    assert running.upstream() == before
    rows = running.flyball.wait_for_rows(2, where="key_name = 'nested' AND outcome = 'ok'")
    assert {row["run"]: row["run_depth"] for row in rows} == {"root": 1, "child": 2}


async def test_of_fifty_calls_at_once_exactly_as_many_go_on_as_there_is_room_for(running: Loop) -> None:
    before = running.upstream()
    headers = {"authorization": f"Bearer {KEYS['CROWDED']}", "x-flyball-run": "crowd"}
    body = {"model": "sim-small", "max_tokens": 5, "messages": HISTORY}
    async with httpx.AsyncClient(headers=headers, timeout=60, limits=httpx.Limits(max_connections=50)) as client:
        url = running.flyball.data + "/v1/chat/completions"
        answers = await asyncio.gather(*(client.post(url, json=body) for _ in range(50)))
    assert Counter(answer.status_code for answer in answers) == {200: ROOM, 403: 50 - ROOM}
    assert running.upstream() - before == ROOM


def test_without_a_limit_a_run_goes_on(running: Loop) -> None:
    agent = running.agent("FREE", x_flyball_run="free")
    for _ in range(CALLS + 3):
        agent.call()
