"""A real Flyball before a real provider: what arrives there, and that what was found is nowhere else."""

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.harness.flyball import Flyball

pytestmark = pytest.mark.timeout(180)
MAIL: Final = "bob.canary@example.com"
CARD: Final = "4111 1111 1111 1111"
KEY: Final = "sk-proj-Zq7Lw2Xv9Tb4Rk8Mn3Pc6Hd5Gf1Js0"
RULES: Final = """package flyball.request

obligations contains {"type": "redact", "kinds": ["pii"]}

deny contains {"code": "secret_in_prompt", "msg": "A key is in the prompt."} if {
	some finding in input.findings
	finding.category == "secret"
}
"""
ANSWER: Final = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10}}'
)


@contextmanager
def provider(seen: list[bytes]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join(10)


def config(url: str) -> str:
    return f"""
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}}
providers: {{up: {{base_url: "{url}"}}}}
routes: [{{model: m, targets: [{{provider: up}}]}}]
policy: {{dir: rules}}
"""


def asked(flyball: Flyball, content: bytes) -> tuple[bytes, httpx.Response]:
    body = b'{"messages": [{"role":"user", "content":%b}] ,"model":"m", "max_tokens":5, "x":[1.50,"%b"]}'
    headers = {"authorization": f"Bearer {flyball.secret('first-key')}", "content-type": "application/json"}
    whole = body % (content, b"\\u00e9")
    return whole, httpx.post(f"{flyball.data}/v1/chat/completions", content=whole, headers=headers, timeout=60)


def counted(flyball: Flyball, line: str) -> str:
    """The metrics, once that line is there; workers tell theirs every second."""
    deadline = time.monotonic() + 60
    while line not in (metrics := httpx.get(f"{flyball.admin_url}/metrics", timeout=30).text):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return metrics


def test_the_provider_gets_the_request_without_what_was_found_and_nobody_else_gets_that(tmp_path: Path) -> None:
    seen: list[bytes] = []
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.rego").write_text(RULES)
    with provider(seen) as url, Flyball(tmp_path, config(url)) as flyball:
        found = f'"I am {MAIL} \\ud83d\\ude00 and pay by {CARD}\\n"'.encode()
        body, answer = asked(flyball, found)
        assert answer.status_code == 200
        assert answer.headers["x-flyball-reason"] == "redacted by policy: card 1, email 1"
        assert seen == [body.replace(MAIL.encode(), b"[EMAIL]").replace(CARD.encode(), b"[CARD]")]
        _, refused = asked(flyball, json.dumps(f"use {KEY}").encode())
        assert (refused.status_code, refused.json()["error"]["flyball"]["rule"]) == (403, "secret_in_prompt")
        rows = flyball.wait_for_rows(2)
        assert {row["reason"] for row in rows} >= {"redacted by policy: card 1, email 1"}
        decisions = flyball.wait_for_rows(2, "decisions")
        kept = [json.loads(row["input"])["findings"] for row in decisions]
        assert sorted(finding["kind"] for findings in kept for finding in findings) == ["card", "email", "openai_key"]
        metrics = counted(flyball, 'flyball_findings_total{kind="email"} 1')
        told = [metrics, answer.text, refused.text, json.dumps(rows), json.dumps(decisions)]
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".rego"]
    for canary in (MAIL, CARD, CARD.replace(" ", ""), KEY):
        assert not any(canary in text for text in told)
        assert not any(canary.encode() in content for content in files)
    assert len(seen) == 1
