"""What flyball.yaml says about decision logs (`policy.decision_log`)."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from proxy.core.secret import Secret

LEAST_MB: Final = 1
LONGEST_TIMEOUT_S: Final = 120


@dataclass(frozen=True, kw_only=True)
class DecisionLogSettings:
    """A server that gets decisions in the format of OPA's decision logs."""

    url: str | None = field(
        default=None,
        metadata={"doc": "Decisions are posted to {url}/logs; unset sends none. Taken when the collector starts."},
    )
    token: Secret | None = field(
        default=None,
        metadata={"doc": "What the server is shown as a bearer token (by token_env or token_file only)."},
    )
    allow_private: bool = field(
        default=False, metadata={"doc": "Let the host's name resolve to private, loopback or link-local addresses."}
    )
    buffer_mb: int = field(
        default=16, metadata={"doc": "How much may wait for the server, in megabytes; what comes then is dropped."}
    )
    timeout_s: int = field(default=10, metadata={"doc": "Seconds in which the server must have answered."})

    def contradictions(self) -> list[str]:
        """What these settings ask for that cannot be had, one sentence each."""
        found = []
        if self.url is None and self.token is not None:
            found.append("policy.decision_log.token: is shown to a server, and there is no policy.decision_log.url")
        if self.url is not None and not _is_url(self.url):
            found.append(
                "policy.decision_log.url: must be an http:// or https:// URL with a host, without user, query and "
                "fragment; /logs is put behind it"
            )
        if self.buffer_mb < LEAST_MB:
            found.append(f"policy.decision_log.buffer_mb: must be at least {LEAST_MB}; it is {self.buffer_mb}")
        if not 1 <= self.timeout_s <= LONGEST_TIMEOUT_S:
            found.append(
                f"policy.decision_log.timeout_s: must be from 1 to {LONGEST_TIMEOUT_S}; it is {self.timeout_s}"
            )
        return found


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bare and has_port
