"""What a provider keeps is its maker's: whose it is, what others are told of it, and that nothing else is changed."""

import gzip
import json
from pathlib import Path
from typing import Any, Final

from proxy.core.clock import SystemClock
from proxy.identity.records import KeyTerms
from proxy.ownership import Kept, OwnershipUnavailable
from proxy.upstream import UpstreamFailed
from tests.harness.one_worker import JSON_HEADERS, Answer, Client, OneWorker, config, one_worker

OTHER: Final = "fb-another-orgs-key-0123456789-abcdef"
TENANTS: Final = """tenants:
  - {org: acme, teams: [{team: support, keys: [{name: bot, key_env: BOT_KEY}]}]}
  - {org: beta, teams: [{team: sales, keys: [{name: bot, key_env: OTHER_KEY}]}]}
"""


def two_orgs(provider: str = "", more: str = "", budget: str = "limit_usd: 1000") -> str:
    text = config(provider, more, budget)
    return "\n".join(line for line in text.splitlines() if not line.startswith("tenants:")) + "\n" + TENANTS


def asked(method: str, path: str, body: bytes = b"", *, org: str = "acme", kind: str = "application/json") -> Client:
    headers = [(b"content-type", kind.encode())] if body else []
    if org == "beta":
        headers.append((b"x-flyball-key", OTHER.encode()))
    path, _, query = path.partition("?")
    client = Client(body, path="/v1" + path, method=method, headers=headers)
    client.query = query.encode()
    return client


def told(body: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(body).encode(), status=status, headers=JSON_HEADERS)


def house(folder: Path, text: str = "") -> Any:
    return one_worker(folder, text or two_orgs(), {"OTHER_KEY": OTHER})


async def made(worker: OneWorker, id: str = "file-1", org: str = "acme") -> None:
    client = asked("POST", "/files", b"--b\r\n", org=org, kind="multipart/form-data; boundary=b")
    await worker.call(client, told({"id": id, "object": "file"}))
    assert client.status == 200, client.text


