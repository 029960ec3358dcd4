"""A provider as the transport sees it: where, as whom, and with which patience."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, urlsplit

from proxy.core.secret import Secret
from proxy.upstream.aws_signer import aws_signer_of
from proxy.upstream.bad_provider import BadProvider
from proxy.upstream.credentials import Signer
from proxy.upstream.egress import DIRECT, Egress
from proxy.upstream.entra import entra_signer_of
from proxy.upstream.headers import NEVER_FORWARDED
from proxy.upstream.service_account import signer_of
from proxy.upstream.settings import AuthHeader, ProviderSettings
from proxy.wire.profile import GENERIC, PROFILES, Profile, profile_of

MAX_SECONDS: Final = 7 * 24 * 3600.0

_IN_PATHS: Final = {"anthropic": "/v1", "cohere": "/v2", "ollama": "/api"}
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VALUE: Final = re.compile(r"[\x20-\x7e\t]*\Z")
_RAW_URL: Final = re.compile(r"[\x21-\x7e]+\Z")


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One place to send calls to. Times are in seconds; `query` is raw, without `?`, put before a client's own."""

    name: str
    base_url: str
    dialect: str = "openai"
    has_responses: bool = True
    """Whether it answers /responses itself; where it does not, they are translated to chat completions."""
    profile: Profile = GENERIC
    api_key: Secret | None = None
    api_key_next: Secret | None = None
    auth_header: AuthHeader = "bearer"
    passes_credentials: bool = False
    """Whether a client's own credential is sent on, in place of one of ours."""
    signer: Signer | None = None
    """What makes each attempt's credentials, where a key that is the same for all does not do."""
    extra_headers: Mapping[str, str] = field(default_factory=dict)
    forward_headers: frozenset[bytes] = frozenset()
    query: bytes = b""
    allow_private: bool = False
    ca_file: Path | None = None
    egress: Egress = DIRECT
    connect_s: float = 10.0
    first_byte_s: float = 600.0
    idle_s: float = 300.0
    total_s: float = 3600.0
    on_client_disconnect: Literal["cancel", "drain"] = "cancel"
    max_connections: int = 1024
    shares_state: bool = False
    passthrough: bool = False

    @classmethod
    def of(cls, name: str, settings: ProviderSettings) -> "Provider":
        """A provider from its settings, with what was left open filled in from the profile of its host.

        Raises:
            BadProvider: a URL, header or time that cannot work.
        """
        _check_limits(name, settings)
        profile = _profile(name, settings)
        return cls(
            name=name,
            dialect=settings.dialect,
            has_responses=settings.responses == "native",
            base_url=_base_url(name, settings),
            profile=profile,
            api_key=_sendable_key(name, settings.api_key),
            signer=_signer(name, settings),
            api_key_next=_next_key(name, settings),
            auth_header=settings.auth_header or _auth_header(settings, profile),
            passes_credentials=_passes_credentials(name, settings),
            extra_headers=_extra_headers(name, settings.extra_headers),
            forward_headers=_forward_headers(name, settings.forward_headers),
            query="&".join(f"{quote(key)}={quote(value)}" for key, value in settings.query.items()).encode(),
            allow_private=settings.allow_private,
            ca_file=settings.ca_file,
            egress=Egress.of(name, settings),
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.first_byte_timeout_s,
            idle_s=settings.idle_timeout_s,
            total_s=settings.total_timeout_s,
            on_client_disconnect=settings.on_client_disconnect or profile.on_client_disconnect,
            max_connections=settings.max_connections,
            shares_state=settings.provider_state == "shared",
            passthrough=settings.passthrough,
        )


def _auth_header(settings: ProviderSettings, profile: Profile) -> AuthHeader:
    if settings.dialect == "anthropic":
        return "x-api-key"
    if settings.dialect == "gemini":
        return "x-goog-api-key"
    return "api-key" if profile.name == "azure" else "bearer"


