"""Rules in slices: what is evaluated apart, what never is, and that nothing is lost between them."""

import asyncio
from typing import Any

import pytest
import regorus

from proxy.policy import Bundle, EmbeddedRego, Point, PolicyUnavailable
from proxy.policy.bundle import shipped_base
from proxy.policy.reading import queries_of
from proxy.policy.rules import rules_of
from proxy.policy.slicing import Slice, is_moving, sliced

KNOWN = {"org": "acme", "key": "bot", "model": "a", "estimate_usd": "1"}
MODEL = 'deny contains {"code": "model", "msg": ""} if input.model == "x"\n'
DEAR = 'deny contains {"code": "dear", "msg": ""} if to_number(input.estimate_usd) > 5\n'


def slices(text: str) -> tuple[Slice, Slice] | None:
    engine = regorus.Engine()
    engine.add_policy("a.rego", text)
    return sliced({"a.rego": text}, rules_of(engine.get_ast_as_json()), queries_of(Point.REQUEST)[0])


def engine(rules: str, **more: str) -> EmbeddedRego:
    modules = {"flyball/base.rego": shipped_base(), "rules.rego": f"package flyball.request\n{rules}"}
    return EmbeddedRego(Bundle.of({**modules, **{f"{name}.rego": text for name, text in more.items()}}, {"n": 5}))


def decided(found: EmbeddedRego, **facts: Any) -> list[str]:
    decision = asyncio.run(found.decide(Point.REQUEST, {**KNOWN, **facts}))
    return [denial.code for denial in decision.denials]


def parts(found: EmbeddedRego) -> int:
    return len(found._points[Point.REQUEST].parts)


def test_what_moves_is_evaluated_apart_and_both_are_heard() -> None:
    found = engine(MODEL + DEAR)
    assert parts(found) == 2
    assert decided(found) == []
    assert decided(found, model="x") == ["model"]
    assert decided(found, estimate_usd="6") == ["dear"]
    assert decided(found, model="x", estimate_usd="6") == ["dear", "model"]
    assert decided(found, org="") == ["not_granted"]
    assert decided(found) == []


@pytest.mark.parametrize(
    "rules",
    [
        MODEL,
        'allow if count(deny) == 0\ndeny contains {"code": "dear", "msg": ""} if input.estimate_usd == "9"',
        f'{MODEL}{DEAR}late if "x" in data.flyball.request.deny',
        f'{MODEL}{DEAR}late if "x" in data[input.model]',
    ],
)
def test_what_hangs_together_stays_together(rules: str) -> None:
    bundle = Bundle.of({"rules.rego": f"package flyball.request\n{rules}"}, {})
    assert parts(EmbeddedRego(bundle)) == 1


def test_rules_of_the_point_in_other_places_keep_it_whole() -> None:
    assert (
        parts(engine(MODEL + DEAR, other='package flyball\nroute.deny contains {"code": "r", "msg": ""} if false')) == 1
    )
    assert parts(engine(MODEL + DEAR, shadow="package flyball.shadow.request\nallow := true")) == 2
    base = {"flyball/base.rego": shipped_base(), "rules.rego": f"package flyball.request\n{MODEL}{DEAR}"}
    assert parts(EmbeddedRego(Bundle.of(base, {"flyball": {"request": {"x": 1}}}))) == 1
    changed = {**base, "flyball/base.rego": shipped_base().replace('input.org != ""', "true")}
    assert parts(EmbeddedRego(Bundle.of(changed, {}))) == 1


def test_helpers_go_with_all_that_lean_on_them_through_aliases_functions_and_libraries() -> None:
    rules = """
import input.estimate_usd as cost
import data.lib.dear as too_dear

deny contains {"code": "a", "msg": ""} if high(input.model)

high(x) if {
	x == "x"
	cost == "9"
}

deny contains {"code": "b", "msg": ""} if too_dear

deny contains {"code": "c", "msg": ""} if named == "x"

default named := "none"

named := input.model if input.model

else := "y"
"""
    lib = 'package lib\nimport rego.v1\ndear if input.estimate_usd == "7"\nunused if input.clock.now'
    found = engine(rules, lib=lib)
    assert parts(found) == 2
    assert decided(found, model="x") == ["c"]
    assert decided(found, model="x", estimate_usd="9") == ["a", "c"]
    assert decided(found, model="y", estimate_usd="7") == ["b"]
    assert decided(found, model="x", estimate_usd="2") == ["c"]


def test_a_contradiction_of_rules_that_nothing_uses_is_no_decision_in_any_slice() -> None:
    found = engine(f'{MODEL}{DEAR}v := 1 if input.model == "two"\nv := 2 if input.model == "two"')
    assert parts(found) == 2
    for _ in range(3):
        with pytest.raises(PolicyUnavailable, match=r"rules\.rego:4"):
            decided(found, model="two")
        assert decided(found, estimate_usd="9") == ["dear"]


def test_errors_in_a_slice_are_told_with_file_and_line() -> None:
    found = engine(f"{MODEL}\n{DEAR}")
    with pytest.raises(PolicyUnavailable, match=r"rules\.rego:4"):
        decided(found, estimate_usd="much")


def test_duties_of_both_slices_come_together() -> None:
    rules = """
obligations contains {"type": "cap_tokens", "max": 9} if input.model == "a"
obligations contains {"type": "cap_tokens", "max": 5} if input.estimate_usd == "1"
obligations contains {"type": "tag", "key": "k", "value": "a"} if input.model == "b"
obligations contains {"type": "tag", "key": "k", "value": "b"} if input.estimate_usd == "2"
deny contains {"code": "same", "msg": "m"} if input.model == "c"
deny contains {"code": "same", "msg": "m"} if input.estimate_usd == "3"
"""
    found = engine(rules)
    assert parts(found) == 2
    assert asyncio.run(found.decide(Point.REQUEST, KNOWN)).duties.cap_tokens == 5
    assert decided(found, model="b", estimate_usd="2") == ["obligations_conflict"]
    assert decided(found, model="c", estimate_usd="3") == ["same"]


@pytest.mark.parametrize(
    ("path", "moves"),
    [
        ((), True),
        (("clock",), True),
        (("clock", "hour"), False),
        (("clock", "unix"), True),
        (("messages", "roles"), True),
        (("tool",), True),
        (("tool", "name"), False),
        (("model",), False),
    ],
)
def test_what_moves_with_every_call(path: tuple[str, ...], moves: bool) -> None:
    assert is_moving(path) is moves


def test_blanking_out_keeps_every_rule_at_its_line() -> None:
    rules = ["# größe", 'allow if input.model == "ä"', "", 'deny contains 1 if input.estimate_usd == "1"']
    text = "\n".join(["package flyball.request", "", *rules, ""])
    found = slices(text)
    assert found is not None
    settled, moving = (next(iter(each.modules.values())) for each in found)
    assert settled.splitlines()[3] == 'allow if input.model == "ä"' and "deny" not in settled
    assert moving.splitlines()[5].startswith("deny") and "allow" not in moving
