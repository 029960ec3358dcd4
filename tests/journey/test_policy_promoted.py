"""Policies by the API: proposed ones are only tried, promoted ones decide on all workers, also after a restart."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.command import Done, command
from tests.harness.flyball import Flyball
from tests.journey.test_policy_reload import answers, asked, until

pytestmark = pytest.mark.timeout(300)
CONFIG = 'server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 2}\n'
RULE = """package flyball.request

deny contains {"code": "only_small", "msg": "Only sim-small."} if input.model != "sim-small"
"""


def policy(flyball: Flyball, *arguments: str) -> Done:
    return command(["policy", *arguments, "--config", str(flyball.config)], flyball.environment)


def status(flyball: Flyball) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(policy(flyball, "status", "--json").stdout)
    return found


def test_a_proposal_is_tried_promoted_and_taken_back(tmp_path: Path) -> None:
    rules = tmp_path / "draft"
    rules.mkdir()
    (rules / "models.rego").write_text(RULE)
    with Flyball(tmp_path, CONFIG) as served:
        token = served.admin("POST", "/admin/v1/tokens", {"name": "mara", "role": "policy_admin"})["secret"]
        (tmp_path / "mara").write_text(token)
        mara = f"--token-file={tmp_path / 'mara'}"
        assert answers(served, "sim-large", 200)

        proposed = policy(served, "propose", str(rules), mara)
        assert proposed.returncode == 0, proposed.stderr
        revision = proposed.stdout.split()[1].rstrip(":")

        def tried() -> bool:
            assert asked(served, "sim-large").status_code == 200
            where = f"shadow AND revision = '{revision}' AND NOT allow AND code = 'only_small'"
            return bool(served.query(f"SELECT count() AS n FROM decisions WHERE {where}")[0]["n"])

        until(tried)
        shadow = status(served)["shadow"]
        assert shadow["differ"] >= 1 and shadow["decisions"] >= shadow["differ"]

        own = policy(served, "promote", revision, mara)
        assert own.returncode == 1 and "nobody promotes their own request" in own.stderr
        other = policy(served, "promote", "0" * 8)
        assert other.returncode == 1 and revision in other.stderr
        done = policy(served, "promote", revision[:8])
        assert done.returncode == 0, done.stderr
        until(lambda: answers(served, "sim-large", 403))
        assert answers(served, "sim-small", 200)
        until(lambda: status(served)["revision"] == revision)

    with Flyball(tmp_path, CONFIG) as served:
        assert answers(served, "sim-large", 403)
        assert "the starter library" in policy(served, "rollback").stdout
        until(lambda: answers(served, "sim-large", 200))
        assert status(served)["previous"]["revision"] == revision
