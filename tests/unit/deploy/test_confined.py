"""`flyball serve` as its image runs it: read-only but for the state folder, no capability, and no way out but loopback.

Linux's own namespaces do what a container engine would.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.deploy.composed import ROOT

_ENTER = """
ip link set lo up
mount --bind "$HOME_FOLDER" "$HOME_FOLDER"
mount -o remount,bind,ro /
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


@pytest.mark.timeout(280)
def test_it_starts_serves_and_records_without_writing_elsewhere_or_reaching_out(tmp_path: Path) -> None:
    home = tmp_path / "state"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name in ("LANG", "COVERAGE_PROCESS_CONFIG")}
    environment = {
        **kept,
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME_FOLDER": str(home),
        "TMPDIR": str(home),
        "FLYBALL_HOME": str(home),
        "FLYBALL_SERVER__LISTEN": "127.0.0.1:0",
        "FLYBALL_SERVER__ADMIN_LISTEN": "127.0.0.1:0",
        "FLYBALL_SERVER__WORKERS": "1",
        "FLYBALL_TELEMETRY__LISTEN": "127.0.0.1:0",
    }
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    script = str(Path(__file__).with_name("confined.py"))
    command = ["unshare", *own, "--net", "--mount", "sh", "-ec", _ENTER, "sh", sys.executable, script, str(home)]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {"writable": False, "reached": False, "answer": "assistant", "rows": "1", "status": 0}
