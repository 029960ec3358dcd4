"""Budgets, rate limits and ladders as the file states them, with the place of what cannot be meant so."""

from decimal import Decimal
from pathlib import Path

import pytest

from proxy.budget import LineKind, Rung, rate_of, spec_of
from proxy.config import BadConfig, Config, load_config

BASE = """
providers:
  openai: {base_url: "https://api.openai.com/v1"}
routes:
  - {model: "gpt-*", targets: [{provider: openai}]}
  - {model: fast, targets: [{provider: openai, model: gpt-5-mini}]}
tenants:
  - {org: acme, enforcement: observe}
budgets:
  - name: month
    scope: "org:acme"
    limit_usd: 500
    clamp: true
    ladder:
      - {at: 0.8, do: alert}
      - {at: 0.9, do: downgrade, to: {"gpt-*": fast}}
      - {at: 0.95, do: throttle, delay_ms: 2000}
      - {at: 0.97, do: cache_only}
      - {at: 1.0, do: block}
rate_limits:
  - {name: rpm, scope: "key:acme/support/*", limit_requests: 60}
  - {name: slots, scope: "org:acme", limit_concurrent: 20, enforcement: observe}
"""


def load(folder: Path, text: str) -> Config:
    (folder / "flyball.yaml").write_text(text)
    return load_config(folder / "flyball.yaml", {})


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(BadConfig) as bad:
        load(folder, text)
    return [error.replace(f"{folder}/", "") for error in bad.value.errors]


def test_the_whole_grammar_is_read(tmp_path: Path) -> None:
    settings = load(tmp_path, BASE).settings
    (month,), (rpm, slots) = settings.budgets, settings.rate_limits
    assert month.ladder[0].at == Decimal("0.8")
    assert spec_of(month).ladder == (
        Rung(800_000, "alert"),
        Rung(900_000, "downgrade", (("gpt-*", "fast"),)),
        Rung(950_000, "throttle", (), 2000),
        Rung(970_000, "cache_only"),
        Rung(1_000_000, "block"),
    )
    assert (spec_of(month).clamp, rate_of(rpm).kind, rate_of(slots).enforcement) == (True, LineKind.RATE, "observe")
    assert settings.tenants[0].enforcement == "observe"
    assert load(tmp_path, BASE + "enforcement: observe\n").settings.enforcement == "observe"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("at: 0.9,", "at: 0.7,", "flyball.yaml:16: budgets[0].ladder[1].at cannot be meant so: the rungs of a ladder"),
        ("{at: 0.8, do: alert}", "{at: 0, do: alert}", "flyball.yaml:15: budgets[0].ladder[0].at cannot be meant so"),
        ('to: {"gpt-*": fast}', "to: {}", "flyball.yaml:16: budgets[0].ladder[1].to cannot be meant so: a downgrade"),
        (": fast}}", ": fsat}}", "flyball.yaml:16: budgets[0].ladder[1].to.gpt-* leads to 'fsat', which no route"),
        ("delay_ms: 2000", "delay_ms: 0", "flyball.yaml:17: budgets[0].ladder[2].delay_ms cannot be meant so"),
        ("do: cache_only", "do: cash_only", "flyball.yaml:18: budgets[0].ladder[3].do must be one of alert, downgrade"),
        ("name: rpm", "name: month", "flyball.yaml:21: rate_limits[0].name repeats 'month'; budgets and rate limits"),
        ("limit_requests: 60", "limit_usd: 60", "flyball.yaml:21: rate_limits[0].limit_usd is not a key we know"),
        ("limit_requests: 60", "window: day", "flyball.yaml:21: rate_limits[0].limit_requests cannot be meant so"),
        ("20, enf", "20, window: hour, enf", "flyball.yaml:22: rate_limits[1].window cannot be meant so: slots limits"),
        (
            "enforcement: observe}\nbud",
            "enforcement: watch}\nbud",
            "flyball.yaml:8: tenants[0].enforcement must be one",
        ),
    ],
)
def test_what_cannot_be_meant_so_is_told_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert BASE.count(old) == 1
    (found,) = mistakes(tmp_path, BASE.replace(old, new))
    assert found.startswith(told)


def test_a_downgrade_may_lead_to_a_simulated_model_and_anywhere_without_routes(tmp_path: Path) -> None:
    load(tmp_path, BASE.replace(": fast}}", ": sim-small}}"))
    rest = BASE[BASE.index("tenants:") :].replace(": fast}}", ": anything}}")
    assert load(tmp_path, rest).settings.budgets[0].ladder[1].to == {"gpt-*": "anything"}
