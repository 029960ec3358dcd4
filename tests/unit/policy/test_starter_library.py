"""The starter library: every rule's own tests, what waits for what, and the contract of the input."""

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pytest

from proxy.policy.bundle import read_bundle, read_files
from proxy.policy.point import Point
from proxy.policy.rego import EmbeddedRego
from proxy.policy.trying import Tried, run_tests
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, chat, config, one_worker

LIBRARY: Final = read_files(None)
RULES: Final = sorted(
    path for path in LIBRARY if path.endswith(".rego") and not path.endswith(("_test.rego", "base.rego"))
)
TESTS: Final = run_tests(None)


@pytest.mark.parametrize("tried", TESTS, ids=lambda tried: f"{tried.package}.{tried.name}")
def test_a_rules_own_test(tried: Tried) -> None:
    assert tried.said == ""


@pytest.mark.parametrize("path", RULES)
def test_every_rule_has_a_test_and_waits_for_its_setting(path: str, tmp_path: Path) -> None:
    package = path.removesuffix(".rego").replace("/", ".") + "_test"
    assert sum(tried.package == package for tried in TESTS) >= 2
    (needed,) = re.findall(r"^# needs: settings\.(\w+)$", LIBRARY[path], re.MULTILINE)
    assert path not in read_bundle(None).modules
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"settings": {needed: {}}}))
    bundle = read_bundle(None, settings=settings)
    assert set(bundle.modules) == {"flyball/base.rego", path}
    engine = EmbeddedRego(bundle)
    assert sum(engine.is_live(point) for point in Point) == 1


def test_opa_can_load_the_whole_library() -> None:
    """Regression: OPA takes one block of annotations per package, and half the library had its own per file."""
    annotated: dict[str, str] = {}
    for path in RULES:
        text = LIBRARY[path]
        if "# METADATA" in text.splitlines():
            package = next(line for line in text.splitlines() if line.startswith("package "))
            assert annotated.setdefault(package, path) == path, f"{path} annotates {package}, as does another file"


async def test_a_failing_test_is_told(tmp_path: Path) -> None:
    (tmp_path / "a_test.rego").write_text("package a_test\ntest_no if 1 == 2\ntest_yes if 1 == 1\ntest_odd := 3\n")
    assert [(tried.name, bool(tried.said)) for tried in run_tests(tmp_path)] == [
        ("test_no", True),
        ("test_yes", False),
        ("test_odd", True),
    ]


async def test_the_contract_names_every_member_of_the_input(tmp_path: Path) -> None:
    contract: dict[str, Any] = json.loads((resources.files("policies") / "contract.json").read_text())
    seen: dict[Point, dict[str, Any]] = {}
    (tmp_path / "rules").mkdir()
    for point in Point:
        (tmp_path / "rules" / f"{point}.rego").write_text(f"package flyball.{point}\ndeny contains input if input.no")
    with one_worker(tmp_path, config(more="policy: {dir: rules}")) as worker:
        engine = worker.rooms.snapshot().policy
        decided = engine.decide

        async def spy(point: Point, facts: dict[str, Any]) -> Any:
            seen[point] = facts
            return await decided(point, facts)

        engine.decide = spy  # type: ignore[method-assign, assignment] # looks on, and decides as ever
        call = {"id": "a", "type": "function", "function": {"name": "read", "arguments": "{}"}}
        answer = {"choices": [{"index": 0, "message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
        await worker.call(Client(chat()), Answer(json.dumps(answer).encode(), headers=JSON_HEADERS))
    assert set(seen[Point.REQUEST]) == set(contract["request"])
    assert set(seen[Point.ROUTE]) == {**contract["request"], **contract["route"]}.keys()
    told = seen[Point.TOOL_CALL]
    assert set(told) == {**contract["request"], **contract["tool_call"]}.keys()
    assert all(name in contract["tool_call"]["tool"] for name in told["tool"])
    finished = seen[Point.RESPONSE]
    assert set(finished) == {**contract["request"], **contract["response"]}.keys()
    assert all(name in contract["response"]["response"] for name in finished["response"])
    assert all(name in contract["response"]["response"] for name in finished["response"]["usage"])
    assert seen[Point.REQUEST]["version"] == contract["version"]
