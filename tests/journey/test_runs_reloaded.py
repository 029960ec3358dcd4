"""A changed limit holds for running runs at once, and counts what they have used; `derive` makes runs of histories."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.journey.looping_agent import CALLS, HISTORY, Loop, looping, stopped

pytestmark = pytest.mark.timeout(120)


def rewrite(loop: Loop, **runs: Any) -> None:
    """Change what the file says of runs, and wait until the one worker has taken it."""
    config = json.loads(loop.flyball.config.read_text())
    config["runs"] = {**config["runs"], **runs}
    taken = loop.flyball.log.read_text().count("configuration reloaded")
    loop.flyball.config.write_text(json.dumps(config))
    deadline = time.monotonic() + 20
    while loop.flyball.log.read_text().count("configuration reloaded") == taken:
        assert time.monotonic() < deadline, loop.flyball.log.read_text()[-2000:]
        time.sleep(0.05)


def test_a_raised_limit_lets_a_stopped_run_go_on(tmp_path: Path) -> None:
    with looping(tmp_path, workers=1) as loop:
        agent = loop.agent("COUNTED", x_flyball_run="loop")
        assert agent.loop()[0] == CALLS
        rewrite(loop, limits=[{"scope": "org:acme", "calls": CALLS + 2}])
        answered, refused = agent.loop()
        assert answered == 2
        assert stopped(refused)["spent_requests"] == CALLS + 2
        told = loop.flyball.admin("GET", "/admin/v1/runs/loop?key=counted")
        (limit,) = told["limits"]
        assert (limit["said_of"], limit["used"], limit["limit"]) == ("org:acme", CALLS + 2, CALLS + 2)


def test_a_growing_history_is_one_derived_run_and_not_limited_unless_said(tmp_path: Path) -> None:
    limits = [{"scope": "key:acme/t/counted", "calls": 2, "derived": True}, {"scope": "key:acme/t/other", "calls": 2}]
    with looping(tmp_path, workers=1, derive=True, limits=limits) as loop:
        history = list(HISTORY)
        agent = loop.agent("COUNTED")
        for _ in range(2):
            said = agent.call(messages=history).choices[0].message.content
            history += [{"role": "assistant", "content": said}, {"role": "user", "content": "Go on."}]
        _, refused = agent.loop(most=1, messages=history)
        assert stopped(refused)["run"].startswith("derived-")
        agent.call(messages=[{"role": "user", "content": "Something else."}])
        other = loop.agent("OTHER")
        for _ in range(4):
            other.call()
        rows = loop.flyball.wait_for_rows(4, where="key_name = 'other'")
        assert len({row["run"] for row in rows}) == 1
        assert {row["run_source"] for row in rows} == {"derived"}
