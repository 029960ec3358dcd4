"""deploy/compose.yaml: valid, hardened, pinned, and each part told what the others need of it."""

import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import jsonschema_rs
import pytest
import yaml

from dashboards.datasource import PLUGIN, PLUGIN_VERSION
from dashboards.provisioning import BOARDS_PATH
from proxy.cli import main
from proxy.cli.demo.folder import DemoFolder
from proxy.cli.grafana.api import OLDEST
from proxy.config import load_config
from proxy.core.money import Nano
from proxy.core.secret import Secret
from tests.contract.policy.real_opa import OPA_VERSION
from tests.unit.deploy.composed import DEPLOY, ROOT, SERVICES, compose, environment

ONCE = {"demo"}  # services that end by themselves
SECRET = re.compile(r"\$\{(\w+):\?run deploy/secrets\.sh\}")


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """What deploy/secrets.sh makes, run twice: the second time changes nothing."""
    script = tmp_path / "secrets.sh"
    script.write_bytes((DEPLOY / "secrets.sh").read_bytes())
    told = []
    for _ in range(2):
        subprocess.run(["sh", str(script)], check=True)
        told.append((tmp_path / ".env").read_text())
    assert told[0] == told[1]
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    return dict(line.split("=", 1) for line in told[0].splitlines())


def test_it_keeps_to_the_compose_specification() -> None:
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    told = jsonschema_rs.validator_for(schema)
    assert [error.message for error in told.iter_errors(compose())] == []
    broken = compose()
    broken["services"]["proxy"]["read_onyl"] = True
    assert not told.is_valid(broken)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"] and not service.get("privileged")
    user, _ = service["user"].split(":")
    assert int(user) > 0
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    if name in ONCE:
        assert service["restart"] == "no" and service["profiles"]
    else:
        assert service["restart"] == "unless-stopped" and (service.get("healthcheck") or "build" in service)
    for place in service.get("tmpfs", []):
        assert "size=" in place


def test_images_are_pinned_to_what_was_tested() -> None:
    for name, service in SERVICES.items():
        tag = service["image"].rpartition(":")[2]
        assert tag == "local" if "build" in service else re.match(r"\d+\.\d+\.\d+", tag), name
    assert SERVICES["opa"]["image"] == f"openpolicyagent/opa:{OPA_VERSION.removeprefix('v')}-static"
    grafana = SERVICES["grafana"]
    assert tuple(map(int, grafana["image"].rpartition(":")[2].split(".")))[:2] >= OLDEST
    assert grafana["environment"]["GF_PLUGINS_PREINSTALL_SYNC"] == f"{PLUGIN}@{PLUGIN_VERSION}"


def mounts(service: dict[str, Any]) -> list[list[str]]:
    return [each.split(":") for each in service.get("volumes", [])]


def test_what_is_mounted_is_there_and_cannot_be_written() -> None:
    named = set()
    for name, service in SERVICES.items():
        for source, target, *mode in mounts(service):
            assert target.startswith("/")
            if source.startswith("."):
                assert (DEPLOY / source).exists() and mode == ["ro"], (name, source)
            else:
                named.add(source)
    assert named == compose()["volumes"].keys()
    for service in SERVICES.values():
        for path in service.get("env_file", []):
            assert path["required"] is False and f"deploy/{path['path']}" in (ROOT / ".gitignore").read_text()


def test_every_secret_that_is_asked_for_is_made(secrets: dict[str, str]) -> None:
    asked = set(SECRET.findall((DEPLOY / "compose.yaml").read_text()))
    assert asked == secrets.keys() and len(set(secrets.values())) == len(secrets)
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in secrets.values())
    assert set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text())) == asked
    assert "deploy/.env" in (ROOT / ".gitignore").read_text()


def test_only_what_must_reach_out_can(secrets: dict[str, str]) -> None:
    networks = compose()["networks"]
    assert networks["inside"] == {"internal": True}
    for name in ("redis", "clickhouse", "opa"):
        assert SERVICES[name]["networks"] == ["inside"] and "ports" not in SERVICES[name]


