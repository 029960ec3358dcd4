"""What flyball.yaml says about a bundle of policies (`policy.bundle`)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from proxy.core.secret import Secret
from proxy.policy.bundles.keys import unusable

SHORTEST_POLL_S: Final = 5
LONGEST_TIMEOUT_S: Final = 120
Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"
]


@dataclass(frozen=True, kw_only=True)
class BundleKey:
    """A key that bundles may be signed with."""

    id: str = field(
        default="default",
        metadata={
            "doc": "What signatures call it (`kid` or `keyid`); `opa build` says `default` unless told otherwise."
        },
    )
    algorithm: Algorithm = field(
        default="RS256", metadata={"doc": "How is signed; a signature that says otherwise is refused."}
    )
    key: Secret | None = field(
        default=None,
        metadata={
            "doc": "The public key as PEM, or for HS… the secret itself, as long as the digest (by key_env or "
            "key_file only)."
        },
    )


@dataclass(frozen=True, kw_only=True)
class BundleSettings:
    """An OPA bundle: where it lies, and who may have signed it."""

    file: Path | None = field(
        default=None, metadata={"doc": "A `.tar.gz` as `opa build` makes it; a changed one is taken while running."}
    )
    url: str | None = field(
        default=None,
        metadata={
            "doc": "Where such a file is fetched from, https://…; http:// only on this host, or where `keys` are set. "
            "Exactly one of file and url is stated. Redirects are not followed."
        },
    )
    token: Secret | None = field(
        default=None,
        metadata={"doc": "What the server is shown as a bearer token (by token_env or token_file only)."},
    )
    allow_private: bool = field(
        default=False, metadata={"doc": "Let the host's name resolve to private, loopback or link-local addresses."}
    )
    poll_s: int = field(
        default=60,
        metadata={"doc": "Seconds between two questions whether it has changed, a tenth more or less by chance."},
    )
    timeout_s: int = field(default=10, metadata={"doc": "Seconds in which the whole bundle must have come."})
    keys: tuple[BundleKey, ...] = field(
        default=(),
        metadata={"doc": "Keys that bundles may be signed with; where there is one, an unsigned bundle is refused."},
    )
    scope: str = field(default="", metadata={"doc": "The scope that the signature must name; empty is none."})

    def contradictions(self) -> list[str]:
        """What these settings ask for that cannot be had, one sentence each."""
        found = []
        if (self.file is None) == (self.url is None):
            found.append("policy.bundle: needs exactly one of file and url")
        if self.url is not None:
            found += self._of_the_server()
        elif self.token is not None:
            found.append("policy.bundle.token: is shown to a server, and there is no policy.bundle.url")
        if self.scope and not self.keys:
            found.append("policy.bundle.scope: is part of a signature, and there are no policy.bundle.keys")
        return found + self._of_the_keys()

    def _of_the_server(self) -> list[str]:
        found = []
        host = bundle_host(self.url or "")
        if host is None:
            found.append("policy.bundle.url: must be an https:// or http:// URL with a host, without user and fragment")
        elif (self.url or "").lower().startswith("http:") and not self.keys and not _is_here(host):
            found.append(
                "policy.bundle.url: anyone on the way could change policies that come over http; use https, or have "
                "them signed and set policy.bundle.keys"
            )
        if self.poll_s < SHORTEST_POLL_S:
            found.append(f"policy.bundle.poll_s: must be at least {SHORTEST_POLL_S}; it is {self.poll_s}")
        if not 1 <= self.timeout_s <= LONGEST_TIMEOUT_S:
            found.append(f"policy.bundle.timeout_s: must be from 1 to {LONGEST_TIMEOUT_S}; it is {self.timeout_s}")
        return found

    def _of_the_keys(self) -> list[str]:
        ids = [key.id for key in self.keys]
        found = [f"policy.bundle.keys[{at}].id: repeats {name!r}" for at, name in enumerate(ids) if name in ids[:at]]
        for at, key in enumerate(self.keys):
            why = "is missing; use key_env or key_file" if key.key is None else unusable(key.algorithm, key.key)
            if why:
                found.append(f"policy.bundle.keys[{at}].key: {why}")
        return found


def bundle_host(url: str) -> str | None:
    """The host of a URL that a bundle may be fetched from; None where it is no such URL."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return None
    return parts.hostname if usable and not parts.fragment and url.isascii() and url.isprintable() else None


def _is_here(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost") or host.startswith("127.") or host == "::1"
