"""`flyball close`, `statements`, `adjustments` and `reconcile` against an admin port."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.cli import main
from proxy.core.clock import SetClock
from proxy.core.usage import Bucket
from proxy.processes.folder import StateFolder
from proxy.telemetry import SpendRow
from tests.unit.admin.admin_port import BOOTSTRAP, Port, serving
from tests.unit.admin.telemetry_rows import spend

WHERE = {"team": "support", "cost_center": "4711", "key": "bot", "provider": "openai", "model": "gpt-5"}


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Port]:
    home = tmp_path / "home"
    with serving(tmp_path, SetClock(datetime(2026, 11, 20, 12, tzinfo=UTC))) as running:
        StateFolder(home).make()
        StateFolder(home).write_endpoints({"admin": running.url, "pid": os.getpid()})
        (home / "admin-token").write_text(BOOTSTRAP)
        monkeypatch.setenv("FLYBALL_HOME", str(home))
        running.tenants("acme")
        running.reader.rows = [row()]
        yield running


def row(**changes: Any) -> SpendRow:
    group = {**WHERE, "org": "acme", "price_version": "ab12"}
    return replace(spend("gpt-5", 12_500_000), **{"group": group, "unpriced": 0, **changes})


def test_a_month_is_closed_shown_and_verified(port: Port, capsys: pytest.CaptureFixture[str]) -> None:
    added = [
        "adjustments",
        "add",
        "--org=acme",
        "--team=support",
        "--period=2026-10",
        "--amount-usd=-0.01",
        "--note=sorry",
    ]
    assert main(added) == 0
    line, _, rest = capsys.readouterr().out.partition(":")
    assert rest.strip() == "-$0.01 for 2026-10"
    assert main(["adjustments", "list"]) == 0
    assert line in capsys.readouterr().out

    assert main(["close", "2026-10", "--org=nobody"]) == 0, "its calls are in the store, whoever deleted it"
    assert "2026-10 of nobody" in capsys.readouterr().out
    port.reader.rows = []
    assert main(["close", "2026-10", "--org=typo"]) == 1
    assert "typo" in capsys.readouterr().err
    port.reader.rows = [row()]
    assert main(["close", "2026-10", "--dry-run"]) == 0
    assert "2026-10 of acme would be closed: $0.0025 (UTC)" in capsys.readouterr().out
    assert main(["close", "2026-10", "--json"]) == 0
    (closed,) = json.loads(capsys.readouterr().out)["closed"]
    assert (closed["total_usd"], closed["dry_run"]) == ("0.0025", False)
    assert main(["close", "2026-10"]) == 1
    assert "2026-10 of acme is closed" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="is no month"):
        main(["close", "october"])

    assert main(["statements", "list", "--org=acme"]) == 0
    assert "acme" in capsys.readouterr().out
    assert main(["statements", "show", "acme", "1"]) == 0
    shown = capsys.readouterr().out
    assert "sorry" in shown and "$0.0025" in shown and closed["statements"][0]["hash"] in shown
    assert main(["statements", "show", "acme", "1", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("1,acme,support,2026-10,UTC,usage")
    assert main(["statements", "verify"]) == 0
    assert "2 statements looked at, 0 faults" in capsys.readouterr().out
    # Somebody with the file in hand, past the trigger.
    with port.rooms.state.change() as connection:
        connection.execute("DROP TRIGGER statements_never_change")
        connection.execute("UPDATE statements SET content = replace(content, '0.0025', '0.0024')")
    assert main(["statements", "verify"]) == 1
    assert "statement acme 1 is not what its hash says" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="is closed"):
        main(["adjustments", "remove", line])


def test_what_is_on_its_way_is_waited_for(port: Port, capsys: pytest.CaptureFixture[str]) -> None:
    port.reader.rows = [row(unpriced=1)]
    assert main(["close", "2026-10", "--wait", "30"]) == 1, "no price comes by waiting"
    assert "no price (gpt-5)" in capsys.readouterr().err
    assert main(["close", "2026-10", "--allow-unpriced"]) == 0


USED = {"input": 700, "audio_input": 50, "cache_read": 200, "cache_write": 50, "output": 90, "reasoning": 10}


def used(day: int, model: str = "gpt-5", **changes: Any) -> SpendRow:
    return row(
        bucket_start=datetime(2026, 11, day, tzinfo=UTC),
        group={"model": model},
        tokens={bucket: USED.get(bucket.value, 0) for bucket in Bucket},
        **changes,
    )


def openai(day: int, **changes: Any) -> dict[str, Any]:
    result = {
        "object": "organization.usage.completions.result",
        "input_tokens": 1000,
        "input_cached_tokens": 200,
        "input_cache_write_tokens": 50,
        "output_tokens": 100,
        "num_model_requests": 5,
        "model": "gpt-5",
        **changes,
    }
    start = int(datetime(2026, 11, day, tzinfo=UTC).timestamp())
    return {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": [result]}


def reconcile(folder: Path, content: str, *more: str) -> int:
    (folder / "usage").write_text(content)
    return main(["reconcile", "--provider=openai", f"--file={folder / 'usage'}", *more])


def test_openai_usage_is_compared_by_day_model_and_kind(
    port: Port, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port.reader.rows = [used(3), used(4)]
    page: dict[str, Any] = {"object": "page", "data": [openai(3), openai(4, output_tokens=101)], "has_more": False}
    assert reconcile(tmp_path, json.dumps(page)) == 0
    assert "all 8 agree" in capsys.readouterr().out
    asked = port.reader.asked[-1]
    assert (asked.start, asked.end) == (datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 5, tzinfo=UTC))
    assert asked.filters["provider"] == ("openai",) and "refused" not in asked.filters["outcome"]

    assert reconcile(tmp_path, json.dumps(page), "--tolerance=0.5", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [
        (each["day"], each["kind"], each["ours"], each["theirs"]) for each in told["lines"] if not each["near"]
    ] == [("2026-11-04", "output", "100", "101")]
    # What only one side knows differs, however small it is; so does a model that only they name.
    page["data"].append(openai(5, model="gpt-9"))
    page["has_more"] = True
    assert reconcile(tmp_path, json.dumps(page), "--tolerance=99") == 1
    seen = capsys.readouterr()
    assert "gpt-9" in seen.out and "there is more" in seen.err


def test_csv_and_reports_without_models_are_compared_too(
    port: Port, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port.reader.rows = [used(3), used(3, "other")]
    lines = ["start_time,input_tokens,input_cached_tokens,input_cache_write_tokens,output_tokens"]
    lines += [f"{openai(3)['start_time']},1000,200,50,100"] * 2
    assert reconcile(tmp_path, "\n".join(lines)) == 0, capsys.readouterr()


def test_anthropic_usage_has_kinds_of_its_own(port: Port, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = {
        bucket: {"input": 1500, "cache_read": 200, "cache_write": 500, "cache_write_1h": 1000, "output": 500}.get(
            bucket.value, 0
        )
        for bucket in Bucket
    }
    port.reader.rows = [replace(used(3, "claude-sonnet-4-20250514"), tokens=tokens)]
    result = {
        "uncached_input_tokens": 1500,
        "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
        "cache_read_input_tokens": 200,
        "output_tokens": 500,
        "server_tool_use": {"web_search_requests": 10},
        "model": "claude-sonnet-4-20250514",
    }
    bucket = {"starting_at": "2026-11-03T00:00:00Z", "ending_at": "2026-11-04T00:00:00Z", "results": [result]}
    assert reconcile(tmp_path, json.dumps({"data": [bucket], "has_more": False}), "--tolerance=0") == 0
    assert "all 5 agree" in capsys.readouterr().out
    result["cache_creation"]["ephemeral_1h_input_tokens"] = 999  # type: ignore[index]
    assert reconcile(tmp_path, json.dumps({"data": [bucket]}), "--tolerance=0") == 1


def test_costs_are_compared_in_dollars_exactly(port: Port, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port.reader.rows = [used(3)]  # 0.0125 dollars
    start = openai(3)["start_time"]
    costs = f'{{"data":[{{"start_time":{start},"results":[{{"amount":{{"value":0.01,"currency":"usd"}}}},'
    costs += '{"amount":{"value":0.0025,"currency":"usd"}}]}]}'
    assert reconcile(tmp_path, costs, "--tolerance=0") == 0, capsys.readouterr()
    cents = '{"data":[{"starting_at":"2026-11-03T00:00:00Z","results":[{"amount":"1.25","currency":"USD"}]}]}'
    assert reconcile(tmp_path, cents, "--tolerance=0") == 0, capsys.readouterr()
    assert reconcile(tmp_path, cents.replace("USD", "EUR")) == 1
    assert "only dollars" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "neither JSON nor CSV"),
        ("{", "not JSON"),
        ("[1]", "a page has"),
        ('{"data":[{"results":[]}]}', "start_time"),
        ('{"data":[]}', "no usage"),
        ('{"data":[{"start_time":1,"results":[{"x":1}]}]}', "neither `input_tokens`"),
        ('{"data":[{"start_time":1,"results":[{"input_tokens":"many"}]}]}', "no number"),
        ('{"data":[{"start_time":"soon","results":[{"input_tokens":1}]}]}', "no time"),
        ("a,b\n1,2", "neither JSON nor CSV"),
    ],
)
def test_what_is_no_export_is_told(
    port: Port, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, word: str
) -> None:
    assert reconcile(tmp_path, content) == 1
    assert word in capsys.readouterr().err
