"""Further requests of a call: whom they go to, what they may cost, what stops them; the upstreams are scripted."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from proxy.policy import parse_target
from proxy.routing import Allowances, Candidate, Health, HealthSettings
from proxy.upstream import UpstreamFailed
from tests.harness.one_worker import DONE, EVENT, JSON_HEADERS, Answer, Client, OneWorker, Upstream, chat, one_worker

USAGE: Final = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}\n\n'
ROLE: Final = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
TOLD: Final = 7 * 10_000 + 2 * 100_000
A_AND_B: Final = "targets: [{provider: a, model: m}, {provider: b, model: m}]"
CONFIG: Final = f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}}
providers:
  a: {{base_url: "http://127.0.0.1:9/v1"}}
  b: {{base_url: "http://127.0.0.1:9/v1"}}
  drains: {{base_url: "http://127.0.0.1:9/v1", on_client_disconnect: drain}}
  claude: {{base_url: "http://127.0.0.1:9", dialect: anthropic}}
  claude-too: {{base_url: "http://127.0.0.1:9", dialect: anthropic}}
routes:
  - {{model: both, {A_AND_B}}}
  - {{model: never, {A_AND_B}, fallback: {{when: []}}}}
  - {{model: strict, {A_AND_B}, fallback: {{when: [invalid_json, content_filter]}}}}
  - {{model: again, targets: [{{provider: a, model: m}}], retry: {{times: 2, base_ms: 1, retry_after_s: 0.05}}}}
  - {{model: unsafe, targets: [{{provider: a, model: m}}], retry: {{times: 1, base_ms: 1, after_sent: true}}}}
  - {{model: again-both, {A_AND_B}, retry: {{times: 1, base_ms: 1, retry_after_s: 0.05}}}}
  - {{model: slow, {A_AND_B}, fallback: {{slow_start_ms: 40}}}}
  - model: slow-drains
    targets: [{{provider: drains, model: m}}, {{provider: b, model: m}}]
    fallback: {{slow_start_ms: 40}}
  - {{model: hedged, {A_AND_B}, hedge: {{after_ms: 40}}}}
  - {{model: translated, targets: [{{provider: a, model: m}}, {{provider: claude, model: m}}]}}
  - {{model: hasty, {A_AND_B}, fallback: {{hold_back_ms: 40}}}}
  - {{model: claude, targets: [{{provider: claude, model: m}}, {{provider: claude-too, model: m}}]}}
  - model: dearer
    targets: [{{provider: a, model: cheap}}, {{provider: b, model: m}}, {{provider: b, model: cheap}}]
    fallback: {{max_cost_ratio: 2}}
  - model: three
    targets: [{{provider: a, model: cheap}}, {{provider: b, model: m}}, {{provider: drains, model: cheap}}]
    fallback: {{max_attempts: 2}}
prices: {{overlay: prices.yaml}}
tenants: [{{org: acme, teams: [{{team: support, keys: [{{name: bot, key_env: BOT_KEY}}]}}]}}]
budgets: [{{name: own, scope: "key:acme/support/bot", window: total, hard: true, limit_usd: 1000}}]
"""
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneWorker]:
    with one_worker(tmp_path_factory.mktemp("house"), CONFIG) as made:
        yield made
        await made.parts.ledger.close()


@pytest.fixture
def house(one_house: OneWorker) -> OneWorker:
    """The worker; nothing is known of its targets."""
    one_house.rooms.health = Health(HealthSettings(), one_house.rooms.clock)
    one_house.rooms.allowances = Allowances()
    return one_house


def whole(content: str = "Hi", finish_reason: str = "stop") -> Answer:
    """An answer in one piece."""
    message = {"role": "assistant", "content": content}
    body = {
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
    }
    return Answer(json.dumps(body).encode(), headers=JSON_HEADERS)


def refusal(status: int, code: str = "server_error", *headers: tuple[bytes, bytes]) -> Answer:
    """An error of that status."""
    body = json.dumps({"error": {"message": "no", "type": code, "param": None, "code": code}}).encode()
    return Answer(body, status=status, headers=[*JSON_HEADERS, *headers])


