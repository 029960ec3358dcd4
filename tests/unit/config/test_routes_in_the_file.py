"""Routes and agents of the file: what cannot be meant so is told with its place, all at once."""

from pathlib import Path

import pytest

from proxy.config import BadConfig, load_config

FILE = """
providers: {up: {base_url: "http://127.0.0.1:9/v1"}}
routes:
  - {model: m, when: {steps: [draft], hours: ["9-17"], timezone: Mars/Base}, targets: [{provider: up}]}
  - {model: m, targets: [{provider: up, weight: 0}], eases_from: 1.5, affinity_ttl_s: -1}
  - {model: m, targets: [{provider: up}]}
  - {path: /files, when: {orgs: [acme]}, targets: [{provider: up, weight: -2}]}
agents:
  idle: {}
  triage: {steps: {draft: nowhere}, rules: [{when: {min_bytes: 2, max_bytes: 1}, model: m}], otherwise: m}
"""


def test_every_mistake_of_a_route_and_an_agent_is_told(tmp_path: Path) -> None:
    path = tmp_path / "flyball.yaml"
    path.write_text(FILE)
    with pytest.raises(BadConfig) as bad:
        load_config(path, {})
    assert [
        line.partition(": ")[2].split(" ")[0] for line in str(bad.value).splitlines() if "flyball.yaml:" in line
    ] == [
        "routes[0].when.timezone",
        "routes[0].when.hours[0]",
        "routes[1].eases_from",
        "routes[1].affinity_ttl_s",
        "routes[1].targets",
        "routes[2].model",
        "routes[3].when",
        "routes[3].targets",
        "agents.idle",
        "agents.triage.rules[0].when.min_bytes",
        "agents.triage.steps.draft",
    ]
