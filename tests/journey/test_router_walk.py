"""R20.1, R1.7: a walk over every path of the data port, by every door but the right one; the upstream sees nothing."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import httpx
import pytest

from proxy.edge.anthropic import PATHS as ANTHROPIC_PATHS
from proxy.edge.anthropic import PREFIX as ANTHROPIC_PREFIX
from proxy.edge.openai import PREFIXES
from proxy.wire.anthropic.surface import KEPT as ANTHROPICS_KEPT
from proxy.wire.endpoint import PATHS
from proxy.wire.gemini.paths import METHODS
from proxy.wire.openai.surface import SERVED
from tests.journey.guarded import KEY, UNKNOWN_KEY, Guarded, guarded
from tests.journey.raw_http import Answer, connect, read_answer, request

BROKE: Final = """
budgets: [{name: nothing, scope: "org:acme", window: total, limit_usd: 0, hard: true}]
"""
OF_ANTHROPIC: Final = tuple(f"{prefix}{path}" for prefix in ("", ANTHROPIC_PREFIX) for path in ANTHROPIC_PATHS)
OF_AZURE: Final = tuple(f"/openai/deployments/sim-small{path}" for path in PATHS)
GOVERNED: Final = (*(f"{prefix}{path}" for prefix in PREFIXES for path in PATHS), *OF_ANTHROPIC, *OF_AZURE)
COUNTING: Final = "/count_tokens"
"""What the scene's provider, which speaks another dialect, cannot be asked."""
OWN: Final = ("/models", "/models/sim-small", "/flyball/key", "/flyball/operations/op_0", "/flyball", "/flyball/key/x")
KEPT: Final = tuple(path + rest for path in SERVED for rest in ("", "/x_1", "/x_1/cancel") if path + rest not in PATHS)
NEVER: Final = tuple(
    f"/{name}{rest}" for name in ("audio", "images", "realtime") for rest in ("", "/x_1", "/x_1/cancel")
)
FOREIGN: Final = (
    "/",
    "/v1",
    "/v1/",
    "/openai",
    "/admin/v1/keys",
    "/admin/v1/orgs",
    "/console",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/key/generate",
    "/openai/deployments",
    "/openai/deployments/sim-small",
    "/openai/deployments/sim-small/files",
    "/openai/deployments/sim-small/extensions/chat/completions",
    "/openai/deployments/%0d%0a/chat/completions",
    "/v1/v1/chat/completions",
    "/.env",
    "/anthropic",
    "/anthropic/v1/models",
    "/anthropic/v1/complete",
    "/v1/messages/batches",
    "/v1/messages/batches/msgbatch_1/results",
    "/sim/seen",
    "/v1/sim/script",
)
GOOGLES: Final = tuple(
    f"{prefix}/models/sim-small:{method}"
    for prefix in ("/v1beta", "/gemini/v1", "/v1/projects/p/locations/l/publishers/google")
    for method in METHODS
)
"""No provider speaks their dialect here; tests/conformance/test_google.py walks them where one does."""
PATHS_WALKED: Final = (
    *GOOGLES,
    *GOVERNED,
    *(f"{prefix}{path}" for prefix in PREFIXES for path in (*OWN, *KEPT, *NEVER)),
    *FOREIGN,
)
FORMS: Final = ("/images/edits", "/images/variations", "/audio/transcriptions", "/audio/translations")
NOT_SERVED: Final = ("path_not_found", "method_not_allowed")
CARRIED: Final = frozenset(
    [f"{prefix}{path}" for prefix in PREFIXES for path in (*SERVED, "/fine_tuning")]
    + [f"{prefix}{path}" for prefix in ("", ANTHROPIC_PREFIX) for path in ANTHROPICS_KEPT]
)
BARRED: Final = {
    (402, "budget_exceeded"),
    (404, "not_found"),
    (400, "capability_missing"),
    (400, "invalid_request"),
}
"""How a carried call ends without money: there is none, the object is nobody's, its price has no bound, or it is a
batch that names no file."""
VARIANTS: Final[dict[str, Callable[[str], str]]] = {
    "as it is": lambda path: path,
    "double slash before": lambda path: "/" + path,
    "double slashes within": lambda path: path.replace("/", "//"),
    "slash behind": lambda path: path + "/",
    "dots before": lambda path: "/x/.." + path,
    "dot before": lambda path: "/." + path,
    "dots behind": lambda path: path + "/../../..",
    "admin behind dots": lambda path: path + "/../../../admin/v1/keys",
    "encoded dots": lambda path: path + "/%2e%2e/%2e%2e/admin/v1/keys",
    "encoded slashes": lambda path: "/" + path[1:].replace("/", "%2f"),
    "one encoded letter": lambda path: path[:-1] + f"%{ord(path[-1]):02x}",
    "encoded twice": lambda path: path[:-1] + f"%25{ord(path[-1]):02x}",
    "capitals": str.upper,
    "semicolon": lambda path: path + ";x=/healthz",
    "encoded NUL": lambda path: path + "%00",
    "encoded line feed": lambda path: path + "%0d%0aHost:%20x",
    "encoded question mark": lambda path: path + "%3fkey=x",
    "health in the query": lambda path: path + "?path=/healthz",
    "backslashes": lambda path: path.replace("/", "\\").replace("\\", "/", 1),
    "absolute": lambda path: "http://evil.example" + path,
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("walk"), BROKE) as running:
        yield running


