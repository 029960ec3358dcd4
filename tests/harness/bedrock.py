"""The recorded exchanges with AWS Bedrock, and a check of signatures that shares nothing with the signer's."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from tests.harness.recordings import RECORDINGS
from tests.harness.replaying import Asked

EVENTSTREAM: Final = "application/vnd.amazon.eventstream"


@dataclass(frozen=True, kw_only=True)
class BedrockRecording:
    """One exchange: `path` as it was asked for, `request` the client's body, `body` what AWS sent."""

    name: str
    path: str
    request: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes
    usages: tuple[Mapping[str, Any], ...]

    @property
    def model(self) -> str:
        """The model in the path, decoded."""
        return unquote(self.path.split("/")[2])

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of frames."""
        return self.status == 200 and "stream" in self.path


@cache
def bedrock_recordings() -> tuple[BedrockRecording, ...]:
    """Every recorded exchange with Bedrock's own API; none when there are no files."""
    return tuple(_read())


def _read() -> Iterator[BedrockRecording]:
    for file in sorted(RECORDINGS.glob("bedrock__*.json")):
        for number, exchange in enumerate(json.loads(file.read_text())["interactions"]):
            headers = {name.lower(): value for name, value in exchange["response_headers"].items()}
            body = exchange["body"]
            recording = BedrockRecording(
                name="-".join([*file.stem.split("__")[:2], str(number)]),
                path=urlsplit(exchange["url"]).path,
                request=json.dumps(exchange["request_json"] or {}, separators=(",", ":")).encode(),
                status=exchange["status"],
                headers=headers,
                body=body["text"].encode() if "text" in body else base64.b64decode(body["base64"]),
                usages=tuple(exchange["usage_objects"] or ()),
            )
            # Two recorded streams have lost their headers: AWS always tells the type.
            headers.setdefault("content-type", EVENTSTREAM if recording.is_stream else "application/json")
            yield recording


def signature_of(asked: Asked, *, secret: str, region: str) -> str:
    """The signature that AWS would compute over a request as it came ("Create a signed AWS API request")."""
    _, _, told = (asked.header("authorization") or "").partition(" ")
    parts = dict(each.strip().split("=", 1) for each in told.split(","))
    moment, signed = asked.header("x-amz-date") or "", parts["SignedHeaders"].split(";")
    path, _, query = asked.target.partition("?")
    canonical = "\n".join(
        (
            asked.method,
            quote(path, safe="/~"),
            "&".join(sorted(query.split("&"))) if query else "",
            *(f"{name}:{' '.join((asked.header(name) or '').split())}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(asked.body).hexdigest(),
        )
    )
    scope = f"{moment[:8]}/{region}/bedrock/aws4_request"
    assert parts["Credential"].partition("/")[2] == scope
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for each in scope.split("/"):
        key = hmac.new(key, each.encode(), hashlib.sha256).digest()
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashed))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def told_signature(asked: Asked) -> str:
    """The signature that a request carries."""
    return (asked.header("authorization") or "").rpartition("Signature=")[2]
