"""Strings that must not turn up, every place where they could, and who may have them."""

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from tests.harness.flyball import Flyball

CLIENT_KEY: Final = "fb-canary-client-key-2f6c9d41a7b8"
WRONG_KEY: Final = "fb-canary-wrong-key-77aa01c3d9e2"
PROVIDER_KEY: Final = "sk-canary-provider-key-0b51e77f92"
WRONG_ADMIN: Final = "fba-canary-wrong-admin-5d20b7ee13"
BROUGHT_KEY: Final = "bk-canary-brought-key-c0ffee19d4"
PROMPT: Final = "canary-prompt-9e107d9d372b"
TOOL: Final = "canary-tool-argument-6bd826819e"
PROMPT_MAIL: Final = "canary.in.prompt@example.org"
USER_MAIL: Final = "canary.end.user@example.org"
COOKIE: Final = "canary-cookie-a3cca2b2aa1e"
ODD_HEADER: Final = "canary-odd-header-3b6d4b9b2f"
PROXY_AUTH: Final = "canary-proxy-authorization-81"
FOREIGN_AUTH: Final = "sk-canary-foreign-authorization-4"
QUERY: Final = "canary-query-e4d909c290d0"
ANSWER: Final = "canary-answer-0cc175b9c0f1"

SECRETS: Final = (
    *(CLIENT_KEY, WRONG_KEY, PROVIDER_KEY, WRONG_ADMIN, BROUGHT_KEY),
    *(COOKIE, ODD_HEADER, PROXY_AUTH, FOREIGN_AUTH),
)
TEXTS: Final = (PROMPT, TOOL, PROMPT_MAIL, QUERY, ANSWER)
NOWHERE: Final = (*SECRETS, *TEXTS)

FOREIGN_HEADERS: Final = (
    ("cookie", f"session={COOKIE}"),
    ("x-secret", ODD_HEADER),
    ("x-forwarded-for", ODD_HEADER),
    ("referer", f"https://example.org/{ODD_HEADER}"),
    ("proxy-authorization", f"Basic {PROXY_AUTH}"),
    ("authorization", f"Bearer {FOREIGN_AUTH}"),
)


def found_in(sink: bytes, wanted: tuple[str, ...] = NOWHERE) -> list[str]:
    """The canaries that stand in these bytes, as they are or escaped as in JSON or a URL."""
    return [canary for canary in wanted if canary.encode() in sink or canary.replace("@", "%40").encode() in sink]


def processes(flyball: Flyball) -> Iterator[tuple[str, bytes]]:
    """Command lines of Flyball's processes: everybody on the machine can read them."""
    for role in ("worker", "collector", "admin"):
        for pid in flyball.pids(role):
            yield f"command line of {role}", Path(f"/proc/{pid}/cmdline").read_bytes()


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file under a folder; one that is gone by the time it is read has nothing to tell."""
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file():
                yield str(path.relative_to(folder)), path.read_bytes()
        except OSError:
            continue


def tables(flyball: Flyball) -> Iterator[tuple[str, bytes]]:
    """Every stored row of ClickHouse, its own logs included, as text."""
    named = flyball.query(
        "SELECT database, name FROM system.tables WHERE (engine LIKE '%MergeTree%' OR name LIKE '%log%'"
        " OR name IN ('errors', 'processes', 'settings', 'query_cache')) AND lower(database) != 'information_schema'"
    )
    assert {"operations", "attempts", "decisions"} <= {table["name"] for table in named}
    for table in named:
        rows = flyball.query(f"SELECT * FROM {table['database']}.{table['name']}")
        yield f"table {table['database']}.{table['name']}", json.dumps(rows, ensure_ascii=False).encode()


def decisions(flyball: Flyball) -> list[str]:
    """Some decisions of policy, those on tool calls first."""
    rows = flyball.query("SELECT decision_id FROM decisions ORDER BY tool = '', decision_id LIMIT 20")
    return [row["decision_id"] for row in rows]


def admin_answers(flyball: Flyball, operations: list[str]) -> Iterator[tuple[str, bytes]]:
    """Every reading call of the admin API, and the metrics."""
    client = httpx.Client(
        base_url=flyball.admin_url, headers={"authorization": f"Bearer {flyball.secret('admin-token')}"}, timeout=30
    )
    document = client.get("/admin/v1/openapi.json").json()
    plain = [path for path, verbs in document["paths"].items() if "get" in verbs and "{" not in path]
    paths = [path if path.startswith("/admin/v1") else "/admin/v1" + path for path in plain]
    paths += [f"/admin/v1/operations/{operation}" for operation in operations]
    paths += [f"/admin/v1/decisions/{decision}" for decision in decisions(flyball)]
    for path in (*paths, "/metrics"):
        answer = client.get(path)
        yield f"GET {path}", answer.content
    client.close()


def console_pages(flyball: Flyball, operations: list[str]) -> Iterator[tuple[str, bytes]]:
    """The console, as the bootstrap owner sees it."""
    link = flyball.admin("POST", "/admin/v1/console/links")["path"]
    with httpx.Client(base_url=flyball.admin_url, follow_redirects=True, timeout=30) as client:
        assert client.get(link).status_code == 200
        paths = ["/console/spend", "/console/operations", *(f"/console/operations/{name}" for name in operations)]
        paths += ["/console/decisions", *(f"/console/decisions/{name}" for name in decisions(flyball))]
        for path in paths:
            answer = client.get(path)
            assert answer.status_code == 200, path
            yield f"GET {path}", answer.content


class _Echo(socketserver.BaseRequestHandler):
    """Answers with what it was sent, as no HTTP at all."""

    def handle(self) -> None:
        self.request.settimeout(2)
        try:
            heard = self.request.recv(65_536)
            self.request.sendall(heard + b"\r\n\r\n")
        except OSError:
            return


@contextmanager
def echo() -> Iterator[str]:
    """A provider whose answers are the requests."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join(5)


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def body(endpoint: str, model: str, **more: Any) -> dict[str, Any]:
    """A request full of canaries."""
    words = f"Write to {PROMPT_MAIL} about {PROMPT}."
    asked: dict[str, Any] = {"model": model, "user": USER_MAIL, **more}
    if endpoint == "/embeddings":
        return {**asked, "input": words}
    if endpoint == "/completions":
        return {**asked, "prompt": words}
    tool = {"type": "function", "name": "mail", "description": PROMPT, "parameters": {"enum": [TOOL]}}
    if endpoint == "/responses":
        return {**asked, "input": words, "instructions": PROMPT, "tools": [tool]}
    call = {"id": "c1", "type": "function", "function": {"name": "mail", "arguments": json.dumps({"to": TOOL})}}
    messages = [
        {"role": "system", "content": PROMPT},
        {"role": "user", "content": [{"type": "text", "text": words}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": TOOL},
    ]
    function = {name: value for name, value in tool.items() if name != "type"}
    return {**asked, "messages": messages, "tools": [{"type": "function", "function": function}]}
