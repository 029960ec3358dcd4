"""The embedded engine and OPA itself: one contract, and the same decisions."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from proxy.policy import Bundle, Decision, EmbeddedRego, PolicyEngine, PolicySettings, PolicyUnavailable
from proxy.policy.bundle import read_bundle, read_files, shipped_base
from proxy.policy.decision import NO_GRANT
from proxy.policy.opa import OpaServer
from proxy.policy.point import Point
from proxy.policy.trying import names_in
from tests.contract.policy.all_settings import bundle, drawn, with_gaps
from tests.contract.policy.real_opa import real_opa

KNOWN: Final = {"org": "acme", "team": "support", "key": "bot", "model": "m"}
PATIENT_MS: Final = 10_000
"""A deadline that a busy machine meets."""


class Opens(Protocol):
    """What makes an engine of a kind that decides by a bundle."""

    def __call__(self, bundle: Bundle) -> PolicyEngine: ...


@pytest.fixture(params=["embedded", "server"])
async def opens(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opens]:
    made: list[PolicyEngine] = []
    with ExitStack() as servers:

        def open_one(bundle: Bundle) -> PolicyEngine:
            if request.param == "embedded":
                made.append(EmbeddedRego(bundle))
            else:
                url = servers.enter_context(real_opa(bundle, tmp_path / str(len(made))))
                made.append(OpaServer(PolicySettings(url=url, deadline_ms=PATIENT_MS)))
            return made[-1]

        yield open_one
        for engine in made:
            await engine.close()


def ruled(rules: str, *, base: bool = True, **data: Any) -> Bundle:
    grant = {"flyball/base.rego": shipped_base()} if base else {}
    return Bundle.of({**grant, "rules.rego": f"package flyball.request\n{rules}"}, data)


async def test_the_starter_library_grants_to_known_principals_only(opens: Opens) -> None:
    engine = opens(read_bundle(None))
    for point in Point:
        assert (await engine.decide(point, KNOWN)).allow
        for unknown in ({}, {**KNOWN, "org": ""}, {**KNOWN, "key": None}, {**KNOWN, "key": ["bot"]}):
            assert (await engine.decide(point, unknown)).code == NO_GRANT


async def test_rules_decide_by_input_and_data_and_oblige(opens: Opens) -> None:
    rules = """