def _passes_credentials(name: str, settings: ProviderSettings) -> bool:
    if settings.credentials == "own":
        return False
    if settings.api_key is not None:
        raise BadProvider(f"provider {name}: credentials: passthrough sends the client's key; leave api_key out")
    return True


def _signer(name: str, settings: ProviderSettings) -> Signer | None:
    if settings.service_account is None:
        return entra_signer_of(name, settings) or aws_signer_of(name, settings)
    if settings.dialect != "gemini":
        raise BadProvider(f"provider {name}: service_account is for dialect: gemini")
    if settings.api_key is not None or settings.credentials != "own":
        raise BadProvider(f"provider {name}: service_account says who calls; leave api_key and credentials out")
    return signer_of(name, settings.service_account)


def _profile(name: str, settings: ProviderSettings) -> Profile:
    if settings.profile is None:
        profile = profile_of(urlsplit(settings.base_url).hostname or "")
        if profile is GENERIC and settings.dialect != "openai" and settings.dialect in PROFILES:
            profile = PROFILES[settings.dialect]
    elif settings.profile in PROFILES:
        profile = PROFILES[settings.profile]
    else:
        raise BadProvider(f"provider {name}: profile {settings.profile!r} is not known; one of {', '.join(PROFILES)}")
    if settings.inject_usage is None:
        return profile
    return replace(profile, inject_usage=settings.inject_usage)


def _base_url(name: str, settings: ProviderSettings) -> str:
    url = settings.base_url
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise BadProvider(f"provider {name}: base_url must be http:// or https:// with a host; it is {url!r}")
    if "@" in parts.netloc:
        raise BadProvider(f"provider {name}: base_url must not hold a user or password; use api_key_env")
    if parts.query or parts.fragment or not _RAW_URL.match(url):
        raise BadProvider(
            f"provider {name}: base_url must end with its path, in plain ASCII (parameters go to `query`)"
        )
    base = url.rstrip("/")
    # The paths of these dialects have their version in them, as their SDKs have it.
    return base.removesuffix(_IN_PATHS.get(settings.dialect, ""))


def _sendable_key(name: str, key: Secret | None) -> Secret | None:
    if key is not None and not _RAW_URL.match(key.reveal()):
        raise BadProvider(f"provider {name}: the api key must be printable ASCII without spaces")
    return key


def _next_key(name: str, settings: ProviderSettings) -> Secret | None:
    if settings.api_key_next is not None and settings.api_key is None:
        raise BadProvider(f"provider {name}: api_key_next is of no use without api_key")
    return _sendable_key(name, settings.api_key_next)


def _extra_headers(name: str, headers: Mapping[str, str]) -> dict[str, str]:
    for header, value in headers.items():
        if not _NAME.match(header) or not _VALUE.match(value):
            raise BadProvider(f"provider {name}: extra_headers.{header} cannot be sent as a header")
        if header.lower() in ("host", "content-length", "transfer-encoding", "connection"):
            raise BadProvider(f"provider {name}: extra_headers.{header} is set by the connection itself")
    return {header.lower(): value for header, value in headers.items()}


def _forward_headers(name: str, headers: tuple[str, ...]) -> frozenset[bytes]:
    wanted = frozenset(header.lower().encode() for header in headers)
    for header in sorted(wanted):
        if header in NEVER_FORWARDED or header.startswith(b"x-flyball-") or not _NAME.match(header.decode()):
            raise BadProvider(f"provider {name}: forward_headers: {header.decode()!r} is never passed on")
    return wanted


def _check_limits(name: str, settings: ProviderSettings) -> None:
    times = (
        settings.connect_timeout_s,
        settings.first_byte_timeout_s,
        settings.idle_timeout_s,
        settings.total_timeout_s,
    )
    # Written so that "not a number" fails too.
    if not all(0 < seconds < MAX_SECONDS for seconds in times) or settings.max_connections < 1:
        raise BadProvider(f"provider {name}: times must be above 0 and at most a week, max_connections at least 1")