async def silence() -> None:
    """An upstream that never goes on."""
    await asyncio.sleep(3600)


def asked(house: OneWorker) -> list[str]:
    """The providers that got requests of the last call, in order."""
    assert isinstance(house.rooms.transport, Upstream)
    return [request.provider.name for request in house.rooms.transport.seen]


def attempts(house: OneWorker) -> list[dict[str, Any]]:
    """The attempt rows of the last call."""
    operation = house.rows()[-1]["operation_id"]
    return [each for each in house.rows("attempts") if each["operation_id"] == operation]


def nano(dollars: str) -> int:
    """Dollars with nine digits as whole nano-dollars."""
    return int(dollars.replace(".", ""))


async def settled(house: OneWorker, spent: int) -> int:
    """What the last call has cost: its row, its attempts and the budget say the same, and nothing is held."""
    cost = nano(house.rows()[-1]["cost_usd"])
    assert sum(nano(each["cost_usd"]) for each in attempts(house)) == cost
    assert await house.standing() == (spent + cost, 0)
    assert "overrun_usd" not in house.rows()[-1]
    return cost


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


@pytest.mark.parametrize(("model", "first"), [("slow", "a"), ("slow-drains", "drains")])
async def test_a_stream_that_does_not_begin_is_given_up_for_the_next(house: OneWorker, model: str, first: str) -> None:
    spent, _ = await house.standing()
    slow = Answer(ROLE, silence)
    client = await house.call(Client(chat(model=model, stream=True)), slow, Answer(ROLE, EVENT, USAGE, DONE))
    assert client.text == ROLE + EVENT + USAGE + DONE, "nothing of the first has been sent"
    assert slow.aborted.is_set()
    assert asked(house) == [first, "b"]
    assert house.rows()[-1]["reason"] == f"fell back from {first} (slow_start) to b"
    cost = await settled(house, spent)
    given = cost - TOLD
    whole_hold = given >= 50 * 100_000
    assert given > 0
    assert whole_hold is (first == "drains"), "its provider goes on, so it is billed at its hold"
    assert [each["outcome"] for each in attempts(house)] == ["cancelled", "ok"]


async def test_a_stream_is_waited_for_after_all_where_nobody_else_is_left(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.1)

    dead = UpstreamFailed("refused", "", sent=False)
    client = await house.call(Client(chat(model="slow", stream=True)), dead, Answer(a_while, EVENT, USAGE, DONE))
    assert (client.text, asked(house)) == (EVENT + USAGE + DONE, ["a", "b"])


async def test_a_second_target_is_asked_beside_a_slow_one_and_both_are_billed(house: OneWorker) -> None:
    spent, _ = await house.standing()
    slow = Answer(ROLE, silence)
    client = await house.call(Client(chat(model="hedged", stream=True)), slow, Answer(EVENT, USAGE, DONE))
    assert client.text == EVENT + USAGE + DONE
    assert slow.aborted.is_set()
    assert await settled(house, spent) > TOLD
    lost, won = attempts(house)
    assert (lost["provider"], lost["outcome"], lost["error"]) == ("a", "cancelled", "hedged")
    assert (won["provider"], won["outcome"], won["purpose"]) == ("b", "ok", "hedge")
    assert house.rows()[-1]["reason"] == "asked b beside a"


async def test_the_first_may_still_win(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.1)

    spent, _ = await house.standing()
    second = Answer(ROLE, silence)
    client = await house.call(Client(chat(model="hedged", stream=True)), Answer(a_while, EVENT, USAGE, DONE), second)
    assert client.text == EVENT + USAGE + DONE
    assert second.aborted.is_set()
    assert client.answered[b"x-flyball-model"] == b"m"
    assert [each["provider"] for each in attempts(house)] == ["b", "a"], "the one that served stands last"
    assert await settled(house, spent) > TOLD