@pytest.fixture(scope="module")
def revoked(scene: Guarded) -> str:
    scene.flyball.admin("PUT", "/admin/v1/orgs/gone", {})
    scene.flyball.admin("PUT", "/admin/v1/teams/gone/gone", {})
    made = scene.flyball.admin("POST", "/admin/v1/keys", {"org": "gone", "team": "gone", "name": "gone"})
    scene.flyball.admin("POST", "/admin/v1/keys/gone/gone/gone/revoke", {})
    secret: str = made["secret"]
    return secret


@pytest.fixture(autouse=True)
def nothing_happens(scene: Guarded) -> Iterator[None]:
    with scene.untouched():
        yield


def walk(scene: Guarded, *, key: str | None, host: str = "localhost") -> Iterator[tuple[str, Answer]]:
    """Every path in every variant, by POST with a body that would be served; targets and answers."""
    connection = connect(scene.flyball.data)
    try:
        for path in PATHS_WALKED:
            for vary in VARIANTS.values():
                target = vary(path)
                if not target.startswith(("/", "http")):
                    continue  # no target at all; test_bad_input_http has those
                sent = request(body_of(path), target=target, key=key, host=host, headers=headers_of(path))
                connection.sendall(sent)
                answer = read_answer(connection)
                assert answer is not None, target
                yield target, answer
                if answer.headers.get("connection") == "close":
                    connection.close()
                    connection = connect(scene.flyball.data)
    finally:
        connection.close()


