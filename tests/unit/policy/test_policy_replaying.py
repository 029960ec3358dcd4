"""Deciding again by a draft: what it would have said, why that cannot be told, and which rules fired."""

from pathlib import Path
from typing import Any

import pytest

from proxy.policy import Point
from proxy.policy.bundle import BASE, Bundle, read_bundle, shipped_base
from proxy.policy.drafts import read_draft
from proxy.policy.errors import BadPolicy
from proxy.policy.replaying import Change, Kept, Replayer
from proxy.policy.tracing import trace
from tests.harness.bundles import FILES, packed, signed

FACTS: dict[str, Any] = {
    "version": 1,
    "point": "request",
    "org": "acme",
    "team": "support",
    "key": "bot",
    "model": "gpt-5",
    "messages": {"count": 1, "text": None},
    "params": {},
    "clock": {"now_ns": 1},
}
DENY = 'deny contains {"code": "no", "msg": "No."} if '
TAG = 'obligations contains {"type": "tag", "key": "k", "value": "v"} if '
WAS_TAGGED = ({"type": "tag", "key": "k", "value": "v"},)


def draft(*rules: str, point: str = "request") -> Bundle:
    return Bundle.of({BASE: shipped_base(), "draft.rego": f"package flyball.{point}\n\n" + "\n".join(rules)}, {})


def kept(*, allow: bool = True, facts: dict[str, Any] | None = FACTS, **more: Any) -> Kept:
    values = {"point": Point.REQUEST, "denials": () if allow else ("no",), "obligations": (), "unread": ()}
    return Kept(allow=allow, facts=facts, **{**values, **more})


@pytest.mark.parametrize(
    ("rule", "was", "change"),
    [
        (DENY + 'input.model == "x"', kept(), Change.SAME),
        (DENY + 'input.model == "gpt-5"', kept(allow=False), Change.SAME),
        (DENY + 'input.model == "gpt-5"', kept(), Change.NEWLY_DENIED),
        (DENY + 'input.model == "x"', kept(allow=False), Change.NEWLY_ALLOWED),
        (DENY + 'input.model == "gpt-5"', kept(allow=False, denials=("other",)), Change.OTHER_REASON),
        (TAG + 'input.model == "gpt-5"', kept(), Change.OBLIGATIONS_DIFFER),
        (TAG + 'input.model == "gpt-5"', kept(obligations=WAS_TAGGED), Change.SAME),
        (TAG + 'input.model == "x"', kept(obligations=WAS_TAGGED), Change.OBLIGATIONS_DIFFER),
        ('deny := input.model if input.model == "gpt-5"', kept(), Change.FAILED),
    ],
)
def test_a_decision_is_made_again(rule: str, was: Kept, change: Change) -> None:
    replayed = Replayer(draft(rule), version=1).replay(was)
    assert replayed.change is change
    assert (replayed.why != "") is (change is Change.FAILED)


@pytest.mark.parametrize(
    ("rule", "was", "why"),
    [
        (DENY + "input.messages.text", kept(unread=("messages.text",)), "input.messages.text"),
        (DENY + "count(input.messages) > 9", kept(unread=("messages.text",)), "input.messages.text"),
        (DENY + "input.params.user", kept(unread=("params",)), "input.params"),
        (DENY + "input.params", kept(unread=("params.user",)), "input.params.user"),
        (DENY + "some x in input", kept(unread=("budgets",)), "input.budgets"),
        (DENY + "input.model", kept(facts=None), "no input was kept"),
        (DENY + "input.model", kept(unread=("*",)), "no input was kept"),
        (DENY + "input.model", kept(facts={**FACTS, "version": 0}), "the input is of version 0"),
        (DENY + "time.now_ns() > 1", kept(), "a clock or at chance of their own"),
    ],
)
def test_what_cannot_be_replayed_says_why(rule: str, was: Kept, why: str) -> None:
    replayed = Replayer(draft(rule), version=1).replay(was)
    assert replayed.change is Change.NOT_REPLAYED and why in replayed.why and replayed.decision is None


def test_what_the_draft_does_not_read_may_be_missing() -> None:
    was = kept(unread=("messages.text", "params", "budgets", "findings"))
    assert Replayer(draft(DENY + 'input.model == "gpt-5"'), version=1).replay(was).change is Change.NEWLY_DENIED


