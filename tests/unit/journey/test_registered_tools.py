"""What rules are told of registered tools, in the words of docs/kill-switches.md."""

import re
from pathlib import Path
from typing import Any

import pytest

from proxy.config import BadConfig, load_config
from proxy.policy import Point
from proxy.wire.endpoint import Endpoint
from tests.harness.emitted import DONE, call, ends
from tests.harness.one_worker import KEY, Answer, Client, chat, config, one_worker
from tests.harness.read_by_sdk import read_by_sdk

PAGE = (Path(__file__).parents[3] / "docs" / "kill-switches.md").read_text()
YAML = PAGE.partition("```yaml\n")[2].partition("```")[0]
REGO = PAGE.partition("```rego\n")[2].partition("```")[0]
NAMES = ("read_mail", "refund_payment", "web_search", "crm_put", "send_mail")
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in NAMES]


async def test_the_page_s_registry_and_rules_do_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "calls.rego").write_text(REGO)
    (tmp_path / "rules" / "requests.rego").write_text(
        "package flyball.request\ndeny contains t if some t in input.tools"
    )
    told: dict[str, Any] = {}
    text = config(more=f"policy: {{dir: rules}}\n{YAML.replace('2.1.0', '1.9.0-rc.1')}")
    with one_worker(tmp_path, text) as house:
        engine = house.rooms.snapshot().policy
        decided = engine.decide

        async def spy(point: Point, facts: dict[str, Any]) -> Any:
            if point is Point.REQUEST:
                told["tools"] = facts["tools"]
                return engine.grant
            told[facts["tool"]["name"]] = facts["tool"]["registered"]
            return await decided(point, facts)

        engine.decide = spy  # type: ignore[method-assign, assignment] # looks on, and decides as ever
        events = [call(name, "{}", index=at, id_=name) for at, name in enumerate(NAMES)]
        client = await house.call(Client(chat(stream=True, tools=TOOLS)), Answer(*events, ends(), DONE))
        await house.parts.ledger.close()
    assert told["tools"][:2] == [
        {"name": "read_mail", "type": "function", "access": "read", "risk": "low"},
        {"name": "refund_payment", "type": "function", "access": "write", "risk": "high"},
    ]
    assert told["tools"][4] == {"name": "send_mail", "type": "function", "access": None, "risk": None}
    assert told["refund_payment"] == {"owner": "billing", "risk": "high", "access": "write", "version": "1.9.0-rc.1"}
    assert told["crm_put"]["access"] == "write" and told["send_mail"] is None
    read = read_by_sdk(Endpoint.CHAT, client.text)
    assert {name for name, _ in read.calls} == set(NAMES) - {"refund_payment"}
    assert "(old_schema)" in read.text and len(re.findall("denied by policy", read.text)) == 1


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{name: x, version: 1.4}", "tools[0].version"),
        ("{name: x, version: v1.4.0}", "tools[0].version is no semantic version such as 1.4.0: 'v1.4.0'"),
        ("{name: x, access: reads}", "tools[0].access"),
        ("{access: read}", "tools[0]"),
        ("{name: x}, {name: x}", "tools[1].name 'x' is there twice"),
    ],
)
def test_a_registry_that_cannot_be_meant_so_is_refused_with_its_place(tmp_path: Path, entry: str, said: str) -> None:
    path = tmp_path / "flyball.yaml"
    path.write_text(f"tools: [{entry}]\n")
    with pytest.raises(BadConfig) as error:
        load_config(path, {"BOT_KEY": KEY, "FLYBALL_HOME": str(tmp_path / "state")})
    assert said in str(error.value) and "flyball.yaml:1" in str(error.value)
