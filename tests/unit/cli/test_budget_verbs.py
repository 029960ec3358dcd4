"""`flyball budgets` and `flyball limits` against a running Flyball."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proxy.cli import main
from proxy.cli.stating import length_of, rung_of
from tests.harness.flyball import Flyball


@pytest.fixture(scope="module")
def flyball(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    with Flyball(tmp_path_factory.mktemp("budget-verbs")) as running:
        yield running


@pytest.fixture(autouse=True)
def beside_it(flyball: Flyball, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(flyball.folder)
    monkeypatch.setenv("FLYBALL_HOME", str(flyball.home))
    monkeypatch.setenv("FLYBALL_TELEMETRY__LISTEN", "127.0.0.1:0")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> str:
        assert main(list(arguments)) == 0
        return capsys.readouterr().out

    return run


def told(said: Any, *arguments: str) -> Any:
    return json.loads(said(*arguments, "--json"))


def test_a_budget_is_made_shown_changed_in_one_thing_and_deleted(flyball: Flyball, said: Any) -> None:
    made = told(
        said, "budgets", "set", "one", "--scope", "org:acme", "--limit-usd", "12.500000001", "--timezone",
        "Europe/Berlin", "--model", "gpt-*", "--model", "o4", "--rung", "0.5:alert",
        "--rung", "0.9:downgrade:gpt-*=fast,o4=mini", "--rung", "0.95:throttle:250", "--rung", "1:block", "--no-hard",
        "--clamp", "--opening-spent-usd", "6.5",
    )  # fmt: skip
    assert (made["limit_nano"], made["spent_nano"], made["hard"], made["clamp"]) == (
        12_500_000_001,
        6_500_000_000,
        False,
        True,
    )
    changed = told(said, "budgets", "set", "one", "--limit-usd", "20", "--hard")
    assert changed | {"limit_usd": 0} == {
        **made, "limit_usd": 0, "limit_nano": 20_000_000_000, "base_limit_usd": "20.00", "hard": True,
        "base_limit_nano": 20_000_000_000, "remaining_usd": "13.50", "remaining_nano": 13_500_000_000,
        "fraction": "0.325", "rungs_reached": [],
    }  # fmt: skip
    shown = said("budgets", "show", "one")
    for words in (
        "spent:        $6.50", "remaining:    $13.50", "rung:         90 % downgrade gpt-* → fast, o4 → mini",
        "rung:         95 % throttle 250 ms", "Europe/Berlin", "models:       gpt-*, o4", "forecast:     none: ",
    ):  # fmt: skip
        assert words in shown
    listed = said("budgets", "list").splitlines()
    (line,) = (line for line in listed if line.startswith("one "))
    assert line.split()[:7] == ["one", "org:acme", "$6.50", "$0.00", "$20.00", "$13.50", "32.5"]
    assert told(said, "budgets", "set", "one", "--no-ladder")["ladder"] == []
    history = said("budgets", "history", "one")
    assert "hard: False → True" in history and "base_limit_usd: 12.500000001 → 20.00" in history
    assert said("budgets", "delete", "one") == "deleted one and what it had counted\n"
    with pytest.raises(SystemExit, match=r"There is no budget one\. \(404\)"):
        main(["budgets", "show", "one"])
    assert "budget.delete" in said("budgets", "history", "one")


def test_another_unit_and_another_window_take_the_place_of_the_old_ones(said: Any) -> None:
    said("budgets", "set", "two", "--scope", "org:acme", "--limit-tokens", "5", "--tokens", "output",
         "--window", "rolling", "--length", "24h")  # fmt: skip
    changed = told(said, "budgets", "set", "two", "--limit-requests", "7", "--window", "day")
    assert (changed["limit_requests"], changed["window"], changed["length"]) == (7, "day", "")
    assert "limit_tokens" not in changed and "tokens" not in changed


def test_a_raise_holds_until_it_is_ended(said: Any) -> None:
    said("budgets", "set", "three", "--scope", "org:acme", "--limit-usd", "1")
    before = datetime.now(UTC)
    made = told(said, "budgets", "raise", "three", "--by", "0.5", "--for", "2h", "--reason", "a launch")
    until = datetime.fromisoformat(made["until"])
    assert timedelta(hours=2, seconds=-2) <= until - before <= timedelta(hours=2, seconds=30)
    assert made["id"] in said("budgets", "show", "three") and "raised" in said("budgets", "list")
    assert told(said, "budgets", "show", "three")["limit_usd"] == "1.50"
    assert said("budgets", "end-raise", "three", made["id"]) == f"ended {made['id']} of three\n"
    assert told(said, "budgets", "show", "three")["limit_usd"] == "1.00"


def test_rate_limits_too(said: Any) -> None:
    made = told(said, "limits", "set", "rpm", "--scope", "org:acme", "--limit-requests", "60")
    assert (made["window"], made["object"]) == ("minute", "limit")
    places = told(said, "limits", "set", "places", "--scope", "org:acme", "--limit-concurrent", "4")
    assert places["limit_concurrent"] == 4
    assert told(said, "limits", "set", "places", "--enforcement", "observe")["limit_concurrent"] == 4
    assert {one["name"] for one in told(said, "limits", "list")} == {"rpm", "places"}
    assert "60 requests" in said("limits", "list") and "observed" in said("limits", "list")
    said("limits", "raise", "rpm", "--by", "30", "--for", "1h", "--reason", "x")
    assert told(said, "limits", "show", "rpm")["limit_requests"] == 90
    assert said("limits", "list", "--org", "nobody").startswith("no rate limits; make one with")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["budgets", "set", "new", "--limit-usd", "1"], r"there is no budget new yet; say --scope to make it"),
        (["budgets", "set", "new"], r"say --scope and --limit-… to make it"),
        (["budgets", "set", "new", "--scope", "moon:acme", "--limit-usd", "1"], r"scope: .*no scope.*\(400\)"),
        (["limits", "raise", "rpm2", "--by", "1", "--for", "1h", "--reason", "x"], r"There is no rate limit rpm2"),
    ],
)
def test_what_is_wrong_says_what_to_do(arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit, match=words):
        main(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["budgets", "set", "x", "--limit-usd", "1", "--limit-tokens", "1"],
        ["budgets", "raise", "x", "--by", "1", "--reason", "x"],
        ["budgets", "raise", "x", "--by", "1", "--for", "soon", "--reason", "x"],
        ["budgets", "set", "x", "--rung", "0.9:explode"],
        ["budgets", "set", "x", "--rung", "0.9:downgrade:gpt"],
        ["budgets", "set", "x", "--rung", "0.9:throttle"],
        ["limits", "set", "x", "--limit-usd", "1"],
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "usage: flyball" in capsys.readouterr().err


def test_the_words_of_rungs_and_lengths() -> None:
    assert rung_of("0.97:cache_only") == {"at": "0.97", "do": "cache_only"}
    assert [length_of(text) for text in ("90m", "24h", "2w", "7d", "45s")] == [5400, 86_400, 1_209_600, 604_800, 45]


def test_a_rebuild_of_what_nobody_used_changes_nothing(flyball: Flyball, said: Any) -> None:
    before = told(said, "budgets", "list")
    assert told(said, "budgets", "rebuild", "--config", str(flyball.config))["exactly"] is False
    assert told(said, "budgets", "list") == before
