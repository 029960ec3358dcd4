"""What the simulated provider was sent, so that a test can look."""

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_SECRET_HEADERS: Final = frozenset({"authorization", "api-key", "x-api-key"})


@dataclass(slots=True)
class SeenRequest:
    """One request as it arrived; `ending` is how the answer ended, `sent_tokens` how much of it was generated."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    body_bytes: int
    status: int = 0
    ending: str = "open"
    sent_tokens: int = 0

    def header(self, name: str) -> str | None:
        """The first value of a header, None when it was not sent."""
        return next((value for held, value in self.headers if held == name), None)

    def as_json(self) -> Mapping[str, object]:
        """For people and scripts; credentials are replaced by a hash of them."""
        shown = [[name, _hashed(value) if name in _SECRET_HEADERS else value] for name, value in self.headers]
        return {
            "method": self.method,
            "path": self.path,
            "headers": shown,
            "body": self.body.decode(errors="replace"),
            "body_bytes": self.body_bytes,
            "status": self.status,
            "ending": self.ending,
            "sent_tokens": self.sent_tokens,
        }


class Seen:
    """The latest requests, oldest first; `total` counts the forgotten ones too."""

    def __init__(self, keep: int, keep_body_bytes: int) -> None:
        self.requests: deque[SeenRequest] = deque(maxlen=keep)
        self.total = 0
        self._keep_body_bytes = keep_body_bytes

    def add(self, method: str, path: str, headers: tuple[tuple[str, str], ...], body: bytes) -> SeenRequest:
        """Remember a request; its status and ending are filled in as it is answered."""
        request = SeenRequest(method, path, headers, body[: self._keep_body_bytes], len(body))
        self.requests.append(request)
        self.total += 1
        return request


def _hashed(value: str) -> str:
    return "sha256:" + hashlib.sha256(value.encode()).hexdigest()[:16]
