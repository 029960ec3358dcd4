"""A policy that denies everything: no path of any dialect reaches a provider, though one of its kind is behind it."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, NamedTuple

import pytest
import pytest_asyncio

from proxy.edge.anthropic import PATHS as ANTHROPICS
from proxy.edge.anthropic import PREFIX as ANTHROPIC_PREFIX
from proxy.edge.openai import PREFIXES
from proxy.wire.anthropic.surface import KEPT as ANTHROPICS_KEPT
from proxy.wire.bedrock.paths import ACTIONS
from proxy.wire.endpoint import PATHS
from proxy.wire.gemini.paths import METHODS
from proxy.wire.openai.surface import SERVED
from tests.harness.one_worker import Client, OneWorker, config, one_worker

HELLO: Final = [{"role": "user", "content": "Hello"}]
RULES: Final = """package flyball.request
deny contains {"code": "closed", "msg": "Closed."} if true
"""
FORMS: Final = ("/images/edits", "/images/variations", "/audio/transcriptions", "/audio/translations")
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Door(NamedTuple):
    """A path, and what its provider would take there."""

    dialect: str
    path: str
    body: bytes
    kind: str = "application/json"


def _json(dialect: str, path: str, **body: Any) -> Door:
    return Door(dialect, path, json.dumps(body).encode())


def _form() -> bytes:
    parts = [("model", "o"), ("prompt", "Hello"), ('file"; filename="a', "x"), ('image"; filename="b', "x")]
    heads = [f'--X\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts]
    return "".join([*heads, "--X--\r\n"]).encode()


def _of_openai() -> Iterator[Door]:
    asked = {"model": "o", "prompt": "Hello", "input": "Hello", "messages": HELLO}
    wanted = {
        "/chat/completions": ("messages",),
        "/responses": ("input",),
        "/embeddings": ("input",),
        "/audio/speech": ("input", "prompt"),
    }
    for prefix in (*PREFIXES, "/openai/deployments/o", "/openai"):
        for path in PATHS:
            if path in FORMS:
                yield Door("openai", prefix + path, _form(), "multipart/form-data; boundary=X")
            else:
                body = {name: asked[name] for name in ("model", *wanted.get(path, ("prompt", "input")))}
                if path == "/completions":
                    del body["input"]
                yield _json("openai", prefix + path, **body)
        for path in SERVED:
            if (
                path not in PATHS and path != "/batches" and "deployments" not in prefix
            ):  # whose input file somebody must own first
                yield _json("openai", prefix + path, model="o")


def _of_others() -> Iterator[Door]:
    for prefix in ("", ANTHROPIC_PREFIX):
        for path in ANTHROPICS:
            yield _json("anthropic", prefix + path, model="a", max_tokens=5, messages=HELLO)
        for path in ANTHROPICS_KEPT:
            yield _json("anthropic", prefix + path, requests=[])
    content = {"content": {"parts": [{"text": "Hello"}]}}
    for prefix in ("/v1beta", "/gemini/v1", "/v1/projects/p/locations/l/publishers/google"):
        for method in METHODS:
            one = {"model": "models/g", **content}
            body = {"requests": [one]} if method == "batchEmbedContents" else {"contents": [content["content"]]}
            yield _json("gemini", f"{prefix}/models/g:{method}", **(content if method == "embedContent" else body))
    for prefix in ("", "/bedrock"):
        for action in ACTIONS:
            yield _json(
                "bedrock", f"{prefix}/model/b/{action}", messages=[{"role": "user", "content": [{"text": "x"}]}]
            )


DOORS: Final = (*_of_openai(), *_of_others())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OneWorker]:
    folder = tmp_path_factory.mktemp("closed")
    (folder / "rules").mkdir()
    (folder / "rules" / "closed.rego").write_text(RULES)
    named = {"o": "openai", "a": "anthropic", "g": "gemini", "b": "bedrock"}
    providers = ", ".join(
        f'{name}: {{dialect: {name}, base_url: "http://127.0.0.1:9/v1", api_key_env: BOT_KEY}}'
        for name in named.values()
    )
    routes = ", ".join(f"{{model: {model}, targets: [{{provider: {name}}}]}}" for model, name in named.items())
    text = config(more="policy: {dir: rules}\ndefaults: {provider: openai}\nlimits: {unbounded_ceiling_usd: 1}")
    text = text.replace("hard: true", "hard: false").replace("providers: {up:", f"providers: {{{providers}, up:")
    with one_worker(folder, text.replace("routes: [", f"routes: [{routes}, ")) as made:
        yield made
        await made.parts.ledger.close()


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.path)
async def test_no_door_opens_where_everything_is_denied(house: OneWorker, door: Door) -> None:
    headers = [(b"content-type", door.kind.encode())]
    if door.dialect == "anthropic":
        headers.append((b"anthropic-version", b"2023-06-01"))
    before = len(house.rows())
    client = await house.call(Client(door.body, path=door.path, headers=headers))
    assert client.status == 403, client.text
    assert house.rooms.transport.seen == []  # type: ignore[attr-defined] # a scripted one
    told = json.loads(client.text)
    error = {
        "openai": lambda: told["error"]["code"],
        "anthropic": lambda: told["error"]["details"]["error_code"],
        "gemini": lambda: told["error"]["details"][0]["reason"].lower(),
        "bedrock": lambda: told["flyball"]["code"],
    }[door.dialect]()
    assert error == "policy_denied"
    (row,) = house.rows()[before:]
    assert (row["outcome"], row["code"], row["status"], row["decision"]) == (
        "refused",
        "policy_denied",
        403,
        "deny:closed",
    )
    assert row.get("attempts", 0) == 0
    assert await house.standing() == (0, 0)