async def test_what_an_org_has_made_it_may_use_and_no_other_org(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        await made(worker)
        mine = await worker.call(asked("GET", "/files/file-1"), told({"id": "file-1"}))
        assert (mine.status, mine.text) == (200, b'{"id": "file-1"}')
        theirs = await worker.call(asked("GET", "/files/file-1", org="beta"))
        never = await worker.call(asked("GET", "/files/file-2", org="beta"))
        assert (theirs.status, never.status) == (404, 404)
        said = [json.loads(each.text)["error"] for each in (theirs, never)]
        for each in said:
            each["flyball"].pop("operation")
        assert said[0]["message"].replace("file-1", "file-2") == said[1]["message"]
        assert {**said[0], "message": ""} == {**said[1], "message": ""}
        rows = worker.rows()
        assert [(row["endpoint"], row["org"], row["status"], row.get("attempts", 0)) for row in rows] == [
            ("files", "acme", 200, 1),
            ("files", "acme", 200, 1),
            ("files", "beta", 404, 0),
            ("files", "beta", 404, 0),
        ]
        assert await worker.standing() == (0, 0)


async def test_deleted_objects_are_nobodys(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        await made(worker)
        gone = await worker.call(asked("DELETE", "/files/file-1"), told({"id": "file-1", "deleted": True}))
        assert gone.status == 200
        assert (await worker.call(asked("GET", "/files/file-1"))).status == 404


async def test_a_request_goes_on_as_it_came(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        await made(worker, "vs 1/é")
        client = asked("POST", "/vector_stores", b'{"file_ids": ["vs 1/\\u00e9"] , "x":1}')
        await worker.call(client, told({"id": "vs_1"}))
        (seen,) = worker.rooms.transport.seen
        assert (seen.method, seen.path, seen.body) == ("POST", "/vector_stores", client.body)
        client = asked("GET", "/vector_stores/vs_1/files?limit=2&filter[x]=%20a&filter[]=b")
        await worker.call(client, told({"data": []}))
        (seen,) = worker.rooms.transport.seen
        assert (seen.method, seen.query, seen.body) == ("GET", b"limit=2&filter[x]=%20a&filter[]=b", b"")
        client = asked("GET", "/files/vs%201%2F%C3%A9")
        await worker.call(client)
        assert client.status == 404  # what is a slash for who decodes it is no id
        await made(worker, "an id")
        client = asked("GET", "/files/an%20id/content")
        await worker.call(client, Answer(b"\x00\xff", b"rest", headers=[(b"content-type", b"image/png")]))
        assert client.text == b"\x00\xffrest"
        assert worker.rooms.transport.seen[0].path == "/files/an%20id/content"


NAMING: Final[list[tuple[str, dict[str, Any]]]] = [
    ("/batches", {"input_file_id": "file-1", "endpoint": "/v1/responses"}),
    ("/vector_stores", {"file_ids": ["file-2", "file-1"]}),
    ("/threads", {"messages": [{"role": "user", "attachments": [{"file_id": "file-1"}]}]}),
    ("/fine_tuning/jobs", {"model": "m", "training_file": "file-1"}),
    ("/assistants", {"model": "m", "tool_resources": {"file_search": {"vector_store_ids": ["file-1"]}}}),
    ("/responses", {"model": "m", "input": "x", "previous_response_id": "file-1"}),
    ("/responses", {"model": "m", "input": "x", "conversation": {"id": "file-1"}}),
    (
        "/responses",
        {"model": "m", "input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]},
    ),
    (
        "/chat/completions",
        {"model": "m", "messages": [{"role": "user", "content": [{"file": {"file_id": "file-1"}}]}]},
    ),
    ("/x_new_thing_of_tomorrow", {"file_id": "file-1"}),
]


async def test_a_body_names_only_ones_own(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        await made(worker)
        await made(worker, "file-2", "beta")
        for path, body in NAMING:
            client = await worker.call(asked("POST", path, json.dumps(body).encode(), org="beta"))
            assert client.status == 404, path
            assert worker.rooms.transport.seen == []


async def test_a_repeated_member_hides_nothing(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        await made(worker)
        await made(worker, "file-2", "beta")
        for body in (
            b'{"input_file_id": "file-2", "input_file_id": "file-1"}',
            b'{"input_file_id": "file-1", "input_file_id": "file-2"}',
            b'{"input_file_\\u0069d": "file-1"}',
        ):
            assert (await worker.call(asked("POST", "/batches", body, org="beta"))).status == 404
        form = b'--b\r\nContent-Disposition: form-data; name="file_id"\r\n\r\nfile-1\r\n--b--\r\n'
        kind = "multipart/form-data; boundary=b"
        client = asked("POST", "/vector_stores", form, org="beta", kind=kind)
        assert (await worker.call(client)).status == 404


async def test_a_list_shows_ones_own_over_as_many_pages_as_it_takes(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        for number in range(3):
            await made(worker, f"file-a{number}")
            await made(worker, f"file-b{number}", "beta")

        def page(*ids: str, more: bool) -> Answer:
            data = [{"id": id, "bytes": 1.0} for id in ids]
            return told({"object": "list", "data": data, "first_id": ids[0], "last_id": ids[-1], "has_more": more})

        pages = [
            page("file-b2", "file-a2", more=True),
            page("file-b1", "file-b0", more=True),
            page("file-a1", more=True),
        ]
        client = await worker.call(asked("GET", "/files?limit=1&order=desc"), *pages)
        assert json.loads(client.text) == {
            "object": "list",
            "data": [{"id": "file-a2", "bytes": 1.0}],
            "first_id": "file-a2",
            "last_id": "file-a2",
            "has_more": True,
        }
        assert [each.query for each in worker.rooms.transport.seen] == [
            b"limit=1&order=desc",
            b"limit=1&order=desc&after=file-a2",
            b"limit=1&order=desc&after=file-b0",
        ]
        client = await worker.call(asked("GET", "/files"), page("file-b2", "file-b1", more=False))
        assert json.loads(client.text) == {
            "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False,
        }  # fmt: skip


async def test_a_list_without_end_is_refused_rather_than_cut(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        pages = [told({"data": [{"id": f"file-{number}"}], "has_more": True}) for number in range(60)]
        client = await worker.call(asked("GET", "/files"), *pages)
        assert (client.status, json.loads(client.text)["error"]["code"]) == (400, "capability_missing")


async def test_an_empty_budget_lets_nothing_reach_a_provider(tmp_path: Path) -> None:
    with house(tmp_path, two_orgs("passthrough: true", budget="limit_usd: 0")) as worker:
        worker.stores.ownership.note([owned("file-1", "file"), owned("resp_1", "response")])
        paths = ("/files", "/files/file-1", "/threads/runs", "/responses/resp_1", "/x/y")
        calls = [(method, path) for method in ("GET", "POST", "DELETE", "PATCH") for path in paths]
        for method, path in calls:
            client = await worker.call(asked(method, path, b"{}" if method == "POST" else b""))
            assert client.status in (400, 402), client.text
            assert worker.rooms.transport.seen == []
        assert [row["outcome"] for row in worker.rows()] == ["refused"] * len(calls)
        assert await worker.standing() == (0, 0)


def owned(id: str, kind: str) -> Any:
    return Kept(id=id, provider="up", org="acme", kind=kind, made_ns=SystemClock().now_ns())


async def test_what_governs_an_account_never_passes(tmp_path: Path) -> None:
    with house(tmp_path, two_orgs("passthrough: true")) as worker:
        for method, path in (
            ("GET", "/organization/users"),
            ("DELETE", "/models/ft:m"),
            ("POST", "/projects"),
            ("GET", "/vaults/v_1"),
            ("GET", "/fine_tuning/checkpoints/ft:m/permissions"),
        ):
            client = await worker.call(asked(method, path))
            assert (client.status, json.loads(client.text)["error"]["code"]) == (404, "path_not_found")
            assert worker.rooms.transport.seen == []


async def test_a_large_file_is_sent_on_as_it_comes(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        taken: list[bytes] = []

        class Taking:
            seen: Final[list[Any]] = []

            async def send(self, request: Any) -> Answer:
                async for part in request.parts:
                    taken.append(part)
                return told({"id": "file-9"})

        client = asked("POST", "/files", b"x", kind="multipart/form-data; boundary=b")
        parts = [b"a" * 70_000, b"b" * 70_000, b"c"]
        client.body_parts = list(parts)
        worker.rooms.transport = Taking()
        await worker.parts.port(client.scope, client.receive, client.send)
        assert (client.status, taken) == (200, parts)
        assert (await worker.call(asked("GET", "/files/file-9"), told({}))).status == 200


async def test_a_compressed_answer_passes_as_it_is_and_is_read(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        packed = gzip.compress(b'{"id": "vs_1"}')
        headers = [*JSON_HEADERS, (b"content-encoding", b"gzip"), (b"x-thing", b"1")]
        client = await worker.call(asked("POST", "/vector_stores", b"{}"), Answer(packed, headers=headers))
        assert client.text == packed
        assert (client.answered[b"content-encoding"], client.answered[b"x-thing"]) == (b"gzip", b"1")
        assert (await worker.call(asked("GET", "/vector_stores/vs_1"), told({}))).status == 200


async def test_a_stored_response_is_its_callers(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
        answer = {
            "id": "resp_1",
            "object": "response",
            "model": "m",
            "status": "completed",
            "usage": usage,
            "output": [],
        }
        body = json.dumps({"model": "m", "input": "x"}).encode()
        await worker.call(asked("POST", "/responses", body), told(answer))
        assert (await worker.call(asked("GET", "/responses/resp_1", org="beta"))).status == 404
        assert (await worker.call(asked("GET", "/responses/resp_1"), told(answer))).status == 200
        items = await worker.call(asked("GET", "/responses/resp_1/input_items"), told({"data": [{"id": "msg_1"}]}))
        assert json.loads(items.text)["data"] == [{"id": "msg_1"}]
        unkept = json.dumps({"model": "m", "input": "x", "store": False}).encode()
        await worker.call(asked("POST", "/responses", unkept), told({**answer, "id": "resp_2"}))
        assert (await worker.call(asked("GET", "/responses/resp_2"))).status == 404


async def test_a_streamed_response_is_its_callers_from_its_first_event_on(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        first = b'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1","model":"m"}}\n\n'
        last = b'data: {"type":"response.completed","response":{"id":"resp_1","status":"completed"}}\n\n'
        known: list[bool] = []

        async def look() -> None:
            known.append(bool(worker.stores.ownership.find("acme", ["resp_1"], worker.rooms.clock.now_ns())))

        body = json.dumps({"model": "m", "input": "x", "stream": True}).encode()
        client = await worker.call(asked("POST", "/responses", body), Answer(first[:40], first[40:], look, last))
        assert client.text == first + last
        assert known == [True]


async def test_a_chat_is_kept_where_it_is_asked_to_be(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": []}
        for store in (False, True):
            body = json.dumps({"model": "m", "messages": [], "store": store}).encode()
            await worker.call(asked("POST", "/chat/completions", body), told(answer))
            found = await worker.call(asked("GET", "/chat/completions/chatcmpl-1"), told(answer))
            assert found.status == (200 if store else 404)


async def test_stored_context_is_held_by_the_models_window_or_refused(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        worker.stores.ownership.note([owned("resp_1", "response")])
        body = json.dumps(
            {"model": "m", "input": "x", "previous_response_id": "resp_1", "max_output_tokens": 5}
        ).encode()
        client = await worker.call(asked("POST", "/responses", body))
        said = json.loads(client.text)["error"]
        assert (client.status, said["code"], said["param"]) == (400, "capability_missing", "previous_response_id")
        body = body.replace(b'"m"', b'"embed"')  # whose window is told in the price overlay: 100 tokens at 10 USD
        client = await worker.call(asked("POST", "/responses", body), told({"id": "resp_2", "status": "completed"}))
        assert client.status == 200
        assert worker.rows()[-1]["held_usd"] == "0.001000000"


async def test_an_upload_that_breaks_off_is_no_fault_of_the_provider(tmp_path: Path) -> None:
    with house(tmp_path) as worker:

        class Taking:
            async def send(self, request: Any) -> Answer:
                async for _ in request.parts:
                    pass
                raise AssertionError("the body was whole")

        client = asked("POST", "/files", b"x", kind="multipart/form-data; boundary=b")
        client.body_parts = [b"a", None]
        worker.rooms.transport = Taking()
        await worker.parts.port(client.scope, client.receive, client.send)
        (row,) = worker.rows()
        assert (row["outcome"], row["code"]) == ("cancelled", "invalid_request")
        assert await worker.standing() == (0, 0)


async def test_an_answer_that_breaks_off_is_told_so(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        await made(worker)
        broken = Answer(b"half", UpstreamFailed("reset", "x", sent=True), headers=[(b"content-type", b"text/plain")])
        client = await worker.call(asked("GET", "/files/file-1/content"), broken)
        assert client.sent[-1]["more_body"]  # never finished: the server cuts the connection
        assert worker.rows()[-1]["outcome"] == "truncated"


async def test_what_is_shared_is_passed_on_whoever_made_it(tmp_path: Path) -> None:
    text = config("provider_state: shared, passthrough: true", "limits: {unbounded_ceiling_usd: 0.5}")
    with one_worker(tmp_path, text) as worker:
        for method, path in (
            ("GET", "/files/never-seen"),
            ("GET", "/files"),
            ("GET", "/organization/users?a[]=1"),
            ("DELETE", "/models/ft:m"),
            ("POST", "/brand/new"),
        ):
            answer = Answer(b'{"data": [{"id": "x"}], "has_more": true}', status=201, headers=JSON_HEADERS)
            client = await worker.call(asked(method, path), answer)
            assert (client.status, client.text) == (201, b'{"data": [{"id": "x"}], "has_more": true}'), path
        # Nobody knows what the new one costs, so it is billed at what was held for it.
        assert [row["cost_usd"] for row in worker.rows()] == ["0.000000000"] * 4 + ["0.500000000"]
        assert await worker.standing() == (500_000_000, 0)


async def test_one_account_is_not_shared_once_there_is_a_second_org(tmp_path: Path) -> None:
    with one_worker(tmp_path, config("provider_state: shared")) as worker:
        worker.stores.keys.put_org("beta", cost_center="")
        worker.stores.keys.put_team("beta", "t", cost_center="")
        worker.stores.keys.create_key("beta", "t", "k", KeyTerms())
        worker.parts.configured.reload_state()
        client = await worker.call(asked("GET", "/files/x"))
        assert (client.status, json.loads(client.text)["error"]["code"]) == (400, "capability_missing")


async def test_a_model_may_be_left_to_what_the_provider_keeps_where_all_is_shared(tmp_path: Path) -> None:
    body = json.dumps({"prompt": {"id": "pmpt_1"}, "input": "x"}).encode()
    for shared, status in ((True, 200), (False, 400)):
        folder = tmp_path / str(shared)
        folder.mkdir()
        text = config("provider_state: shared, passthrough: true" if shared else "").replace(
            "hard: true", "hard: false"
        )
        with one_worker(folder, text) as worker:
            client = await worker.call(asked("POST", "/responses", body), told({"id": "resp_1", "status": "completed"}))
            assert client.status == status, client.text
            if shared:
                transport: Any = worker.rooms.transport
                assert transport.seen[0].body == body


async def test_message_batches_are_their_makers_too(tmp_path: Path) -> None:
    with house(tmp_path, two_orgs("dialect: anthropic", "limits: {unbounded_ceiling_usd: 0.25}")) as worker:
        body = {"requests": [{"custom_id": "1", "params": {"model": "m", "max_tokens": 5, "messages": []}}]}
        client = await worker.call(
            asked("POST", "/messages/batches", json.dumps(body).encode()), told({"id": "msgbatch_1"})
        )
        assert (client.status, worker.rooms.transport.seen[0].path) == (200, "/v1/messages/batches")
        theirs = await worker.call(asked("GET", "/messages/batches/msgbatch_1/results", org="beta"))
        assert (theirs.status, json.loads(theirs.text)["error"]["type"]) == (404, "not_found_error")
        mine = await worker.call(asked("GET", "/messages/batches/msgbatch_1/results"), Answer(b"{}\n"))
        assert mine.text == b"{}\n"
        page = {"data": [{"id": "msgbatch_0"}], "has_more": True, "first_id": "msgbatch_0", "last_id": "msgbatch_0"}
        second = {"data": [{"id": "msgbatch_1"}], "has_more": False}
        client = await worker.call(asked("GET", "/messages/batches?limit=5"), told(page), told(second))
        assert [each["id"] for each in json.loads(client.text)["data"]] == ["msgbatch_1"]
        assert worker.rooms.transport.seen[1].query == b"limit=5&after_id=msgbatch_0"
        assert await worker.standing() == (250_000_000, 0)


async def test_rules_decide_by_method_and_path(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "kept.rego").write_text(
        "package flyball.request\n\n"
        'deny contains {"code": "no_lists", "msg": "x"} if { input.method == "GET"; input.path == "/files" }\n'
        'deny contains {"code": "no_runs", "msg": "x"} if input.gate == "none"\n'
    )
    text = two_orgs("passthrough: true", f"policy: {{dir: {rules}}}\nlimits: {{unbounded_ceiling_usd: 1}}")
    with house(tmp_path, text) as worker:
        await made(worker)
        worker.stores.ownership.note([owned("resp_1", "response")])
        for method, path, rule in (
            ("GET", "/files", "no_lists"),
            ("POST", "/threads/runs", "no_runs"),
            ("GET", "/responses/resp_1", "no_runs"),
            ("POST", "/unknown", "no_runs"),
        ):
            client = await worker.call(asked(method, path, b"{}" if method == "POST" else b""))
            said = json.loads(client.text)["error"]
            assert (client.status, said["flyball"]["rule"]) == (403, rule), path
            assert worker.rooms.transport.seen == []
        assert (await worker.call(asked("GET", "/files/file-1"), told({}))).status == 200
        decided = [row["code"] for row in worker.rows("decisions") if row.get("code")]
        assert decided == ["no_lists", "no_runs", "no_runs", "no_runs"]


class Away:
    """Ownership that nobody can ask."""

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any) -> Any:
            raise OwnershipUnavailable("away")

        return fail


async def test_nobody_gets_what_may_be_anothers_while_it_cannot_be_looked_up(tmp_path: Path) -> None:
    with house(tmp_path) as worker:
        await made(worker)
        worker.rooms.ownership = Away()
        client = await worker.call(asked("GET", "/files/file-1"))
        said = json.loads(client.text)["error"]
        assert (client.status, said["code"], said["flyball"]["dependency"]) == (
            503,
            "dependency_unavailable",
            "ownership",
        )
        assert worker.rooms.transport.seen == []
        answer = {"id": "resp_1", "object": "response", "model": "m", "status": "completed"}
        body = json.dumps({"model": "m", "input": "x"}).encode()
        assert (await worker.call(asked("POST", "/responses", body), told(answer))).status == 200
        background = json.dumps({"model": "m", "input": "x", "background": True}).encode()
        await worker.call(asked("POST", "/responses", background), told({"id": "resp_2", "status": "queued"}))
        row = worker.rows()[-1]
        assert (row["endpoint"], row["usage_source"], row["cost_usd"] > "0") == ("responses", "estimated", True)
        assert (await worker.standing())[1] == 0
