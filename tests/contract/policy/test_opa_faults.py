"""An OPA server that fails in every way: nothing passes, nobody waits, and it heals by itself."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

import pytest

from proxy.core.secret import Secret
from proxy.policy import PolicySettings, PolicyUnavailable, open_policy
from proxy.policy import opa as opa_module
from proxy.policy.decision import NO_GRANT
from proxy.policy.errors import BadPolicy
from proxy.policy.opa import OpaServer
from proxy.policy.point import Point
from proxy.policy.reading import EVERYTHING
from tests.contract.policy.scripted_opa import GRANT, Scripted, answer, scripted

pytestmark = pytest.mark.alone

KNOWN = {"org": "acme", "team": "support", "key": "bot"}
MEMBERS_OF_THE_BODY = ("messages", "tools", "provider_tools", "params")


@asynccontextmanager
async def asking(**settings: Any) -> AsyncIterator[tuple[Scripted, OpaServer]]:
    async with scripted() as server:
        engine = OpaServer(PolicySettings(**{"url": server.url, "deadline_ms": 150, **settings}))
        try:
            yield server, engine
        finally:
            await engine.close()


async def refused(engine: OpaServer) -> str:
    with pytest.raises(PolicyUnavailable) as why:
        await engine.decide(Point.REQUEST, KNOWN)
    return why.value.reason


async def forever() -> bytes:
    await asyncio.sleep(60)
    return GRANT


async def test_a_whole_package_is_asked_once_with_the_input_and_the_token() -> None:
    async with asking(token=Secret("opa-token")) as (server, engine):
        assert (await engine.decide(Point.ROUTE, KNOWN)).allow
        ((path, headers, body),) = server.asked
        assert path == "/v1/data/flyball/route?provenance=true"
        assert headers["authorization"] == "Bearer opa-token"
        assert body == {"input": KNOWN}
        for _ in range(3):
            await engine.decide(Point.REQUEST, KNOWN)
        assert server.connections == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (answer({"code": "internal_error"}, 500), "answers 500"),
        (answer({}, 503), "answers 503"),
        (answer({}, 401), "answers 401"),
        (answer(b"<html>", kind="text/html"), "no JSON"),
        (answer(b'{"result":'), "no JSON"),
        (answer([]), "no object"),
        (answer({"result": True}), "no package"),
        (answer({"result": []}), "no package"),
        (answer({"result": {"allow": True, "deny": "no"}}), "wrong shape"),
        (answer({"result": {"allow": True, "obligations": [{"type": "unheard_of"}]}}), "wrong shape"),
        (answer({"result": {"allow": True, "deny_candidates": [{"id": "a", "code": "b"}]}}), "deny_candidates"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "did not answer in time"),
        (b"nonsense\r\n\r\n", "answers 400"),
        (b"", "cannot be asked"),
        (forever, "did not answer in time"),
    ],
)
async def test_what_is_no_decision_gives_none(reply: Any, said: str) -> None:
    async with asking() as (server, engine):
        server.reply = reply
        assert said in await refused(engine)
        assert len(server.asked) == 1  # asked once: a second try would come too late


@pytest.mark.parametrize("reply", [{}, {"result": {}}, {"result": {"allow": "yes"}}, {"result": {"allow": 1}}])
async def test_undefined_and_what_is_not_true_is_a_no(reply: dict[str, Any]) -> None:
    async with asking() as (server, engine):
        server.reply = answer(reply)
        decision = await engine.decide(Point.REQUEST, KNOWN)
        assert not decision.allow and decision.code == NO_GRANT


async def test_a_refused_connection_gives_none() -> None:
    engine = OpaServer(PolicySettings(url="http://127.0.0.1:9"))
    assert "cannot be asked" in await refused(engine)
    await engine.close()


async def test_the_deadline_holds_and_after_three_silences_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    async with asking() as (server, engine):
        monkeypatch.setattr(engine._breaker, "_now_s", lambda: now[0])
        server.reply = forever
        for _ in range(3):
            began = time.monotonic()
            await refused(engine)
            assert 0.1 < time.monotonic() - began < 2
        assert len(server.asked) == 3
        for _ in range(20):
            assert "did not answer in time" in await refused(engine)
        assert len(server.asked) == 3  # failed at once, unasked
        now[0] += 1.01
        await refused(engine)  # the one trial
        await refused(engine)
        assert len(server.asked) == 4
        server.reply = GRANT
        now[0] += 1.01
        assert (await engine.decide(Point.REQUEST, KNOWN)).allow
        assert (await engine.decide(Point.REQUEST, KNOWN)).allow


async def test_an_error_that_is_told_shuts_nobody_else_out() -> None:
    async with asking() as (server, engine):
        server.reply = answer({"code": "internal_error", "message": "eval_conflict_error"}, 500)
        for _ in range(5):
            await refused(engine)
        server.reply = GRANT
        assert (await engine.decide(Point.REQUEST, KNOWN)).allow


async def test_it_is_away_until_a_policy_answers_and_whenever_none_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opa_module, "KNOCK_S", 0.0)
    async with asking() as (server, engine):
        assert engine.away
        server.reply = answer({})
        await engine.knock()
        assert "no package flyball.request" in engine.away
        server.reply = GRANT
        await engine.knock()
        assert not engine.away
        server.reply = b""
        await engine.knock()
        assert not engine.away  # once is no reason to refuse calls
        await engine.knock()
        await engine.knock()
        assert "cannot be asked" in engine.away
        server.reply = GRANT
        await asyncio.sleep(1.05)
        await engine.knock()
        assert not engine.away
        server.reply = answer({}, 401)
        await engine.knock()
        assert engine.away.endswith("answers 401")
        server.reply = GRANT
        await engine.knock()
        server.reply = answer({})
        await engine.decide(Point.REQUEST, KNOWN)
        assert "no package" in engine.away


async def test_one_that_answers_is_knocked_at_seldom() -> None:
    async with asking() as (server, engine):
        await engine.knock()
        asked = len(server.asked)
        for _ in range(5):
            await engine.knock()
        assert len(server.asked) == asked


async def test_the_revision_is_the_bundles_else_the_documents_else_the_url() -> None:
    async with asking() as (server, engine):
        assert (await engine.decide(Point.REQUEST, KNOWN)).revision == server.url

        async def by_path() -> bytes:
            is_revision = server.asked[-1][0].startswith("/v1/data/flyball/revision")
            return answer({"result": "r7"}) if is_revision else GRANT

        server.reply = by_path
        await engine.knock()
        assert (await engine.decide(Point.REQUEST, KNOWN)).revision == "r7" == engine.grant.revision
        bundles = {"b": {"revision": "2"}, "a": {"revision": "1"}, "none": {}}
        server.reply = answer({"result": {"allow": True}, "provenance": {"bundles": bundles}})
        assert (await engine.decide(Point.REQUEST, KNOWN)).revision == "a@1,b@2"


async def test_a_call_that_began_by_a_replaced_one_still_gets_its_decision() -> None:
    async with asking() as (server, engine):
        came, release = asyncio.Event(), asyncio.Event()

        async def held() -> bytes:
            came.set()
            await release.wait()
            return GRANT

        server.reply = held
        asked = asyncio.ensure_future(engine.decide(Point.REQUEST, KNOWN))
        await came.wait()
        closing = asyncio.ensure_future(engine.close())
        await asyncio.sleep(0.02)
        release.set()
        assert (await asked).allow
        await closing
        server.reply = GRANT
        assert (await engine.decide(Point.ROUTE, KNOWN)).allow


async def test_points_and_text_are_sent_as_the_settings_say() -> None:
    async with asking(points=("request",)) as (_, engine):
        assert engine.is_live(Point.REQUEST) and not engine.is_live(Point.ROUTE)
        paths = engine.reads(Point.REQUEST).paths
        contract = json.loads((resources.files("policies") / "contract.json").read_text())
        assert {path[0] for path in paths} <= set(contract["request"])
        assert {path[0] for path in paths} >= {*MEMBERS_OF_THE_BODY, "budgets", "run_counters", "clock", "findings"}
        assert not any(("messages", "text")[: len(path)] == path for path in paths)
    async with asking(send_text=True) as (_, engine):
        assert engine.reads(Point.REQUEST).paths == {EVERYTHING}


async def test_the_same_settings_keep_the_same_engine() -> None:
    settings = PolicySettings(url="http://127.0.0.1:9")
    engine = open_policy(settings)
    assert open_policy(PolicySettings(url="http://127.0.0.1:9"), engine) is engine
    assert open_policy(PolicySettings(url="http://127.0.0.1:9", deadline_ms=100), engine) is not engine
    assert open_policy(PolicySettings(), engine).revision != engine.revision


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "opa:8181"},
        {"url": "http://user:secret@opa:8181"},
        {"url": "http://opa:8181/v1"},
        {"url": "http://opa:0"},
        {"url": "http://opa", "base": "none"},
        {"url": "http://opa", "deadline_ms": 0},
        {"url": "http://opa", "deadline_ms": 20_000},
        {"url": "http://opa", "points": ()},
        {"token": Secret("t")},
    ],
)
def test_what_cannot_be_meant_is_told(settings: dict[str, Any]) -> None:
    (said,) = PolicySettings(**settings).contradictions()
    assert said.startswith("policy.") and "secret" not in said


def test_without_its_package_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opa_module, "find_spec", lambda name: None)
    with pytest.raises(BadPolicy, match=r"flyball\[opa\]"):
        open_policy(PolicySettings(url="http://127.0.0.1:9"))
