"""The code in docs/approvals.md does what the page says."""

import base64
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.budget import signing_keys
from proxy.core.clock import SetClock
from tests.unit.admin.admin_port import serving
from tests.unit.admin.asked_approvals import asked

PAGE = (Path(__file__).parents[3] / "docs" / "approvals.md").read_text("utf-8")
SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()


@pytest.mark.parametrize(("decision", "state"), [("approve", "approved"), ("deny", "denied")])
def test_the_signing_code_decides(tmp_path: Path, decision: str, state: str) -> None:
    code = re.search(r"```python\n(.*?)```", PAGE, re.S)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)
    with serving(tmp_path, SetClock(datetime.now(UTC)), webhook_keys=lambda: signing_keys(SECRET)) as port:
        assert port.rooms.approvals is not None
        approval = asked(port.rooms.approvals, port.clock.now_ns())
        assert names["decide"](port.url, SECRET, approval.id, decision, "anna@example.com") == 200
        found = port.rooms.approvals.find(approval.id)
        assert found is not None and (found.state, found.decided_by) == (state, "anna@example.com")
