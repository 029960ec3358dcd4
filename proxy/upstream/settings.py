"""What can be set about providers (flyball.yaml: `providers`) and about reaching them (`upstream`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from proxy.core.secret import Secret

AuthHeader: TypeAlias = Literal["bearer", "api-key", "x-api-key", "x-goog-api-key"]


@dataclass(frozen=True, kw_only=True)
class ProviderSettings:
    """One provider: where it is, how it is paid, and how long it may take."""

    dialect: Literal["openai", "anthropic", "gemini", "bedrock", "cohere", "ollama"] = field(
        default="openai", metadata={"doc": "The API the provider speaks."}
    )
    base_url: str = field(
        metadata={
            "doc": "Where the API's paths begin, e.g. https://api.openai.com/v1; http only where you trust the way."
        }
    )
    api_key: Secret | None = field(
        default=None, metadata={"doc": "The provider's key (by api_key_env or api_key_file only); none = send none."}
    )
    api_key_next: Secret | None = field(
        default=None,
        metadata={
            "doc": "A second key (by api_key_next_env or _file): if one is refused with 401 or 403 the other is tried "
            "once, and stays."
        },
    )
    credentials: Literal["own", "passthrough"] = field(
        default="own",
        metadata={
            "doc": "`passthrough` sends a client's own `Authorization` or `x-api-key` on in place of a key of ours; it "
            "names itself to Flyball by `x-flyball-key` then."
        },
    )
    service_account: Secret | None = field(
        default=None,
        metadata={
            "doc": "The JSON key of a Google service account (by service_account_file or service_account_env), for "
            "Vertex AI: its tokens are fetched and renewed by Flyball."
        },
    )
    azure_tenant_id: str | None = field(
        default=None,
        metadata={
            "doc": "Azure: the tenant of a Microsoft Entra application that asks for tokens, in the place of api_key; "
            "they are fetched and renewed by Flyball."
        },
    )
    azure_client_id: str | None = field(default=None, metadata={"doc": "Azure: the application's (client) id."})
    azure_client_secret: Secret | None = field(
        default=None, metadata={"doc": "Azure: its secret (by azure_client_secret_env or azure_client_secret_file)."}
    )
    azure_scope: str = field(
        default="https://cognitiveservices.azure.com/.default",
        metadata={"doc": "Azure: what the tokens are for."},
    )
    azure_authority: str = field(
        default="https://login.microsoftonline.com",
        metadata={"doc": "Azure: who gives the tokens, e.g. https://login.microsoftonline.us for Azure Government."},
    )
    aws_region: str | None = field(
        default=None,
        metadata={"doc": "Bedrock: the region that requests are signed for; by default the one in base_url's host."},
    )
    aws_profile: str | None = field(
        default=None,
        metadata={
            "doc": "Bedrock: the profile of AWS's shared files that signs; by default AWS's chain (environment, "
            "shared files, roles). Signing needs flyball[bedrock]; with api_key nothing is signed."
        },
    )
    aws_access_key_id: Secret | None = field(
        default=None, metadata={"doc": "Bedrock: the access key that signs (by …_env or …_file), instead of the chain."}
    )
    aws_secret_access_key: Secret | None = field(
        default=None, metadata={"doc": "Bedrock: its secret (by …_env or …_file)."}
    )
    aws_session_token: Secret | None = field(
        default=None, metadata={"doc": "Bedrock: its session token (by …_env or …_file), where there is one."}
    )
    profile: str | None = field(
        default=None, metadata={"doc": "Whose habits the provider has, e.g. vllm; by default known from the host."}
    )
    inject_usage: bool | None = field(
        default=None,
        metadata={"doc": "Ask streams for their usage (stream_options.include_usage); by default the profile's."},
    )
    auth_header: AuthHeader | None = field(
        default=None,
        metadata={
            "doc": "How the key is sent: as `Authorization: Bearer` or as this header; by default as the host wants it."
        },
    )
    responses: Literal["native", "chat"] = field(
        default="native",
        metadata={
            "doc": "`chat` for a provider of the OpenAI dialect that has no /responses: they are translated to chat "
            "completions."
        },
    )
    query: Mapping[str, str] = field(
        default_factory=dict, metadata={"doc": "Parameters put before the client's own, e.g. api-version."}
    )
    extra_headers: Mapping[str, str] = field(
        default_factory=dict, metadata={"doc": "Headers sent with every request to this provider."}
    )
    forward_headers: tuple[str, ...] = field(
        default=(), metadata={"doc": "Client headers passed on beside the usual ones; never credentials or cookies."}
    )
    allow_private: bool = field(
        default=False, metadata={"doc": "Let the host's name resolve to private, loopback or link-local addresses."}
    )
    ca_file: Path | None = field(
        default=None,
        metadata={"doc": "Certificates (PEM) to trust instead of the system's, for a provider of your own."},
    )
    client_cert_file: Path | None = field(
        default=None,
        metadata={"doc": "A certificate (PEM) to show to the provider (mutual TLS); taken anew with each reload."},
    )
    client_key_file: Path | None = field(
        default=None,
        metadata={"doc": "The certificate's key (PEM, no passphrase); by default in the file of the certificate."},
    )
    proxy_url: str | None = field(
        default=None,
        metadata={
            "doc": "An HTTP proxy (http://host:port) to reach the provider through, by CONNECT; the provider's name is "
            "then looked up by the proxy, and allow_private is about the proxy's own."
        },
    )
    proxy_credentials: Secret | None = field(
        default=None,
        metadata={"doc": "user:password for the proxy (by proxy_credentials_env or proxy_credentials_file only)."},
    )
    provider_state: Literal["owned", "shared"] = field(
        default="owned",
        metadata={
            "doc": "`owned`: what it keeps (files, batches, stored responses) is served to the org that made it only. "
            "`shared`: to every key, for an account that serves one org; refused where there is a second org."
        },
    )
    passthrough: bool = field(
        default=False, metadata={"doc": "Pass on paths that are not known here, as they are, priced by nobody."}
    )
    connect_timeout_s: float = field(
        default=10.0, metadata={"doc": "Longest wait for a connection: a free place, DNS, TCP and TLS together."}
    )
    first_byte_timeout_s: float = field(
        default=600.0, metadata={"doc": "Longest wait for the answer to begin once the request is sent."}
    )
    idle_timeout_s: float = field(default=300.0, metadata={"doc": "Longest silence within an answer."})
    total_timeout_s: float = field(default=3600.0, metadata={"doc": "Longest time for one attempt from start to end."})
    on_client_disconnect: Literal["cancel", "drain"] | None = field(
        default=None,
        metadata={
            "doc": "When a client goes away: drop the stream, or read it to its usage; by default the profile's."
        },
    )
    max_connections: int = field(
        default=1024, metadata={"doc": "Connections one worker may hold to this provider; further calls wait."}
    )


@dataclass(frozen=True, kw_only=True)
class UpstreamSettings:
    """What is common to all providers."""

    keep_alive_s: float = field(
        default=15.0, metadata={"doc": "How long an idle connection is kept for the next call, in seconds."}
    )
    dns_ttl_s: int = field(default=10, metadata={"doc": "How long a checked address is used without asking DNS again."})