def test_a_candidate_that_is_left_out_counts() -> None:
    rule = 'deny_candidates contains {"id": "b/m", "code": "eu", "msg": "x"} if input.org == "acme"'
    replayer = Replayer(draft(rule, point="route"), version=1)
    facts = {**FACTS, "point": "route", "candidates": [{"id": "a/m"}, {"id": "b/m"}]}
    assert replayer.replay(kept(point=Point.ROUTE, facts=facts)).change is Change.OBLIGATIONS_DIFFER
    assert replayer.replay(kept(point=Point.ROUTE, facts=facts, denials=("eu:b/m",))).change is Change.SAME


TRACED = """package flyball.request

import data.flyball_lists as lists

# A comment with if { in it.
deny contains {"code": "one", "msg": "é"} if input.model == "gpt-5" # and another one

deny contains {"code": "two", "msg": "x"} if {
	input.model == "gpt-5"
	input.org == "nobody" # never
}

deny contains {"code": "three", "msg": "x"} if { some m in lists.models; m == input.model }

deny contains {"code": "four", "msg": "x"} if input.model == "x"

helper := 1 if input.org == "acme" else := 2

deny contains {"code": "five", "msg": "x"} if helper == 1

deny contains {"code": "six", "msg": "x"}
"""


def test_the_rules_that_fired_are_told_by_their_lines() -> None:
    modules = {
        "a/rules.rego": TRACED,
        "lists.rego": 'package flyball_lists\n\nmodels := ["gpt-5"]\n',
        BASE: shipped_base(),
    }
    traced = trace(Bundle.of(modules, {}), Point.REQUEST, FACTS)
    rules = {(each.path, each.line): each.fired for each in traced if each.path != BASE}
    assert rules == {
        ("a/rules.rego", 6): True,
        ("a/rules.rego", 8): False,
        ("a/rules.rego", 13): True,
        ("a/rules.rego", 15): False,
        ("a/rules.rego", 19): True,
    }
    assert all(each.fired for each in traced if each.path == BASE and "request" in each.text)


def test_every_starter_rule_can_be_traced() -> None:
    bundle = read_bundle(None)
    everything = {**read_draft_modules(), **bundle.modules}
    assert len(trace(Bundle.of(everything, bundle.data), Point.REQUEST, FACTS)) >= 10


def read_draft_modules() -> dict[str, str]:
    folder = Path(__file__).parents[3] / "policies" / "flyball"
    return {f"flyball/{path.name}": path.read_text() for path in folder.glob("*.rego") if "_test" not in path.name}


def test_a_draft_is_a_folder_a_bundle_or_files_over_what_decides(tmp_path: Path) -> None:
    over = Bundle.of({"org/models.rego": "package a", "b.rego": "package b", BASE: shipped_base()}, {"x": 1})
    (tmp_path / "models.rego").write_text("package a\n\ny := 1")
    (tmp_path / "new.rego").write_text("package n")
    bundle, told = read_draft([tmp_path / "models.rego", tmp_path / "new.rego"], over)
    assert bundle.modules["org/models.rego"].endswith("y := 1") and bundle.modules["new.rego"] == "package n"
    assert bundle.data == {"x": 1} and "in the place of org/models.rego" in told[0] and "beside" in told[1]
    whole, _ = read_draft([tmp_path], None)
    assert set(whole.modules) == {"models.rego", "new.rego", BASE}
    (tmp_path / "b.tar.gz").write_bytes(packed(signed(FILES)))
    assert "rules/models.rego" in read_draft([tmp_path / "b.tar.gz"], None)[0].modules


@pytest.mark.parametrize("name", ["a_test.rego", "a.json", "gone.rego", "gone.tar.gz"])
def test_what_is_no_draft_is_said(tmp_path: Path, name: str) -> None:
    over = Bundle.of({"b.rego": "package b"}, {})
    with pytest.raises(BadPolicy, match=name.replace(".", r"\.")):
        read_draft([tmp_path / name], over)
    with pytest.raises(BadPolicy, match=r"name a folder|gone"):
        read_draft([tmp_path / name], None)


def test_a_file_that_could_stand_in_two_places_names_none(tmp_path: Path) -> None:
    over = Bundle.of({"a/m.rego": "package a", "b/m.rego": "package b"}, {})
    (tmp_path / "b").mkdir()
    for path in (tmp_path / "m.rego", tmp_path / "b" / "m.rego"):
        path.write_text("package b\n\nx := 1")
    with pytest.raises(BadPolicy, match=r"a/m\.rego or b/m\.rego"):
        read_draft([tmp_path / "m.rego"], over)
    assert "x" in read_draft([tmp_path / "b" / "m.rego"], over)[0].modules["b/m.rego"]
