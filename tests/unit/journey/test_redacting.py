"""The obligation `redact` on a call's way: what is sent, what the client sees, what the row says."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.journey.redact import redacted
from proxy.policy import Finder, FindingsSettings, edited
from proxy.wire.endpoint import Endpoint
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

BODY = (
    b'{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}'
)
MAIL: Final = "bob.canary@example.com"
PII: Final = 'obligations contains {"type": "redact", "kinds": ["pii"]}'


def ruled(folder: Path, rules: str = PII, point: str = "request", policy: str = "", more: str = "") -> Any:
    (folder / "rules").mkdir()
    (folder / "rules" / "rules.rego").write_text(f"package flyball.{point}\n{rules}")
    return one_worker(folder, config(more=f"policy: {{dir: rules, {policy}}}\n{more}"))


async def sent(worker: OneWorker, body: bytes, path: str = "/v1/chat/completions") -> tuple[Client, list[bytes]]:
    client = Client(body, path=path)
    await worker.call(client, Answer(BODY, headers=JSON_HEADERS))
    return client, [request.body for request in worker.rooms.transport.seen]  # type: ignore[attr-defined] # scripted


@pytest.mark.parametrize("point", ["request", "route"])
async def test_upstream_gets_every_byte_but_what_was_taken_out(point: str, tmp_path: Path) -> None:
    content = b'"I am \\u0062ob.canary\\u0040example.com, \\ud83d\\ude00 \xc3\xbc, card 4111 1111 1111 1111"'
    body = (
        b'{ "model":"m",\n "x_unknown" : [1e5, {"bob@x.com":null}],"max_tokens":50,'
        b'"messages" : [ {"role":"user","content": %b } ] }'
    )
    with ruled(tmp_path, point=point) as worker:
        client, (got,) = await sent(worker, body % content)
        row = worker.rows()[-1]
    assert got == body % b'"I am [EMAIL], \\ud83d\\ude00 \xc3\xbc, card [CARD]"'
    assert row["reason"] == "redacted by policy: card 1, email 1" and row["decision"] == "allow"
    assert client.status == 200 and client.answered[b"x-flyball-reason"] == row["reason"].encode()
    assert "canary" not in json.dumps(row)


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        ("/v1/completions", {"prompt": f"to {MAIL}", "suffix": MAIL}, {"prompt": "to [EMAIL]", "suffix": "[EMAIL]"}),
        ("/v1/completions", {"prompt": [MAIL, "x", MAIL]}, {"prompt": ["[EMAIL]", "x", "[EMAIL]"]}),
        ("/v1/embeddings", {"input": MAIL}, {"input": "[EMAIL]"}),
        ("/v1/embeddings", {"input": ["a", MAIL]}, {"input": ["a", "[EMAIL]"]}),
        ("/v1/responses", {"input": MAIL, "instructions": MAIL}, {"input": "[EMAIL]", "instructions": "[EMAIL]"}),
        (
            "/v1/responses",
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": f"a {MAIL}"}]}]},
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a [EMAIL]"}]}]},
        ),
        (
            "/v1/responses",
            {"input": [{"type": "function_call_output", "call_id": "c", "output": f'{{"m":"{MAIL}"}}'}]},
            {"input": [{"type": "function_call_output", "call_id": "c", "output": '{"m":"[EMAIL]"}'}]},
        ),
        (
            "/v1/chat/completions",
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": MAIL}, {"type": "text", "text": "b"}]}
                ]
            },
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "[EMAIL]"}, {"type": "text", "text": "b"}]}
                ]
            },
        ),
    ],
)
async def test_every_shape_is_redacted(path: str, body: dict[str, Any], wanted: dict[str, Any], tmp_path: Path) -> None:
    model = "embed" if "embeddings" in path else "m"
    with ruled(tmp_path) as worker:
        client, (got,) = await sent(worker, json.dumps({"model": model, **body}).encode(), path)
    assert client.status == 200
    assert {name: json.loads(got)[name] for name in body} == wanted


async def test_what_has_nothing_to_take_out_is_sent_as_it_came(tmp_path: Path) -> None:
    with ruled(tmp_path) as worker:
        client, (got,) = await sent(worker, chat())
    assert got == chat() and b"x-flyball-reason" not in client.answered


IMAGE: Final = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}
]


async def test_what_cannot_be_looked_at_is_refused_unless_the_rule_lets_it_pass(tmp_path: Path) -> None:
    with ruled(tmp_path) as worker:
        client, got = await sent(worker, chat(messages=IMAGE))
        row = worker.rows()[-1]
    error = json.loads(client.text)["error"]
    assert (client.status, error["code"], error["flyball"]["rule"], got) == (403, "policy_denied", "unredactable", [])
    assert (row["decision"], row["outcome"]) == ("deny:unredactable", "refused")
    (tmp_path / "second").mkdir()
    with ruled(tmp_path / "second", PII.replace("]}", '], "unread": "pass"}')) as worker:
        client, (sent_on,) = await sent(worker, chat(messages=IMAGE))
    assert client.status == 200 and sent_on == chat(messages=IMAGE)


async def test_more_text_than_is_looked_at_is_refused(tmp_path: Path) -> None:
    with ruled(tmp_path, policy="findings: {max_bytes: 1024}") as worker:
        client, got = await sent(worker, chat(messages=[{"role": "user", "content": "x" * 1025}]))
    assert (client.status, got) == (403, [])


async def test_where_it_is_only_observed_it_is_written_down(tmp_path: Path) -> None:
    with ruled(tmp_path, more="enforcement: observe") as worker:
        client, got = await sent(worker, chat(messages=IMAGE))
        row = worker.rows()[-1]
    assert client.status == 200 and len(got) == 1
    assert (row["would_code"], row["would_by"]) == ("policy_denied", "policy/unredactable")


async def test_kinds_that_are_none_give_no_decision(tmp_path: Path) -> None:
    rule = 'obligations contains {"type": "redact", "kinds": ["email", concat("_", ["shoe", "size"])]}'
    with ruled(tmp_path, rule) as worker:
        client, got = await sent(worker, chat())
    error = json.loads(client.text)["error"]
    assert (client.status, got) == (503, []) and "shoe_size" in error["flyball"]["detail"]


async def test_a_long_body_is_redacted_in_a_thread_and_estimated_anew(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": f"{number} {MAIL} " + "word " * 50} for number in range(100)]
    with ruled(tmp_path) as worker:
        client, (got,) = await sent(worker, chat(messages=messages))
        row = worker.rows()[-1]
    assert client.status == 200 and row["reason"] == "redacted by policy: email 100"
    assert got == chat(messages=messages).replace(MAIL.encode(), b"[EMAIL]") and row["request_bytes"] == len(got)


async def test_rules_behind_it_are_told_what_is_left(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.rego").write_text(f"package flyball.request\n{PII}")
    rule = (
        'package flyball.route\ndeny contains {"code": "left", "msg": json.marshal(input.findings)} if input.findings'
    )
    (tmp_path / "rules" / "b.rego").write_text(rule)
    with one_worker(tmp_path, config(more="policy: {dir: rules}")) as worker:
        client, _ = await sent(worker, chat(messages=[{"role": "user", "content": MAIL}]))
    assert json.loads(json.loads(client.text)["error"]["message"]) == []


FINDER: Final = Finder(FindingsSettings())
KINDS: Final = ("pii", "secret")
WORDS: Final = st.lists(
    st.sampled_from(
        [MAIL, "4111 1111 1111 1111", "DE89370400440532013000", " ", ",", "é", "\U0001f600", '"', "\\", "\n", "a"]
    ),
    max_size=6,
).map("".join)


def escaped(text: str) -> str:
    units = text.encode("utf-16-be")
    return '"' + "".join(f"\\u{units[at]:02X}{units[at + 1]:02x}" for at in range(0, len(units), 2)) + '"'


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(WORDS, st.sampled_from(["ascii", "plain", "all"])), min_size=1, max_size=5), st.data())
def test_reading_and_redacting_is_redacting_and_reading(drawn: list[tuple[str, str]], data: st.DataObject) -> None:
    blank = st.text(" \t\n\r", max_size=2)
    parts = []
    for text, how in drawn:
        told = escaped(text) if how == "all" else json.dumps(text, ensure_ascii=how == "ascii")
        parts.append(f'{{"type":"text",{data.draw(blank)}"text":{data.draw(blank)}{told}{data.draw(blank)}}}')
    body = f'{{"model":"m","n":1.0,"messages":[{{"content":[{",".join(parts)}],"role":"user"}}]}}'.encode()
    done = redacted(FINDER, Endpoint.CHAT, body, KINDS)
    wanted = json.loads(body)
    for part in wanted["messages"][0]["content"]:
        part["text"] = edited(part["text"], FINDER.redactor(KINDS).edits("user", part["text"]))
    assert json.loads(done.body) == wanted
    assert redacted(FINDER, Endpoint.CHAT, done.body, KINDS).taken == {}
    assert bool(done.taken) == (done.body != body)
