"""Drafts of policies, tried on calls that a real Flyball has decided: then and now, what differs, what nobody knows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import command
from tests.harness.flyball import Flyball
from tests.journey.test_policy_reload import asked

pytestmark = pytest.mark.timeout(300)
CONFIG = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
policy: {dir: rules}
"""
RULE = """package flyball.request

deny contains {"code": "only_small", "msg": "Only sim-small."} if input.model == "sim-large"
"""
STRICTER = (
    RULE
    + """
deny contains {"code": "no_medium", "msg": "Not medium."} if {
	input.model == "sim-medium"
	input.org == "default"
}
"""
)
LOOSER = "package flyball.request\n"
BY_TEXT = RULE + '\ndeny contains {"code": "text", "msg": "x"} if input.messages.text[0].text == "Hi"\n'


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Flyball]:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "models.rego").write_text(RULE)
    with Flyball(tmp_path, CONFIG) as flyball:
        yield flyball


def policy(flyball: Flyball, action: str, text: str, *more: str) -> tuple[int, Any]:
    draft = flyball.folder / "models.rego"
    draft.write_text(text)
    done = command(["policy", action, str(draft), "--config", str(flyball.config), *more], flyball.environment)
    assert done.returncode in (0, 1) and (done.stdout or done.returncode), done.stderr
    return done.returncode, json.loads(done.stdout) if "--json" in more else done.stdout + done.stderr


def test_a_draft_is_tried_on_what_was_decided(served: Flyball) -> None:
    statuses = [asked(served, model).status_code for model in ("sim-small", "sim-medium", "sim-large")]
    assert statuses[0] == 200 and statuses[2] == 403
    rows = served.wait_for_rows(3, "decisions", "point = 'request'")
    operations = {row["model"]: row["operation_id"] for row in rows}

    _, tried = policy(served, "try", STRICTER, "--operation", operations["sim-medium"], "--json")
    (decision,) = [each for each in tried["decisions"] if each["point"] == "request"]
    assert decision["change"] == "newly_denied" and decision["then"]["allow"] is True
    assert decision["now"]["denials"] == ["no_medium"]
    assert "in the place of models.rego" in tried["draft"][0]
    fired = {(rule["path"], rule["line"]): rule["fired"] for rule in decision["rules"]}
    assert fired["models.rego", 3] is False and fired["models.rego", 5] is True
    status, words = policy(served, "try", LOOSER, "--operation", operations["sim-large"])
    assert status == 0 and "newly allowed" in words and "then  denied only_small" in words
    _, words = policy(served, "try", BY_TEXT, "--operation", operations["sim-small"])
    assert "its rules read what was not kept: input.messages.text" in words
    status, words = policy(served, "try", RULE, "--operation", "op_019a9f3c8e007b4c8000000000000001")
    assert status == 1 and "no decision on op_" in words
    status, words = policy(served, "try", "package a {", "--operation", operations["sim-small"])
    assert status == 1 and "models.rego:1" in words

    status, told = policy(served, "diff", STRICTER, "--since", "1h", "--point", "request", "--json", "--exit-code")
    assert status == 1 and told["decisions"] == 3
    assert told["counts"]["same"] == 2 and told["counts"]["newly_denied"] == 1 and told["not_replayed"] == {}
    assert told["examples"]["newly_denied"][0]["operation"] == operations["sim-medium"]
    status, told = policy(served, "diff", RULE, "--json", "--exit-code", "--limit", "2", "--point", "request")
    assert status == 0 and told["counts"]["same"] == told["decisions"] == 2
    _, told = policy(served, "diff", BY_TEXT, "--json", "--point", "request")
    assert told["counts"]["not_replayed"] == 3 and list(told["not_replayed"].values()) == [3]
    _, told = policy(served, "diff", 'package flyball.tool_call\n\ndeny contains {"code": "x", "msg": "x"}', "--json")
    assert told["unseen_points"] == ["tool_call"]
    status, words = policy(served, "diff", STRICTER, "--exit-code")
    assert status == 1 and "newly denied" in words and operations["sim-medium"] in words