def body_of(path: str) -> bytes:
    """A request that the endpoint at this path would take."""
    asked: dict[str, object] = {"model": "sim-small", "messages": [{"role": "user", "content": "Hello"}]}
    if path.endswith("/messages"):
        asked["max_tokens"] = 100
    elif path.endswith("/embeddings"):
        asked = {"model": "sim-embed", "input": "Hello"}
    elif path.endswith("/responses"):
        asked = {"model": "sim-small", "input": "Hello"}
    elif path.endswith(FORMS):
        parts = [("model", "sim-small"), ("prompt", "Hello"), ('file"; filename="a', "x"), ('image"; filename="b', "x")]
        heads = [f'--X\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts]
        return "".join([*heads, "--X--\r\n"]).encode()
    elif "/images" in path or path.endswith(("/moderations", "/audio/speech")):
        asked = {"model": "sim-small", "prompt": "Hello", "input": "Hello"}
    elif path.endswith("/completions") and not path.endswith("/chat/completions"):
        asked = {"model": "sim-small", "prompt": "Hello"}
    return json.dumps(asked).encode()


def headers_of(path: str) -> tuple[tuple[str, str], ...]:
    """What says that a body is a form."""
    return (("content-type", "multipart/form-data; boundary=X"),) if path.endswith(FORMS) else ()


@pytest.mark.parametrize("who", ["nobody", "a stranger", "revoked"])
def test_no_path_opens_without_a_valid_key(scene: Guarded, revoked: str, who: str) -> None:
    key = {"nobody": None, "a stranger": UNKNOWN_KEY, "revoked": revoked}[who]
    for target, answer in walk(scene, key=key):
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key"), (target, answer)


def test_no_path_opens_under_an_odd_host(scene: Guarded) -> None:
    for host in ("x/#@evil.example", "localhost/healthz?"):
        for target, answer in walk(scene, key=KEY, host=host):
            assert (answer.status, answer.error["param"]) == (400, "host"), (target, answer)


def test_with_a_valid_key_only_the_written_paths_are_served(scene: Guarded) -> None:
    """Everything that is not letter by letter a path of ours is 404; what is costs money that is not there."""
    statuses: Counter[int] = Counter()
    for target, answer in walk(scene, key=KEY):
        statuses[answer.status] += 1
        path = target.removeprefix("http://evil.example").partition("?")[0]
        if path in GOVERNED and path.endswith(COUNTING):
            assert (answer.status, answer.error["code"]) == (400, "capability_missing"), (target, answer)
        elif path in GOVERNED:
            assert (answer.status, answer.error["code"]) == (402, "budget_exceeded"), (target, answer)
        elif path in GOOGLES:
            assert (answer.status, answer.error["code"]) == (400, "capability_missing"), (target, answer)
        elif (answer.status, answer.error["code"]) in BARRED:
            assert any(path == each or path.startswith(each + "/") for each in CARRIED), (target, answer)
        else:
            assert answer.status in (404, 405), (target, answer)
            assert answer.error["code"] in NOT_SERVED, (target, answer)
    assert statuses[402] >= len(GOVERNED) * 3  # as it is, with a query, absolute


@pytest.mark.parametrize("path", [path for path in GOVERNED if not path.endswith(COUNTING)])
@pytest.mark.parametrize("streamed", [False, True])
def test_every_governed_endpoint_is_refused_at_zero_budget(scene: Guarded, path: str, streamed: bool) -> None:
    body = body_of(path) if path.endswith(FORMS) else json.loads(body_of(path)) | {"stream": streamed}
    answer = scene.post(body, target=path, headers=headers_of(path))
    error = scene.refused(answer, 402, "budget_exceeded")
    assert error["type"] == ("billing_error" if path in OF_ANTHROPIC else "insufficient_quota")
    assert error["flyball"]["limit_usd"] == "0.00"
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers


def test_a_keys_own_pages_are_read_only_and_ask_no_upstream(scene: Guarded) -> None:
    for path in ("/v1/models", "/models", "/openai/v1/models/sim-small", "/v1/flyball/key"):
        assert scene.ask(request(method="GET", target=path, key=KEY)).status == 200
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            answer = scene.ask(request(method=method, target=path, key=KEY))
            scene.turned_away(answer, 405, "method_not_allowed")
            assert answer.headers["allow"] == "GET"


def test_an_operation_is_shown_to_its_own_key_only(scene: Guarded) -> None:
    for name in ("op_0", "op_" + "0" * 32, "op_" + "f" * 32, "op_'%20OR%201=1", "../key", "x" * 5000, "op_%00"):
        answer = scene.ask(request(method="GET", target="/v1/flyball/operations/" + name, key=KEY))
        scene.turned_away(answer, 404, "not_found")


def test_health_never_reaches_a_provider(scene: Guarded) -> None:
    """R19.5, shortened: what answers a thousand probes without a provider answers any number."""
    began = time.monotonic()
    with httpx.Client(base_url=scene.flyball.data) as client:
        for _ in range(500):
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").status_code == 200
    assert time.monotonic() - began < 20
    with httpx.Client(base_url=scene.flyball.data) as client:
        for method in ("POST", "PUT", "DELETE"):
            assert client.request(method, "/healthz", content=b"x").status_code in (200, 405)
    with scene.untouched():
        assert httpx.get(scene.flyball.admin_url + "/healthz").status_code == 200
        assert httpx.get(scene.flyball.admin_url + "/metrics").status_code == 200


def test_odd_hosts_do_not_hide_behind_health(scene: Guarded) -> None:
    for target in ("/healthz/../v1/models", "/healthz%2f..%2fv1/models", "/healthz/", "//healthz", "/healthz;x"):
        answer = scene.ask(request(method="GET", target=target))
        scene.turned_away(answer, 401, "invalid_api_key")


def test_each_refused_call_left_its_row(scene: Guarded) -> None:
    # Not just as many rows: the calls of other tests left theirs too.
    named = ", ".join(f"'{operation}'" for operation in scene.expected)
    rows = scene.flyball.wait_for_rows(len(scene.expected), where=f"operation_id IN ({named})")
    assert scene.expected.keys() == {row["operation_id"] for row in rows}
    assert {row["code"] for row in rows} == {"budget_exceeded"}
    assert {(row["outcome"], row["status"], row["attempts"]) for row in rows} == {("refused", 402, 0)}
    (budget,) = scene.flyball.admin("GET", "/admin/v1/budgets")["data"]
    assert (budget["held_nano"], budget["spent_nano"]) == (0, 0)
