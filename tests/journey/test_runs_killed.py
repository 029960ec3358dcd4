"""Stopping a run: its open streams end so that the SDK is content, its next call is refused once, others go on."""

import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from proxy.cli import main
from tests.journey.looping_agent import Loop, looping, stopped

pytestmark = [pytest.mark.alone, pytest.mark.timeout(120)]
WITHIN_S = 2.0
"""Every worker knows of a kill within a second; the rest is for a machine that does other things too."""
LONG = {"max_tokens": 4000, "extra_body": {"metadata": {"sim_output_tokens": "4000"}}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    # At the pace of a real model: a stream of 4,000 tokens takes half a minute.
    with looping(tmp_path_factory.mktemp("kills"), speed=1) as loop:
        yield loop


def kill(loop: Loop, path: str, **body: Any) -> Any:
    return loop.flyball.admin("POST", f"/admin/v1/runs/{path}", body)


@pytest.mark.parametrize("key", ["FREE", "COUNTED"])
def test_an_open_stream_ends_and_the_next_call_is_refused_once(running: Loop, key: str) -> None:
    """With limits and without: FREE has none, so that the ledger has never heard of its run, and each worker looks."""
    agent, run = running.agent(key, x_flyball_run="talk"), "talk"
    stream = agent.call(stream=True, **LONG)
    chunks = [next(stream) for _ in range(5)]
    killed = kill(running, f"{run}/kill?org=acme&team=t&key={key.lower()}", reason="it talks and talks")
    assert (killed["name"], killed["key"], killed["reason"]) == ("talk", key.lower(), "it talks and talks")
    at = time.monotonic()
    chunks += list(stream)
    assert time.monotonic() - at < WITHIN_S
    assert chunks[-1].choices[0].finish_reason in ("stop", "length", "content_filter")
    assert chunks[-1].model_extra["flyball"]["code"] == "run_stopped"
    if key == "FREE":
        time.sleep(WITHIN_S)
    sent, before = len(agent.sent), running.upstream()
    _, refused = agent.loop(most=1)
    assert stopped(refused)["why"] == "killed"
    assert (len(agent.sent) - sent, running.upstream() - before) == (1, 0)
    rows = running.flyball.wait_for_rows(2, where=f"run = 'talk' AND key_name = '{key.lower()}'")
    cut = next(row for row in rows if row["outcome"] != "refused")
    assert cut["code"] == "run_stopped"
    assert float(cut["cost_usd"]) > 0
    # Neither another run of the key nor the same name under another key is stopped.
    running.agent(key, x_flyball_run="other").call(max_tokens=5)
    running.agent("OTHER", x_flyball_run="talk").call(max_tokens=5)


def test_a_stream_of_responses_ends_as_the_sdk_expects(running: Loop) -> None:
    client = running.agent("FREE", x_flyball_run="responding").client()
    stream = client.responses.create(
        model="sim-small", input="Talk.", max_output_tokens=4000, stream=True, metadata={"sim_output_tokens": "4000"}
    )
    events = [next(stream) for _ in range(8)]
    kill(running, "responding/kill?org=acme&team=t&key=free")
    events += list(stream)
    assert events[-1].type in ("response.incomplete", "response.failed")


def test_a_whole_answer_that_is_not_there_yet_is_not_waited_for(running: Loop) -> None:
    """A call that was let through may end; what counts is that no further one is."""
    agent = running.agent("FREE", x_flyball_run="whole")
    agent.call(max_tokens=5)
    kill(running, "whole/kill?org=acme&team=t&key=free")
    time.sleep(WITHIN_S)
    with pytest.raises(openai.PermissionDeniedError):
        agent.call(max_tokens=5)


def test_a_run_can_be_stopped_before_its_first_call(running: Loop) -> None:
    kill(running, "not-yet/kill?org=acme&team=t&key=free")
    time.sleep(WITHIN_S)
    _, refused = running.agent("FREE", x_flyball_run="not-yet").loop(most=1)
    assert stopped(refused)["why"] == "killed"


def test_the_command_lists_shows_and_kills(
    running: Loop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(running.flyball.folder)
    monkeypatch.setenv("FLYBALL_HOME", str(running.flyball.home))
    name = "über / slash"
    for _ in range(2):
        # A header cannot carry it, a body can.
        running.agent("COUNTED").call(max_tokens=5, extra_body={"metadata": {"session_id": name}})
    running.flyball.wait_for_rows(2, where=f"run = '{name}'")
    assert main(["runs", "list", "--key", "counted"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if name in line)
    run_id = line.split()[0]
    assert " open  acme/t/counted  2 calls  0 tool calls " in line
    assert main(["runs", "show", name]) == 0
    told = capsys.readouterr().out
    assert "calls: 2 of 5 (key:acme/t/counted)" in told
    assert told.count("  op_") == 2
    assert main(["runs", "kill", name, "--reason", "enough"]) == 0
    assert capsys.readouterr().out.startswith(f"killed {run_id}  acme/t/counted  {name}")
    assert main(["runs", "list", "--state", "killed"]) == 0
    assert run_id in capsys.readouterr().out
    audit = running.flyball.admin("GET", "/admin/v1/audit?action=run.kill")["data"][0]
    assert audit["after"]["reason"] == "enough"
    with pytest.raises(SystemExit, match="there is no run 'no such run'"):
        main(["runs", "show", "no such run"])
