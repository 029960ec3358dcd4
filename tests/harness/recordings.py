"""The recorded exchanges of served dialects, as a scripted upstream can serve them and a client can repeat them."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from proxy.edge.anthropic import PATHS as ANTHROPIC_PATHS
from proxy.wire.endpoint import PATHS, Endpoint

REPOSITORY: Final = Path(__file__).resolve().parents[2]
RECORDINGS: Final = Path(os.environ.get("FLYBALL_RECORDINGS", REPOSITORY.parent / "shared" / "recordings"))

ENDS: Final[Mapping[str, Endpoint]] = {**PATHS, **ANTHROPIC_PATHS}
"""How the paths of governed endpoints end."""
PROFILE_OF: Final[Mapping[str, str]] = {
    "anthropic": "anthropic",
    "azure": "azure",
    "bedrock-mantle": "bedrock-mantle",
    "deepseek": "deepseek",
    "gemini": "gemini",
    "groq": "groq",
    "huggingface": "huggingface",
    "localhost:8000": "vllm",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "together": "together",
    "zai": "zai",
}
"""Recorded provider → profile. Providers that are not here speak another dialect only (Ollama's own, …)."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One exchange. `base_path` and `query` are the provider's, `path` follows its base URL.

    `request` is the body as JSON, with a model added where the provider takes it from the path; `body` is what the
    provider sent, inflated, and `gzipped` says that it came compressed.
    """

    name: str
    provider: str
    endpoint: Endpoint
    base_path: str
    path: str
    query: Mapping[str, str]
    request: Mapping[str, Any]
    status: int
    headers: Mapping[str, str]
    body: bytes
    gzipped: bool
    usage: Mapping[str, Any] | None

    @property
    def profile(self) -> str:
        """The name of the provider's profile."""
        return PROFILE_OF[self.provider]

    @property
    def model(self) -> str:
        """The model as the provider is asked for it."""
        return str(self.request["model"])

    @property
    def dialect(self) -> str:
        """The dialect that it is in."""
        return self.endpoint.dialect

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of events."""
        return any(line.startswith(b"data:") for line in self.body.splitlines()[:4])

    @property
    def streamed(self) -> bool:
        """Whether the client asked for a stream."""
        return self.request.get("stream") is True

    @property
    def asked_for_usage(self) -> bool:
        """Whether the client asked the stream for its usage."""
        return (self.request.get("stream_options") or {}).get("include_usage") is True


@cache
def recordings() -> tuple[Recording, ...]:
    """Every recorded exchange with a served endpoint, in the files' order; none when there are no files."""
    return tuple(_read())


def told_when_absent(found: int) -> None:
    """Absent recordings are told, and are a failure where CI runs."""
    if not found:
        print(f"not run: no recordings in {RECORDINGS}")  # noqa: T201  said to whoever runs the tests
        assert "CI" not in os.environ


def _read() -> Iterator[Recording]:
    for file in sorted(RECORDINGS.glob("*__*.json")):
        for number, exchange in enumerate(json.loads(file.read_text())["interactions"]):
            url = urlsplit(exchange["url"])
            found = _split(url.path)
            if exchange["provider"] in PROFILE_OF and found is not None and not _names_files(exchange):
                base_path, path = found
                # "openai__0453a4__test_…" → "openai-0453a4-0"
                name = "-".join([*file.stem.split("__")[:2], str(number)])
                yield _recording(name, exchange, base_path, path, dict(parse_qsl(url.query)))


def _names_files(exchange: dict[str, Any]) -> bool:
    """Whether it leans on files at the provider, which are nobody's here."""
    return exchange["provider"] == "anthropic" and '"file_id"' in json.dumps(exchange["request_json"])


def _split(path: str) -> tuple[str, str] | None:
    """A URL's path as base path and path under it; the longest endpoint that fits."""
    for end in sorted(ENDS, key=len, reverse=True):
        if path.endswith(end):
            return path.removesuffix(end), end
    return None


def _recording(name: str, exchange: dict[str, Any], base_path: str, path: str, query: dict[str, str]) -> Recording:
    # Azure's clients may name a deployment in the path only.
    request = dict(exchange["request_json"] or {})
    request.setdefault("model", base_path.rpartition("/")[2])
    headers = {key.lower(): value for key, value in exchange["response_headers"].items()}
    usages = [_usage(each) for each in exchange["usage_objects"]]
    if exchange["provider"] == "anthropic":
        usages = usages and [{name: told for each in usages for name, told in each.items() if told is not None}]
    return Recording(
        name=name.replace("_", "-"),
        provider=exchange["provider"],
        endpoint=ENDS[path],
        base_path=base_path,
        path=path,
        query=query,
        request=request,
        status=exchange["status"],
        headers=headers,
        body=exchange["body"]["text"].encode(),
        gzipped=headers.get("content-encoding") == "gzip",
        usage=usages[-1] if usages else None,
    )


def _usage(told: dict[str, Any]) -> dict[str, Any]:
    inner = told.get("usage", told)
    return inner if isinstance(inner, dict) else told
