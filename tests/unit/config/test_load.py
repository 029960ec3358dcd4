"""The configuration as a whole: the environment over the file, contradictions, providers without a file."""

from pathlib import Path

import pytest

from proxy.config import BadConfig, load_config

GOOD = """
server: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}
providers:
  openai: {base_url: "https://api.openai.com/v1", api_key_env: OPENAI_API_KEY}
routes:
  - {model: "gpt-*", targets: [{provider: openai}]}
budgets:
  - {name: month, scope: "org:acme", window: month, timezone: Europe/Berlin, limit_usd: 0.1, hard: true}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "flyball.yaml"
    path.write_text(text)
    return path


def mistakes(folder: Path, text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(BadConfig) as bad:
        load_config(write(folder, text), environment or {"OPENAI_API_KEY": "k" * 20})
    return [error.replace(f"{folder}/", "") for error in bad.value.errors]


def test_a_good_file_is_read(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD), {"OPENAI_API_KEY": "k" * 20})
    assert config.settings.server.workers == 1
    assert config.home == tmp_path / ".flyball"
    key = config.settings.providers["openai"].api_key
    assert key is not None
    assert key.reveal() == "k" * 20


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    environment = {"OPENAI_API_KEY": "k" * 20, "FLYBALL_SERVER__WORKERS": "4", "FLYBALL_HOME": "/state"}
    config = load_config(write(tmp_path, GOOD), environment)
    assert (config.settings.server.workers, config.home) == (4, Path("/state"))


def test_a_changed_file_is_another_generation(tmp_path: Path) -> None:
    environment = {"OPENAI_API_KEY": "k" * 20}
    first = load_config(write(tmp_path, GOOD), environment).generation
    assert load_config(write(tmp_path, GOOD + "\n# more"), environment).generation != first


def test_a_misspelt_budget_refuses_to_start(tmp_path: Path) -> None:
    told = mistakes(tmp_path, GOOD.replace("budgets:", "budgett:"))
    assert told == ["flyball.yaml:7: budgett is not a key we know; did you mean 'budgets'?"]


def test_names_that_lead_nowhere_are_told_with_their_place(tmp_path: Path) -> None:
    told = mistakes(tmp_path, GOOD.replace("provider: openai", "provider: opnai"))
    assert told == [
        "flyball.yaml:6: routes[0].targets[0].provider names 'opnai', which is not under providers (there: openai)"
    ]


def test_what_cannot_be_meant_is_refused_by_name(tmp_path: Path) -> None:
    told = mistakes(tmp_path, GOOD + "policy: {url: 'http://opa/v1/data'}\n")
    assert [line.partition(" ")[2].partition(" ")[0] for line in told] == ["policy.url"]
    assert "must be one of enforce" in mistakes(tmp_path, GOOD + "enforcement: watch\n")[0]


def test_an_unset_secret_is_a_mistake(tmp_path: Path) -> None:
    assert "OPENAI_API_KEY is not set" in mistakes(tmp_path, GOOD, {"PATH": ""})[0]


def test_known_keys_make_providers_when_there_is_no_file() -> None:
    config = load_config(None, {"OPENAI_API_KEY": "k" * 20, "MISTRAL_API_KEY": "m" * 20})
    assert list(config.settings.providers) == ["openai", "mistral"]
    assert {route.targets[0].provider for route in config.settings.routes} == {"openai", "mistral"}


def test_with_nothing_at_all_there_is_no_provider() -> None:
    assert not load_config(None, {}).has_provider


def test_a_cluster_needs_a_server_of_it(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, GOOD + "telemetry: {cluster: prod}\n")
    assert "telemetry.cluster names a cluster of ClickHouse servers: set telemetry.url to one of them" in mistake
