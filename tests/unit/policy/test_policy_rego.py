"""The embedded engine: real Rego, decided, remembered and refused."""

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.policy.bundle import Bundle, read_bundle, shipped_base
from proxy.policy.decision import Decision
from proxy.policy.errors import BadPolicy, PolicyUnavailable
from proxy.policy.point import Point
from proxy.policy.rego import EmbeddedRego

GRANT = shipped_base()
KNOWN = {"org": "acme", "team": "support", "key": "bot"}


def engine(rules: str = "", *, data: dict[str, Any] | None = None, **more: str) -> EmbeddedRego:
    modules = {"flyball/base.rego": GRANT, **{f"{name}.rego": text for name, text in more.items()}}
    if rules:
        modules["rules.rego"] = "package flyball.request\n" + rules
    return EmbeddedRego(Bundle.of(modules, data or {}))


async def test_the_starter_library_grants_to_known_principals_only() -> None:
    starter = EmbeddedRego(read_bundle(None))
    for point in Point:
        assert not starter.is_live(point) and not starter.has_shadow(point)
        assert (await starter.decide(point, KNOWN)).allow
        assert not (await starter.decide(point, {**KNOWN, "org": ""})).allow


async def test_a_rule_denies_by_input_and_data() -> None:
    rules = """deny contains {"code": "model", "msg": sprintf("not %s", [input.model])} if {
	not input.model in data.settings.models
}"""
    found = engine(rules, data={"settings": {"models": ["a"]}})
    assert found.is_live(Point.REQUEST) and not found.is_live(Point.ROUTE)
    assert (await found.decide(Point.REQUEST, {**KNOWN, "model": "a"})).allow
    denied = await found.decide(Point.REQUEST, {**KNOWN, "model": "b"})
    assert (denied.allow, denied.code, denied.message) == (False, "model", "not b")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("allow if {", "rules.rego:2"),
        ('allow if crypto.sha256("a") == "b"', "rules.rego:2:23: could not find function crypto.sha256"),
        ("allow { true }", "rules.rego:2:7: `if` keyword is required"),
        ("allow if nosuch(input)", "could not find function nosuch"),
    ],
)
def test_what_cannot_be_evaluated_is_named_with_file_and_line(rules: str, said: str) -> None:
    with pytest.raises(BadPolicy) as bad:
        engine(rules)
    assert said in str(bad.value) and "backtrace" not in str(bad.value)


async def test_what_fails_only_when_asked_gives_no_decision_and_the_next_call_one() -> None:
    found = engine('allow := 1 if input.model == "two"\nallow := 2 if input.model == "two"')
    with pytest.raises(PolicyUnavailable):
        await found.decide(Point.REQUEST, {**KNOWN, "model": "two"})
    assert (await found.decide(Point.REQUEST, {**KNOWN, "model": "one"})).allow


async def test_a_nul_character_which_globs_cannot_take_never_passes() -> None:
    found = engine('deny contains {"code": "x", "msg": ""} if glob.match("gpt-*", [], input.model)')
    with pytest.raises(PolicyUnavailable):
        await found.decide(Point.REQUEST, {**KNOWN, "model": "gpt-\x00"})
    assert not (await found.decide(Point.REQUEST, {**KNOWN, "model": "gpt-4"})).allow


def test_each_thread_has_an_engine_of_its_own() -> None:
    found = engine('deny contains {"code": "x", "msg": "y"} if input.model == "b"')
    seen: list[bool] = []

    def ask(model: str) -> None:
        async def main() -> None:
            seen.extend([(await found.decide(Point.REQUEST, {**KNOWN, "model": model})).allow for _ in range(50)])

        asyncio.run(main())

    threads = [threading.Thread(target=ask, args=("a",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 200


RULES = """
deny contains {"code": "model", "msg": "m"} if input.model in data.blocked
deny contains {"code": "env", "msg": "m"} if input.tags.env == "prod"
deny contains {"code": "tools", "msg": "m"} if { some tool in input.tools; tool.name == input.params.banned }
obligations contains {"type": "cap_tokens", "max": 10} if input[data.which] == "x"
"""
NAMES = st.sampled_from(["a", "b", "x", "prod"])
INPUTS = st.fixed_dictionaries(
    {"org": NAMES, "team": NAMES, "key": NAMES, "model": NAMES, "user": NAMES},
    optional={
        "tags": st.dictionaries(st.sampled_from(["env", "k"]), NAMES),
        "tools": st.lists(st.fixed_dictionaries({"name": NAMES})),
        "params": st.dictionaries(st.just("banned"), NAMES | st.lists(NAMES)),
    },
)
DATA = {"blocked": ["b"], "which": "user"}
BY_NAME = engine(RULES, data=DATA)
FIXED_RULES = RULES.replace("input[data.which]", "input.user")
FIXED = engine(FIXED_RULES, data=DATA)
UNREMEMBERED = EmbeddedRego(
    Bundle.of({"flyball/base.rego": GRANT, "rules.rego": f"package flyball.request\n{FIXED_RULES}"}, DATA),
    memo_entries=0,
)


@settings(max_examples=300)
@given(st.lists(INPUTS, max_size=8))
def test_a_remembered_decision_is_the_one_that_would_be_made(inputs: list[dict[str, Any]]) -> None:
    async def ask(found: EmbeddedRego, facts: dict[str, Any]) -> Decision:
        return await found.decide(Point.REQUEST, facts)

    for facts in inputs:
        wanted = asyncio.run(ask(UNREMEMBERED, facts))
        for each in (BY_NAME, FIXED):
            found = asyncio.run(ask(each, facts))
            assert (found.allow, found.denials, found.duties) == (wanted.allow, wanted.denials, wanted.duties)


def test_what_rules_read_is_found_through_aliases_helpers_and_brackets() -> None:
    rules = """import input.tags as t
deny contains {"code": "x", "msg": input["model"]} if {
	t.env == "a"
	input.tools[_].name == data.lib.name
	data.lib.f(input.team)
}
"""
    lib = "package lib\nname := input.user\nf(x) if x == input.claims[input.step]"
    reads = engine(rules, lib=lib).reads(Point.REQUEST)
    own = {("tags",), ("model",), ("tools",), ("team",), ("user",), ("claims",), ("step",)}
    assert reads.paths == {("org",), ("key",), *own}
    assert reads.live and not reads.volatile
    by_name = engine('deny contains {"code": "x", "msg": ""} if input[data.k] == 1')
    assert by_name.reads(Point.REQUEST).paths == {(), ("org",), ("key",)}
    assert engine('deny contains {"code": "x", "msg": ""} if time.now_ns() < 0').reads(Point.REQUEST).volatile


def test_without_the_grant_as_it_is_shipped_every_point_is_asked() -> None:
    for base in ({}, {"flyball/base.rego": GRANT.replace("request.allow if known", "request.allow if false")}):
        found = EmbeddedRego(Bundle.of({**base, "a.rego": "package a"}, {}))
        assert all(found.is_live(point) for point in Point)
        assert not asyncio.run(found.decide(Point.REQUEST, KNOWN)).allow


def test_a_shadow_package_is_told_from_the_one_that_decides() -> None:
    found = engine(shadow='package flyball.shadow.request\nallow := true\ndeny contains {"code": "new", "msg": ""}')
    assert found.has_shadow(Point.REQUEST) and not found.is_live(Point.REQUEST)

    async def ask() -> tuple[Decision, Decision]:
        return await found.decide(Point.REQUEST, KNOWN), await found.shadow(Point.REQUEST, KNOWN)

    decided, shadow = asyncio.run(ask())
    assert decided.allow and shadow.code == "new"
