"""The real Presidio behind the door of the detectors, in an environment of its own; without it, what is said."""

import json
import os
import subprocess

import pytest

from tests.frameworks.environments import HERE, REPOSITORY, CannotInstall, python_of, told_when_absent


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_presidio_finds_is_found_counted_and_redacted() -> None:
    try:
        python = python_of("presidio")
    except CannotInstall as why:
        told_when_absent(why)
        return
    script = str(HERE / "callers" / "call_presidio.py")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [str(python), script], capture_output=True, text=True, env=environment, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.rpartition("told:")[2])
    assert told["problems"] == []
    assert sorted(told["findings"]) == [
        ["email", "pii", 0, 1],
        ["presidio_crypto", "pii", 0, 1],
        ["presidio_ip_address", "pii", 0, 1],
    ]
    assert told["whole"] is False, "a text that is too long for it counts as not looked at"
    assert told["pii"] == "[EMAIL] paid [PRESIDIO_CRYPTO] from [PRESIDIO_IP_ADDRESS]"
    assert told["one"] == "bob@example.com paid [PRESIDIO_CRYPTO] from 10.0.0.17"
    assert "SHOE_SIZE" in told["unknown"]
    assert "10.0.0.17" not in done.stderr
