"""The demo's traffic: shaped like the hour it was taken from, and the same every time."""

import os
import statistics
import sys
from pathlib import Path
from random import Random

import pytest

from proxy.cli.demo.hour import TRACE, Hour, hour_of_trace, shipped_hour, the_hour
from proxy.cli.demo.plan import cost_of_org, plan
from proxy.cli.demo.tenants import KEYS, ORGS
from proxy.cli.demo.words import prompt

ROOT = Path(__file__).parents[3]
TRACES = Path(os.environ.get("FLYBALL_TRACES", ROOT.parent / "shared" / "traces"))
FLAT = Hour(calls=(1, 0, 3), prompt_tokens=(10, 20, 30), output_tokens=(5, 5, 5))


def test_the_shipped_hour_is_the_traces_own() -> None:
    trace = TRACES / TRACE
    if not trace.is_file():
        assert os.environ.get("CI") != "true", f"{trace} is missing"
        sys.stderr.write(f"not run: {trace} is not there\n")
        return
    assert hour_of_trace(trace) == shipped_hour()


def test_the_shipped_hour_counts_every_request_of_the_trace() -> None:
    assert sum(shipped_hour().calls) == 19_366


def test_a_trace_is_reduced_to_slots_and_percentiles(tmp_path: Path) -> None:
    trace = tmp_path / TRACE
    rows = ["2023-11-16 18:00:00.0000000,10,1", "2023-11-16 18:00:29.9000000,20,2", "2023-11-16 18:01:00.1000000,30,3"]
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(rows) + "\n")
    hour = hour_of_trace(trace)
    assert (hour.calls[:3], sum(hour.calls)) == ((2, 0, 1), 3)
    assert (hour.prompt_tokens[0], hour.prompt_tokens[50], hour.prompt_tokens[100]) == (10, 20, 30)


def test_the_trace_on_this_machine_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYBALL_TRACES", str(tmp_path))
    assert the_hour() == shipped_hour()
    (tmp_path / TRACE).write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00.0000000,7,9\n")
    assert the_hour().prompt_tokens[0] == 7


def test_calls_come_when_the_hour_has_them() -> None:
    moments = FLAT.moments(4000, 3.0, Random(1))
    assert moments == sorted(moments)
    shares = [sum(slot <= moment < slot + 1 for moment in moments) / 4000 for slot in range(3)]
    assert shares[1] == 0
    assert shares[0] == pytest.approx(0.25, abs=0.03)


def test_sizes_follow_the_percentiles() -> None:
    chance = Random(1)
    prompts = [FLAT.sizes(chance)[0] for _ in range(2000)]
    assert (min(prompts), max(prompts)) == (10, 30)
    assert statistics.median(prompts) == pytest.approx(20, abs=1)


def test_a_plan_is_the_same_every_time_and_uses_every_key() -> None:
    made = plan(shipped_hour(), calls=800, seconds=60, seed=3)
    assert made == plan(shipped_hour(), calls=800, seconds=60, seed=3)
    assert made != plan(shipped_hour(), calls=800, seconds=60, seed=4)
    assert {call.key for call in made} == set(KEYS)
    assert all(call.agent in call.key.agents and call.model in dict(call.key.models) for call in made)
    assert {call.endpoint for call in made} == {"chat/completions", "responses", "embeddings"}
    assert 0 < sum(bool(call.trouble) for call in made) < 80
    assert all(call.max_tokens >= call.output_tokens for call in made)


def test_an_orgs_cost_is_the_sum_of_its_calls() -> None:
    made = plan(shipped_hour(), calls=200, seconds=10, seed=1)
    parts = [cost_of_org(org, made) for org in ORGS]
    assert all(part > 0 for part in parts)
    per_call = [cost_of_org(call.key.org, [call]) for call in made]
    assert sum(parts) == sum(per_call)


def test_a_prompt_has_so_many_words_and_a_long_one_begins_as_the_agents_others_do() -> None:
    assert len(prompt("a", 5, 1).split()) == 5
    assert prompt("a", 5, 1) != prompt("a", 5, 2)
    long, other = (prompt("a", 2000, seed).split() for seed in (1, 2))
    assert len(long) == 2000
    assert long[:1024] == other[:1024]
    assert long != other
