"""Further requests of a call: whom they go to, what they may cost, what stops them; the upstreams are scripted."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from proxy.policy import parse_target
from proxy.routing import Candidate
from proxy.upstream import UpstreamFailed
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, one_worker
from tests.unit.journey.reaching import (
    CONFIG,
    TOLD,
    asked,
    attempts,
    nano,
    refusal,
    settled,
    whole,
)
from tests.unit.journey.reaching import house as house
from tests.unit.journey.reaching import one_house as one_house

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_same_target_is_asked_again_after_the_time_it_says(house: OneWorker) -> None:
    spent, _ = await house.standing()
    later = (b"retry-after-ms", b"30")
    began = asyncio.get_running_loop().time()
    client = await house.call(Client(chat(model="again")), refusal(429, "x", later), refusal(503), whole())
    assert asyncio.get_running_loop().time() - began >= 0.03
    assert (client.status, asked(house)) == (200, ["a", "a", "a"])
    assert client.answered[b"x-flyball-reason"] == b"asked a again (http_429); asked a again (http_503)"
    assert await settled(house, spent) == TOLD
    told = [(each.get("purpose", "serve"), each.get("error", "")) for each in attempts(house)]
    assert told == [("serve", "http_429"), ("retry", "http_503"), ("retry", "")]


async def test_a_target_that_wants_to_be_left_alone_for_long_is_left_for_the_next(house: OneWorker) -> None:
    client = await house.call(Client(chat(model="again-both")), refusal(429, "x", (b"retry-after", b"9")), whole())
    assert (client.status, asked(house)) == (200, ["a", "b"])
    client = await house.call(Client(chat(model="again")), refusal(429, "x", (b"retry-after", b"9")))
    assert (client.status, client.answered[b"retry-after"], asked(house)) == (429, b"9", ["a"])


@pytest.mark.parametrize(
    "no",
    [
        lambda: refusal(400, "invalid_request_error"),
        lambda: refusal(401, "invalid_api_key"),
        lambda: refusal(429, "insufficient_quota"),
        lambda: refusal(500, "x", (b"x-should-retry", b"false")),
        lambda: UpstreamFailed("reset", "it may have been billed", sent=True),
        lambda: UpstreamFailed("first_byte_timeout", "it may have been billed", sent=True),
    ],
)
async def test_what_is_never_sent_again(house: OneWorker, no: Any) -> None:
    client = await house.call(Client(chat(model="again")), no())
    assert (client.status >= 400, asked(house)) == (True, ["a"])


async def test_what_may_have_been_billed_is_sent_again_where_that_is_declared_safe(house: OneWorker) -> None:
    spent, _ = await house.standing()
    client = await house.call(Client(chat(model="unsafe")), UpstreamFailed("reset", "", sent=True), whole())
    assert (client.status, asked(house)) == (200, ["a", "a"])
    assert await settled(house, spent) > TOLD, "both are paid for"


async def test_a_client_that_tries_again_itself_is_not_tried_again_for(house: OneWorker) -> None:
    headers = [(b"x-stainless-retry-count", b"1")]
    client = await house.call(Client(chat(model="again"), headers=headers), refusal(503))
    assert (client.status, asked(house)) == (503, ["a"])
    client = await house.call(Client(chat(model="again-both"), headers=headers), refusal(503), whole())
    assert (client.status, asked(house)) == (200, ["a", "b"])


async def test_retries_are_a_part_of_the_traffic(house: OneWorker) -> None:
    """Beyond the ten in reserve a target gets one for ten calls."""
    for _ in range(20):
        house.rooms.allowances.spend("retry", Candidate("a", "m"))
    seen = []
    for _ in range(11):
        await house.call(Client(chat(model="again")), refusal(503), whole())
        seen.append(len(asked(house)))
    assert seen == [1] * 9 + [2, 1]


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_what_no_other_target_mends_is_answered_as_it_came(house: OneWorker, status: int) -> None:
    client = await house.call(Client(chat(model="both")), refusal(status), whole())
    assert (client.status, asked(house)) == (status, ["a"])


async def test_a_class_that_is_left_out_leads_nowhere(house: OneWorker) -> None:
    for failed in (refusal(503), UpstreamFailed("refused", "", sent=False)):
        client = await house.call(Client(chat(model="never")), failed, whole())
        assert (client.status >= 500, asked(house)) == (True, ["a"])


async def test_where_all_fail_the_last_one_is_told_with_its_headers(house: OneWorker) -> None:
    spent, _ = await house.standing()
    wait = ((b"retry-after", b"3"), (b"x-ratelimit-remaining-requests", b"0"))
    client = await house.call(Client(chat(model="both")), refusal(500), refusal(429, "rate_limit_exceeded", *wait))
    assert (client.status, asked(house)) == (429, ["a", "b"])
    assert [client.answered[name] for name, _ in wait] == [b"3", b"0"]
    assert client.answered[b"x-flyball-reason"] == b"fell back from a (http_500) to b"
    assert await settled(house, spent) == 0
    dead = UpstreamFailed("refused", "", sent=False)
    client = await house.call(Client(chat(model="both")), dead, dead)
    assert (client.status, json.loads(client.text)["error"]["code"]) == (502, "upstream_refused")


async def test_a_prompt_that_is_too_long_here_may_fit_elsewhere(house: OneWorker) -> None:
    client = await house.call(Client(chat(model="both")), refusal(400, "context_length_exceeded"), whole())
    assert (client.status, asked(house)) == (200, ["a", "b"])
    assert client.answered[b"x-flyball-reason"] == b"fell back from a (context_length) to b"


async def test_content_filters_and_broken_json_lead_on_where_that_is_asked_for(house: OneWorker) -> None:
    spent, _ = await house.standing()
    form: dict[str, Any] = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}}
    client = await house.call(Client(chat(model="strict", **form)), whole('{"a": 1'), whole('{"a": 1}'))
    assert (client.status, asked(house)) == (200, ["a", "b"])
    assert await settled(house, spent) == 2 * TOLD, "the broken one was made, and is paid for"
    for first in (whole("", "content_filter"), refusal(400, "content_filter")):
        client = await house.call(Client(chat(model="strict")), first, whole())
        assert (client.status, asked(house)) == (200, ["a", "b"])
    client = await house.call(Client(chat(model="strict")), whole('{"a": 1'))
    assert asked(house) == ["a"], "JSON was not asked for"
    client = await house.call(Client(chat(model="both", **form)), whole('{"a": 1'))
    assert asked(house) == ["a"], "the route does not say so"


async def test_a_target_of_another_dialect_is_asked_in_its_own(house: OneWorker) -> None:
    usage = {"input_tokens": 7, "output_tokens": 2}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    body = json.dumps({**message, "content": [{"type": "text", "text": "Hi"}], "usage": usage}).encode()
    spent, _ = await house.standing()
    client = await house.call(Client(chat(model="translated")), refusal(529), Answer(body, headers=JSON_HEADERS))
    assert json.loads(client.text)["choices"][0]["message"]["content"] == "Hi"
    assert asked(house) == ["a", "claude"]
    assert await settled(house, spent) == TOLD


async def test_a_target_that_cannot_carry_the_request_is_left_out_with_its_reason(house: OneWorker) -> None:
    client = await house.call(Client(chat(model="translated", logit_bias={"1": 2})), refusal(529))
    assert (client.status, asked(house)) == (529, ["a"])
    assert client.answered[b"x-flyball-reason"] == b"not asked: claude (capability_missing: logit_bias)"


async def test_the_same_model_elsewhere_comes_first_and_attempts_have_an_end(house: OneWorker) -> None:
    client = await house.call(Client(chat(model="three")), refusal(503), refusal(500), whole())
    assert (client.status, asked(house)) == (500, ["a", "drains"])


async def test_a_target_that_is_too_dear_is_not_asked(house: OneWorker) -> None:
    spent, _ = await house.standing()
    client = await house.call(Client(chat(model="dearer")), UpstreamFailed("reset", "", sent=True), whole())
    assert (client.status, asked(house)) == (200, ["a", "b"])
    request = house.rooms.transport.seen[-1]  # type: ignore[attr-defined]
    assert json.loads(request.body)["model"] == "cheap"
    cost = await settled(house, spent)
    worst = nano(attempts(house)[0]["cost_usd"])
    assert worst < cost <= 2 * worst
    client = await house.call(Client(chat(model="dearer")), refusal(503), refusal(503))
    assert client.status == 503
    assert client.answered[b"x-flyball-reason"].endswith(b"not asked: b (too dear)")


@pytest.mark.parametrize(("limit", "providers"), [("0.007", ["a"]), ("0.012", ["a", "b"])])
async def test_what_the_budget_does_not_cover_is_not_sent(tmp_path: Path, limit: str, providers: list[str]) -> None:
    """The first may have been billed, so what was held for it is not there for the second."""
    with one_worker(tmp_path, CONFIG.replace("limit_usd: 1000", f"limit_usd: {limit}")) as house:
        client = await house.call(Client(chat(model="both")), UpstreamFailed("reset", "", sent=True), whole())
        assert asked(house) == providers
        assert await settled(house, 0) > 5_000_000
        if providers == ["a"]:
            assert client.status == 502
            assert house.rows()[-1]["reason"] == "not asked: b (the budget 'own' does not cover it)"
        await house.parts.ledger.close()


async def test_a_kill_switch_is_looked_at_before_every_request(house: OneWorker) -> None:
    made = []

    async def now() -> None:
        made.append(house.stores.switches.set(parse_target("provider:b"), reason="It misbehaves", by="anna").id)
        house.parts.configured.reload_switches()

    failing = refusal(503)
    failing._script.insert(0, now)
    client = await house.call(Client(chat(model="both")), failing, whole())
    assert (client.status, asked(house)) == (503, ["a"])
    assert house.rows()[-1]["reason"].endswith("not asked: b (left out meanwhile)")
    house.stores.switches.lift(made.pop(), by="anna")
    house.parts.configured.reload_switches()

    async def all_off() -> None:
        made.append(house.stores.switches.set(parse_target("org:acme"), reason="It misbehaves", by="anna").id)
        house.parts.configured.reload_switches()

    failing = refusal(503)
    failing._script.insert(0, all_off)
    spent, _ = await house.standing()
    client = await house.call(Client(chat(model="both")), failing, whole())
    assert (client.status, asked(house)) == (403, ["a"])
    assert (house.rows()[-1]["outcome"], house.rows()[-1]["code"]) == ("refused", "policy_denied")
    assert await settled(house, spent) == 0
    house.stores.switches.lift(made.pop(), by="anna")
    house.parts.configured.reload_switches()


async def test_nobody_is_asked_for_a_client_that_has_left(house: OneWorker) -> None:
    client = Client(chat(model="both"))

    async def leave() -> None:
        client.hang_up()

    failing = refusal(503)
    failing._script.insert(0, leave)
    await house.call(client, failing, whole())
    assert asked(house) == ["a"]


async def test_targets_that_want_to_be_left_alone_are_passed_by(house: OneWorker) -> None:
    await house.call(Client(chat(model="both")), refusal(429, "x", (b"retry-after", b"30")), whole())
    client = await house.call(Client(chat(model="both")), whole())
    assert (client.status, asked(house)) == (200, ["b"])
    assert b"x-flyball-reason" not in client.answered
    client = await house.call(Client(chat(model="both")), refusal(503))
    assert (client.status, asked(house)) == (503, ["b"]), "nor is it gone back to"
    assert house.rows()[-1]["reason"].startswith("not asked: a (")


async def test_where_all_want_to_be_left_alone_nobody_is_asked_and_the_shortest_wait_is_told(house: OneWorker) -> None:
    spent, _ = await house.standing()
    waits = [refusal(429, "x", (b"retry-after", each)) for each in (b"30", b"20")]
    client = await house.call(Client(chat(model="both")), *waits)
    assert (client.status, client.answered[b"retry-after"], asked(house)) == (429, b"20", ["a", "b"])
    client = await house.call(Client(chat(model="both")), whole())
    assert (client.status, asked(house)) == (429, [])
    assert 18 <= int(client.answered[b"retry-after"]) <= 20
    error = json.loads(client.text)["error"]
    assert (error["code"], error["flyball"]["targets"]) == ("upstream_overloaded", ["a", "b"])
    row = house.rows()[-1]
    assert (row["outcome"], row["code"], row.get("attempts", 0)) == ("refused", "upstream_overloaded", 0)
    assert await house.standing() == (spent, 0)


@pytest.mark.parametrize("changes", [False, True])
async def test_rules_are_asked_again_only_where_they_have_changed(tmp_path: Path, changes: bool) -> None:
    (tmp_path / "rules").mkdir()
    file = tmp_path / "rules" / "rules.rego"
    rule = 'package flyball.route\ndeny_candidates contains {"id": "%s/m", "code": "away", "msg": "Not there."}'
    file.write_text(rule % "nobody")
    with one_worker(tmp_path, CONFIG + "policy: {dir: rules}\n") as house:

        async def change() -> None:
            file.write_text(rule % "b")
            configured = house.parts.configured
            await asyncio.to_thread(configured.reload_file, configured.config)

        failing = refusal(503)
        if changes:
            failing._script.insert(0, change)
        client = await house.call(Client(chat(model="both")), failing, whole())
        points = [each["point"] for each in house.rows("decisions")]
        await house.parts.ledger.close()
    assert points.count("route") == 1 + changes
    assert asked(house) == ["a"] + ["b"] * (not changes)
    assert client.status == (503 if changes else 200)


async def test_tokens_are_held_anew_too(tmp_path: Path) -> None:
    """Two attempts that may have been billed take twice the tokens: the second is sent only where they are there."""
    budget = "window: total, hard: true, limit_tokens: 300"
    text = CONFIG.replace("window: total, hard: true, limit_usd: 1000", budget)
    with one_worker(tmp_path, text) as house:
        dead = UpstreamFailed("reset", "", sent=True)
        await house.call(Client(chat(model="both")), dead, UpstreamFailed("reset", "", sent=True))
        assert asked(house) == ["a", "b"]
        assert (await house.standing())[0] > 200
        assert (await house.standing())[1] == 0
        await house.call(Client(chat(model="both")), dead, whole())
        assert asked(house) == [], "there is not enough for one more"
        await house.parts.ledger.close()