def test_flyballs_configuration_is_good_and_leads_to_the_services(
    secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = environment("proxy", secrets)
    mounted = {target: source for source, target, *_ in mounts(SERVICES["proxy"])}
    file = DEPLOY / mounted[told["FLYBALL_CONFIG"]]
    settings = load_config(file, told).settings
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert main(["check", "--config", str(file)]) == 0 and "all good" in capsys.readouterr().out
    assert settings.telemetry.url == "http://flyball@clickhouse:8123/flyball"
    assert settings.telemetry.password is not None
    assert settings.telemetry.password.reveal() == environment("clickhouse", secrets)["CLICKHOUSE_FLYBALL_PASSWORD"]
    assert isinstance(settings.ledger.url, Secret)
    ledger = urlsplit(settings.ledger.url.reveal())
    assert (ledger.hostname, ledger.port, ledger.password) == ("redis", 6379, secrets["REDIS_PASSWORD"])
    opa = urlsplit(str(settings.policy.url))
    assert opa.hostname == "opa" and f"--addr=0.0.0.0:{opa.port}" in SERVICES["opa"]["command"]
    assert SERVICES["proxy"]["depends_on"].keys() == {"redis", "opa", "clickhouse"}
    inside = [each.split(":")[2] for each in SERVICES["proxy"]["ports"]]
    assert [f"0.0.0.0:{port}" for port in inside] == [settings.server.listen, settings.server.admin_listen]


def test_all_that_flyballs_file_and_clickhouses_users_take_from_the_environment_is_there(
    secrets: dict[str, str],
) -> None:
    used = re.findall(r"(?<!api_key)_env: (\w+)", (DEPLOY / "flyball.yaml").read_text())
    assert used and set(used) <= environment("proxy", secrets).keys()
    users = ElementTree.parse(DEPLOY / "clickhouse" / "users.d" / "flyball.xml")
    asked = {each.attrib["from_env"] for each in users.iter("password")}
    assert asked <= environment("clickhouse", secrets).keys() and len(asked) == 3


def test_the_demo_writes_into_the_same_clickhouse(secrets: dict[str, str], tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "demo")
    folder.prepare(keep=False)
    folder.write("http://127.0.0.1:9/v1", Nano(10**9))
    telemetry = load_config(folder.config, environment("demo", secrets)).settings.telemetry
    assert telemetry.url == "http://flyball@clickhouse:8123/flyball"
    assert telemetry.password is not None and telemetry.password.reveal() == secrets["CLICKHOUSE_FLYBALL_PASSWORD"]


def test_grafana_is_given_boards_rules_and_a_source_that_leads_to_clickhouse(secrets: dict[str, str]) -> None:
    told = environment("grafana", secrets)
    provisioned = ROOT / "dashboards" / "provisioned"
    mounted = {target: (DEPLOY / source).resolve() for source, target, *_ in mounts(SERVICES["grafana"])}
    assert mounted["/etc/grafana/provisioning"] == provisioned
    assert mounted[BOARDS_PATH] == ROOT / "dashboards" / "generated"
    text = (provisioned / "datasources" / "flyball.yaml").read_text()
    (source,) = yaml.safe_load(re.sub(r"\$\{(\w+)\}", lambda found: told[found[1]], text))["datasources"]
    assert (source["jsonData"]["host"], source["jsonData"]["port"]) == ("clickhouse", 8123)
    users = ElementTree.parse(DEPLOY / "clickhouse" / "users.d" / "flyball.xml")
    password = users.find(f"users/{source['jsonData']['username']}/password")
    assert password is not None
    clickhouse = environment("clickhouse", secrets)
    assert clickhouse[password.attrib["from_env"]] == source["secureJsonData"]["password"]


def test_clickhouses_own_logs_are_bounded() -> None:
    config = ElementTree.parse(DEPLOY / "clickhouse" / "config.d" / "flyball.xml").getroot()
    logs = {each.tag: each for each in config if each.tag.endswith("_log")}
    kept = {name for name, each in logs.items() if each.get("remove") is None}
    assert kept == {"query_log", "part_log", "crash_log"}
    for name in kept:
        assert "DELETE" in str(logs[name].findtext("ttl")) and logs[name].findtext("partition_by") == "event_date"
    known = {"trace_log", "text_log", "metric_log", "asynchronous_metric_log", "query_thread_log", "error_log"}
    known |= {"processors_profile_log", "query_views_log", "session_log", "latency_log", "query_metric_log"}
    assert known <= logs.keys()
    profile = ElementTree.parse(DEPLOY / "clickhouse" / "users.d" / "flyball.xml").find("profiles/default")
    assert profile is not None
    for profiler in ("query_profiler_real_time_period_ns", "query_profiler_cpu_time_period_ns", "memory_profiler_step"):
        assert profile.findtext(profiler) == "0"
    control = config.find("access_control_improvements")
    assert control is not None and {each.text for each in control} == {"true"}