async def test_one_of_two_may_fail(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.1)

    spent, _ = await house.standing()
    client = await house.call(
        Client(chat(model="hedged", stream=True)), Answer(a_while, EVENT, USAGE, DONE), refusal(503)
    )
    assert client.text == EVENT + USAGE + DONE
    assert await settled(house, spent) == TOLD
    assert [each.get("error", "") for each in attempts(house)] == ["http_503", ""]


async def test_hedges_are_a_part_of_the_traffic(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.08)

    for _ in range(20):
        house.rooms.allowances.spend("hedge", Candidate("a", "m"))
    await house.call(Client(chat(model="hedged", stream=True)), Answer(a_while, EVENT, USAGE, DONE))
    assert asked(house) == ["a"]


async def test_a_whole_answer_is_not_hedged(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.08)

    answer = whole()
    answer._script.insert(0, a_while)
    await house.call(Client(chat(model="hedged")), answer)
    assert asked(house) == ["a"]


async def test_the_client_leaves_while_two_are_asked(house: OneWorker) -> None:
    spent, _ = await house.standing()
    client = Client(chat(model="hedged", stream=True))
    both = asyncio.Event()

    async def told() -> None:
        both.set()
        await silence()

    first, second = Answer(ROLE, silence), Answer(ROLE, told)
    call = asyncio.ensure_future(house.call(client, first, second))
    await both.wait()
    call.cancel()
    await asyncio.wait([call])
    assert first.aborted.is_set()
    assert second.aborted.is_set()
    assert await settled(house, spent) > 0


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


async def test_start_up_events_are_held_back_within_bounds(house: OneWorker) -> None:
    """Past the bound the stream is its client's, and a failure is told within it."""
    thinking = [b": still thinking\n\n"] * 4000
    cut = UpstreamFailed("reset", "", sent=True)
    client = await house.call(Client(chat(model="both", stream=True)), Answer(ROLE, *thinking, cut), whole())
    assert asked(house) == ["a"]
    assert client.text.startswith(ROLE + thinking[0])
    assert b"upstream_truncated" in client.text
    client = await house.call(
        Client(chat(model="both", stream=True)), Answer(ROLE, *thinking[:400], cut), Answer(ROLE, EVENT, USAGE, DONE)
    )
    assert (asked(house), client.text) == (["a", "b"], ROLE + EVENT + USAGE + DONE)


async def test_no_event_is_held_back_for_longer_than_its_time(house: OneWorker) -> None:
    async def a_while() -> None:
        await asyncio.sleep(0.15)

    cut = UpstreamFailed("reset", "", sent=True)
    client = await house.call(Client(chat(model="hasty", stream=True)), Answer(ROLE, a_while, cut), whole())
    assert asked(house) == ["a"]
    assert client.text.startswith(ROLE)


@pytest.mark.parametrize(
    ("path", "body", "start_up", "error"),
    [
        (
            "/v1/responses",
            {"model": "both", "input": "Hello", "stream": True, "max_output_tokens": 50},
            {"type": "response.created", "response": {"id": "r", "model": "m", "status": "in_progress"}},
            {"type": "error", "code": "server_error", "message": "no"},
        ),
        (
            "/v1/messages",
            {"model": "claude", "messages": [{"role": "user", "content": "Hi"}], "stream": True, "max_tokens": 50},
            {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 7}}},
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ),
    ],
)
async def test_start_up_events_of_other_endpoints_are_known(
    house: OneWorker, path: str, body: dict[str, Any], start_up: dict[str, Any], error: dict[str, Any]
) -> None:
    """Another proxy once missed it: an overloaded provider's error within a stream never fell back."""
    told = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in (start_up, error)]
    good = b"event: x\ndata: {}\n\n"
    client = await house.call(Client(json.dumps(body).encode(), path=path), Answer(*told), Answer(told[0], good))
    assert len(asked(house)) == 2
    assert client.text.startswith(told[0] + good)
    assert client.answered[b"x-flyball-reason"].startswith(b"fell back from ")
