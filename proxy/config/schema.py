"""The whole of flyball.yaml as types (DESIGN §10): each room's own settings, composed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxy.budget import AlertSettings, BudgetEntry, BudgetSettings, Enforcement, RateLimitEntry
from proxy.cache import CacheSettings
from proxy.config.ledger import LedgerSettings
from proxy.core.secret import Secret
from proxy.identity import OrgSettings
from proxy.journey.rooms import JourneySettings
from proxy.metering import MeteringSettings
from proxy.ownership import OwnershipSettings
from proxy.policy import PolicySettings, ToolSettings
from proxy.pricing import PricingSettings
from proxy.routing import AgentSettings, HealthSettings, RouteSettings
from proxy.runs import RunSettings
from proxy.telemetry import TelemetrySettings
from proxy.upstream import ProviderSettings, UpstreamSettings


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Where Flyball listens and how many processes serve."""

    listen: str = field(
        default="127.0.0.1:4000", metadata={"doc": "The data port, host:port; port 0 takes a free one."}
    )
    admin_listen: str = field(
        default="127.0.0.1:4001", metadata={"doc": "The admin API and console, host:port; keep it off public networks."}
    )
    workers: int = field(default=2, metadata={"doc": "Worker processes on the data port."})
    allowed_hosts: tuple[str, ...] | None = field(
        default=None, metadata={"doc": "Names the data port answers to in `Host`; unset takes any well-formed one."}
    )
    admin_allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata={"doc": "Names the admin port answers to in `Host` beside the loopback ones; `*` is any."},
    )
    metrics_token: Secret | None = field(
        default=None, metadata={"doc": "The bearer token that /metrics asks for; unset asks for none."}
    )
    hash_key: Secret | None = field(
        default=None,
        metadata={
            "doc": "The 64 hexadecimal digits that keys are hashed with (`openssl rand -hex 32`); unset keeps them in "
            "`hash-key` of the state folder. Hosts that share a ledger must have the same."
        },
    )
    body_key: Secret | None = field(
        default=None,
        metadata={
            "doc": "The 64 hexadecimal digits that answers which wait for a person are encrypted with (`openssl rand "
            "-hex 32`); unset keeps them in `body-key` of the state folder. Hosts that share a ledger must have the "
            "same."
        },
    )
    max_body_bytes: int = field(default=33_554_432, metadata={"doc": "The largest request body that is read."})
    max_upload_bytes: int = field(
        default=553_648_128, metadata={"doc": "The largest body that is sent on as it comes: files and parts of them."}
    )
    shutdown_s: int = field(
        default=30, metadata={"doc": "How long running streams may finish after SIGTERM, in seconds."}
    )


@dataclass(frozen=True, kw_only=True)
class DefaultsSettings:
    """What holds where nothing else is said."""

    provider: str | None = field(
        default=None,
        metadata={
            "doc": "Where calls go that name no model and no object, such as uploads; unset is the only provider there "
            "is, and none where there are several. A route with `path` comes first."
        },
    )


@dataclass(frozen=True, kw_only=True)
class FileSettings:
    """Everything flyball.yaml may say; every part is optional."""

    server: ServerSettings = field(default=ServerSettings(), metadata={"doc": "Addresses and processes."})
    enforcement: Enforcement = field(
        default="enforce",
        metadata={
            "doc": "`enforce` refuses; `observe` refuses no call with a valid key, whatever it breaks, and rows say "
            "what would have been. An org, a budget or a rate limit can be observed alone."
        },
    )
    limits: JourneySettings = field(default=JourneySettings(), metadata={"doc": "How calls are held and relayed."})
    ledger: LedgerSettings = field(default=LedgerSettings(), metadata={"doc": "Where budgets are kept."})
    holds: BudgetSettings = field(default=BudgetSettings(), metadata={"doc": "How the ledger keeps holds."})
    telemetry: TelemetrySettings = field(default=TelemetrySettings(), metadata={"doc": "Where rows go."})
    policy: PolicySettings = field(default=PolicySettings(), metadata={"doc": "What decides whether a call may go on."})
    tools: tuple[ToolSettings, ...] = field(
        default=(),
        metadata={
            "doc": "What is known of the tools that models call: whose they are, and whether they change anything; "
            "the first that matches a name speaks of it."
        },
    )
    cache: CacheSettings = field(default=CacheSettings(), metadata={"doc": "What may be answered from memory."})
    metering: MeteringSettings = field(default=MeteringSettings(), metadata={"doc": "How tokens are counted."})
    upstream: UpstreamSettings = field(default=UpstreamSettings(), metadata={"doc": "How providers are reached."})
    providers: Mapping[str, ProviderSettings] = field(default_factory=dict, metadata={"doc": "Name → provider."})
    routes: tuple[RouteSettings, ...] = field(default=(), metadata={"doc": "Which model goes where; first match wins."})
    health: HealthSettings = field(
        default=HealthSettings(), metadata={"doc": "When a target that fails is left alone, and how it comes back."}
    )
    agents: Mapping[str, AgentSettings] = field(
        default_factory=dict,
        metadata={"doc": "Agent → which models its steps get; an agent is what `x-flyball-agent` or its key names."},
    )
    defaults: DefaultsSettings = field(
        default=DefaultsSettings(), metadata={"doc": "What holds where nothing else is said."}
    )
    ownership: OwnershipSettings = field(
        default=OwnershipSettings(),
        metadata={"doc": "Whose the files, batches, stored responses and the like are that providers keep."},
    )
    tenants: tuple[OrgSettings, ...] = field(default=(), metadata={"doc": "Organisations, teams and keys."})
    budgets: tuple[BudgetEntry, ...] = field(default=(), metadata={"doc": "How much each scope may spend."})
    rate_limits: tuple[RateLimitEntry, ...] = field(
        default=(), metadata={"doc": "How fast, and how much at once, each scope may call."}
    )
    alerts: AlertSettings = field(
        default=AlertSettings(), metadata={"doc": "Who is told when a budget or a limit reaches a rung of its ladder."}
    )
    runs: RunSettings = field(
        default=RunSettings(), metadata={"doc": "Agent runs: which a call is of, and their limits."}
    )
    prices: PricingSettings = field(default=PricingSettings(), metadata={"doc": "Prices beside the shipped book."})