deny contains {"code": "model", "msg": sprintf("not %s", [input.model]), "internal": "why"} if {
	not input.model in data.settings.models
}
deny contains {"code": "a", "msg": "first"} if input.model == "c"
obligations contains {"type": "cap_tokens", "max": n} if some n in [30, 10, 20]
obligations contains {"type": "strip_tool", "name": "x"}
"""
    engine = opens(ruled(rules, settings={"models": ["a"]}))
    allowed = await engine.decide(Point.REQUEST, {**KNOWN, "model": "a"})
    assert allowed.allow and allowed.duties.cap_tokens == 10 and allowed.duties.strip_tools == {"x"}
    denied = await engine.decide(Point.REQUEST, {**KNOWN, "model": "c"})
    assert [denial.code for denial in denied.denials] == ["a", "model"]
    assert (denied.message, denied.denials[1].internal) == ("first", "why")


async def test_an_undefined_package_is_a_no(opens: Opens) -> None:
    engine = opens(Bundle.of({"other.rego": "package other\nallow := true"}, {}))
    assert (await engine.decide(Point.REQUEST, KNOWN)).code == NO_GRANT


@pytest.mark.parametrize("allow", ['"yes"', "1", "[true]", "{}", "null", "false", '{"allow": true}'])
async def test_what_is_not_true_is_a_no(opens: Opens, allow: str) -> None:
    engine = opens(ruled(f"allow := {allow}", base=False))
    decision = await engine.decide(Point.REQUEST, KNOWN)
    assert not decision.allow and decision.code == NO_GRANT


@pytest.mark.parametrize(
    "rules",
    [
        'deny := "no"',
        'deny contains "no"',
        'deny contains {"msg": "no code"}',
        'obligations contains {"type": "unheard_of"}',
        'obligations contains {"type": "cap_tokens", "max": 0}',
        'deny_candidates contains {"id": "a", "code": "b"}',
    ],
)
async def test_a_wrong_shape_is_no_decision(opens: Opens, rules: str) -> None:
    engine = opens(ruled(rules))
    with pytest.raises(PolicyUnavailable):
        await engine.decide(Point.REQUEST, KNOWN)


async def test_what_fails_when_asked_gives_no_decision_and_the_next_call_one(opens: Opens) -> None:
    engine = opens(ruled('value := 1 if input.model == "two"\nvalue := 2 if input.model == "two"'))
    for _ in range(5):
        with pytest.raises(PolicyUnavailable):
            await engine.decide(Point.REQUEST, {**KNOWN, "model": "two"})
    assert (await engine.decide(Point.REQUEST, {**KNOWN, "model": "one"})).allow


async def test_a_shadow_package_is_asked_by_its_name(opens: Opens) -> None:
    shadow = 'package flyball.shadow.request\nallow := true\ndeny contains {"code": "new", "msg": ""}'
    engine = opens(Bundle.of({"flyball/base.rego": shipped_base(), "shadow.rego": shadow}, {}))
    assert (await engine.decide(Point.REQUEST, KNOWN)).allow
    assert (await engine.shadow(Point.REQUEST, KNOWN)).code == "new"


# packages of several files: regorus alone leaves rules out there

OTHER = 'deny contains "other" if input.x == 1'
BY_ALIAS = 'import data.s.limits as limits\n\ndeny contains "alias" if limits.max'
BY_LATER = 'obligations contains "late" if over\n\ndeny contains "here" if input.x == 1\n\nover if input.x == 1'
HELPER = "import data.s.limits as limits\n\nis_low(x) if x < limits.n\n\ndefault most := 0\n\nmost := limits.n"
BY_HELPER = 'import data.s\n\ndeny contains "helped" if is_low(1)\n\ndeny contains "most" if most == s.limits.n'
NESTED = (
    'import data.s.limits as l\n\nlow if true\n\nrequest.deny contains "nested" if l.n == 4\n\nrequest.allow if low'
)
SPLIT: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "a": {"a": (OTHER, BY_ALIAS), "b": (BY_ALIAS, OTHER)},
    "b": {"c": (OTHER, BY_LATER), "d": (BY_LATER, OTHER)},
    "c": {"e": (BY_HELPER, HELPER, OTHER), "f": (OTHER, HELPER, BY_HELPER, BY_LATER)},
    "d": {"g": (NESTED,), "g.request": (OTHER, BY_LATER)},
    "e": {
        "h": (BY_ALIAS, BY_LATER),
        "i": ("import data.h\n\nr := [h.deny, h.obligations]",),
        "j": ('r := [data[n].deny, data[n].obligations] if n := "h"',),
        "k": ("import data.h as other\n\nr := other", "r2 := data.h"),
    },
}


@pytest.mark.parametrize("name", SPLIT)
async def test_what_several_files_say_of_one_package_is_all_there(name: str, tmp_path: Path) -> None:
    packages = SPLIT[name]
    modules = {
        f"{package}/{at}.rego": f"package {package}\n\n{text}\n"
        for package, texts in packages.items()
        for at, text in enumerate(texts)
    }
    split = Bundle.of(modules, {"s": {"limits": {"max": "0.5", "n": 4}}})
    with real_opa(split, tmp_path) as url:
        async with both(url) as (_, server):
            embedded = EmbeddedRego(split)
            for package in packages.keys() - {"g"}:  # which has another one inside of it, and is not read whole
                wanted = await server._value(package, {"x": 1})
                assert wanted and embedded.evaluate(f"data.{package}", {"x": 1}) == wanted


# the starter library on both


@pytest.fixture(scope="module")
def starter_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_opa(bundle(tests=True), tmp_path_factory.mktemp("starter")) as url:
        yield url


@asynccontextmanager
async def both(url: str, embedded: Bundle | None = None) -> AsyncIterator[tuple[EmbeddedRego, OpaServer]]:
    server = OpaServer(PolicySettings(url=url, deadline_ms=PATIENT_MS))
    try:
        yield EmbeddedRego(embedded or bundle()), server
    finally:
        await server.close()


async def test_opa_passes_the_tests_beside_the_rules(starter_url: str) -> None:
    async with both(starter_url) as (_, server):
        passed = 0
        for path, text in read_files(None).items():
            if path.endswith("_test.rego"):
                package, names = names_in(text)
                values = await server._value(package, {}) or {}
                assert {name: values.get(name) for name in names} == dict.fromkeys(names, True)
                passed += len(names)
        assert passed >= 20


def said(decision: Decision) -> tuple[Any, ...]:
    return decision.allow, decision.denials, decision.duties, decision.deny_candidates


async def compare(url: str, seed: int, inputs: int, library: Bundle | None = None) -> set[str]:
    """Ask both about many inputs, at each point; the codes that came up."""
    draw = random.Random(seed)
    codes: set[str] = set()
    async with both(url, library) as (embedded, server):

        async def one(point: Point, facts: dict[str, Any]) -> None:
            found, wanted = await embedded.decide(point, facts), await server.decide(point, facts)
            assert said(found) == said(wanted), facts
            codes.update(denial.code for denial in found.denials)
            codes.update(denial.code for denial in found.deny_candidates)
            codes.update(["cap_tokens"] if found.duties.cap_tokens else ["allowed"] if found.allow else [])

        for _ in range(0, inputs, 5):
            drawn_now = [drawn(draw) for _ in range(5)]
            await asyncio.gather(*(one(point, facts) for facts in drawn_now for point in ASKED))
    return codes


ASKED: Final = (Point.REQUEST, Point.ROUTE, Point.TOOL_CALL)
EVERY_CODE: Final = {
    *("not_granted", "model_list", "model_blocked", "model_not_pinned", "call_too_dear", "tool_list", "agent_model"),
    *(
        "unknown_tool",
        "invalid_arguments",
        "tool_not_listed",
        "write_action",
        "agent_call_too_dear",
        "agent_tag",
        "outside_hours",
        "residency",
        "retention",
        "unpriced",
        "unregistered_tool",
        "forged_tool_result",
        "cap_tokens",
        "allowed",
        "pii_in_prompt",
        "pii_not_looked_at",
        "pii_external",
        "secret_in_prompt",
        "secrets_not_looked_at",
        "injection_provider_tool",
        "ungated",
    ),
}


async def test_both_decide_the_same(starter_url: str) -> None:
    assert await compare(starter_url, 4, 500) == EVERY_CODE


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
async def test_both_decide_the_same_many_times(starter_url: str, seed: int) -> None:
    await compare(starter_url, 1000 + seed, 500)


async def gaps(seed: int, folder: Path, inputs: int) -> None:
    library = with_gaps(random.Random(seed))
    with real_opa(library, folder) as url:
        await compare(url, seed, inputs, library)


async def test_both_decide_the_same_where_settings_have_gaps(tmp_path: Path) -> None:
    await gaps(7, tmp_path, 200)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
async def test_both_decide_the_same_whatever_settings_lack(tmp_path: Path, seed: int) -> None:
    await gaps(2000 + seed, tmp_path, 400)
