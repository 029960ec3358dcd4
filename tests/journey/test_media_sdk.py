"""The openai package's images, audio and moderations, through a running Flyball and directly, compared."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import openai
import pytest

from tests.harness.flyball import Flyball
from tests.harness.openai_client import all_of, done

KEY: Final = "fb-media-key-0123456789-abcdefghij"
POOR: Final = "fb-media-poor-0123456789-abcdefghi"
PRICES: Final = """
models:
  painter: {input_usd_per_mtok: 0, output_usd_per_mtok: 0, image_usd: {any: 0.04}}
  reader: {input_usd_per_mtok: 0, output_usd_per_mtok: 0, character_usd_per_million: 15}
  writer: {input_usd_per_mtok: 0, output_usd_per_mtok: 0, second_usd: 0.0001}
"""
CONFIG: Final = """
server: {{listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0", workers: 1}}
providers: {{up: {{base_url: "{url}", profile: openai}}}}
prices: {{overlay: prices.yaml}}
routes: [{{model: "*", targets: [{{provider: up}}]}}]
tenants:
  - {{org: acme, teams: [{{team: t, keys: [{{name: bot, key_env: BOT}}]}}]}}
  - {{org: poor, teams: [{{team: t, keys: [{{name: bot, key_env: POOR}}]}}]}}
budgets:
  - {{name: all, scope: "org:acme", window: total, limit_usd: 100}}
  - {{name: poor, scope: "org:poor", window: total, limit_usd: "0.085"}}
"""
IMAGE: Final = {"created": 1, "data": [{"b64_json": "aGk="}]}
IMAGE_EVENTS: Final = (
    b'event: image_generation.partial_image\ndata: {"type":"image_generation.partial_image","b64_json":"aGk="}\n\n'
    b'event: image_generation.completed\ndata: {"type":"image_generation.completed","b64_json":"aGk="}\n\n'
)
TEXT: Final = {"text": "Hi", "usage": {"type": "duration", "seconds": 9}}
TEXT_EVENTS: Final = (
    b'data: {"type":"transcript.text.delta","delta":"Hi"}\n\n'
    b'data: {"type":"transcript.text.done","text":"Hi","usage":{"type":"duration","seconds":3}}\n\n'
)
MODERATION: Final = {"id": "modr-1", "model": "omni-moderation-latest", "results": []}
SOUND: Final = b"ID3" + bytes(range(256)) * 400
JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"


class Upstream(ThreadingHTTPServer):
    """Answers each path as it was written above, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, bytes]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer it."""
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Upstream)
        self.server.seen.append((self.path, str(self.headers["content-type"]), body))
        kind, answer = _answer(self.path, body)
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def _answer(path: str, body: bytes) -> tuple[str, bytes]:
    streamed = b'"stream":true' in body or b'name="stream"\r\n\r\ntrue' in body
    if path.endswith("/audio/speech"):
        return "audio/mpeg", SOUND
    if path.endswith("/moderations"):
        return JSON, json.dumps(MODERATION).encode()
    if "/images/" in path:
        return (EVENTS, IMAGE_EVENTS) if streamed else (JSON, json.dumps(IMAGE).encode())
    return (EVENTS, TEXT_EVENTS) if streamed else (JSON, json.dumps(TEXT).encode())


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="module")
def flyball(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyball]:
    folder: Path = tmp_path_factory.mktemp("media")
    (folder / "prices.yaml").write_text(PRICES)
    with Flyball(folder, CONFIG.format(url=upstream.url), {"BOT": KEY, "POOR": POOR}) as running:
        yield running


PNG: Final = ("a.png", b"\x89PNG\r\n--x\r\n", "image/png")
WAV: Final = ("a.wav", b"RIFF" + bytes(7496), "audio/wav")


async def _plain(call: Any) -> Any:
    return (await done(call)).to_dict()


async def _events(call: Any) -> Any:
    return [event.to_dict() for event in await all_of(call)]


async def _bytes(call: Any) -> Any:
    return (await done(call)).content


CALLS: Final[dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], int]]] = {
    "generate": (lambda c: c.images.generate(model="painter", prompt="A cat", n=1), _plain, 40_000_000),
    "generate, streamed": (
        lambda c: c.images.generate(model="painter", prompt="A cat", stream=True, partial_images=1),
        _events,
        40_000_000,
    ),
    "edit": (lambda c: c.images.edit(model="painter", image=[PNG, PNG], prompt="A dog"), _plain, 40_000_000),
    "variation": (lambda c: c.images.create_variation(model="painter", image=PNG), _plain, 40_000_000),
    "speech": (lambda c: c.audio.speech.create(model="reader", voice="alloy", input="Grüß Gott"), _bytes, 135_000),
    "transcription": (lambda c: c.audio.transcriptions.create(model="writer", file=WAV), _plain, 900_000),
    "transcription, streamed": (
        lambda c: c.audio.transcriptions.create(model="writer", file=WAV, stream=True),
        _events,
        300_000,
    ),
    "translation": (lambda c: c.audio.translations.create(model="writer", file=WAV), _plain, 900_000),
    "moderation": (lambda c: c.moderations.create(input="Hello"), _plain, 0),
}


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # variations
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_each_method_gets_what_it_gets_directly_and_is_billed(
    flyball: Flyball, upstream: Upstream, asynchronous: bool
) -> None:
    kind: Any = openai.AsyncOpenAI if asynchronous else openai.OpenAI
    run = f"media-{asynchronous}"
    through = kind(base_url=flyball.data + "/v1", api_key=KEY, default_headers={"x-flyball-run": run})
    directly = kind(base_url=upstream.url, api_key="none")
    for name, (call, read, _) in CALLS.items():
        told = [await read(call(client)) for client in (through, directly)]
        assert told[0] == told[1], name
        (path, form, body), (wanted_path, wanted_form, wanted_body) = upstream.seen[-2:]
        assert path == wanted_path
        assert _without_boundary(form, body) == _without_boundary(wanted_form, wanted_body), name
    rows = flyball.wait_for_rows(len(CALLS), where=f"run = '{run}'")
    costs = sorted(round(float(row["cost_usd"]) * 1e9) for row in rows)
    assert costs == sorted(nano for _, _, nano in CALLS.values())
    assert {row["outcome"] for row in rows} == {"ok"}


def _without_boundary(form: str, body: bytes) -> tuple[str, bytes]:
    """Each form has a boundary of its own."""
    kind, _, boundary = form.partition("boundary=")
    return kind, body.replace(boundary.encode(), b"-") if boundary else body


def test_money_for_two_images_serves_two(flyball: Flyball) -> None:
    client = openai.OpenAI(base_url=flyball.data + "/v1", api_key=POOR, max_retries=2)
    served = 0
    with pytest.raises(openai.APIStatusError) as refused:
        for _ in range(5):
            client.images.generate(model="painter", prompt="A cat")
            served += 1
    assert (served, refused.value.status_code) == (2, 402)
