"""Operations: the recent ones as a list, one of them explained."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from proxy.admin.shapes.common import NanoInt, Second, Shape, TenantPageQuery, UsdIn, UsdText, Word
from proxy.admin.shapes.decisions import Decision

Money: TypeAlias = UsdText | None
Nanos: TypeAlias = NanoInt | None
Milliseconds: TypeAlias = Annotated[float, Meta(description="Milliseconds.")]


class OperationQuery(TenantPageQuery, frozen=True, kw_only=True):
    """Which operations, newest first."""

    key: Annotated[Word | None, Meta(description="Of the key with this name.")] = None
    model: Word | None = None
    provider: Word | None = None
    outcome: Word | None = None
    code: Word | None = None
    run: Word | None = None
    end_user: Word | None = None
    agent: Word | None = None
    owner: Word | None = None
    cost_center: Word | None = None
    endpoint: Word | None = None
    tag: Annotated[Word | None, Meta(description="A tag as name=value.")] = None
    id: Annotated[Word | None, Meta(description="How the id begins, such as op_019a9f3c.")] = None
    start_time: Annotated[Second | None, Meta(description="Charged from then on; Unix seconds.")] = None
    end_time: Annotated[Second | None, Meta(description="Charged before then; Unix seconds.")] = None
    min_cost_usd: Annotated[UsdIn | None, Meta(description="Cost this or more.")] = None
    max_cost_usd: Annotated[UsdIn | None, Meta(description="Cost this or less.")] = None
    refused_by: Annotated[Word | None, Meta(description="Refused by the budget or limit of this name.")] = None
    would_code: Annotated[
        Word | None, Meta(description="Would have been refused with it, had it not been observed.")
    ] = None


class Operation(Shape, frozen=True, kw_only=True):
    """One client call: who, what, how it ended, what it cost. A null cost is an unknown price."""

    id: str
    charged_at: str
    finished_at: str
    org: str
    team: str
    key_id: str
    key_name: str
    cost_center: str
    owner: str
    end_user: str
    agent: str
    run: str
    run_source: str
    parent_run: str
    run_depth: int
    tags: dict[str, str]
    endpoint: str
    streamed: bool
    requested_model: str
    model: str
    provider: str
    route: str
    outcome: str
    code: str
    refused_by: str
    would_code: Annotated[str, Meta(description="What it would have been refused with, had it not been observed.")]
    would_by: Annotated[str, Meta(description="By which budget or limit.")]
    ladder: Annotated[list[str], Meta(description="What ladders did to it, such as downgrade:acme-month.")]
    clamped_to: Annotated[int, Meta(description="The output tokens that a clamp left it; 0: none did.")]
    status: int
    finish_reason: str
    usage_source: str
    usage_flaws: list[str]
    service_tier: str
    tokens: dict[str, int]
    tool_fees: dict[str, int]
    units: dict[str, int]
    cost_usd: Money
    cost_nano: Nanos
    list_usd: Money
    stated_usd: Money
    asked_usd: Annotated[
        Money, Meta(description="What the model that was asked for would have cost, if it did not serve.")
    ]
    held_usd: UsdText
    overrun_usd: UsdText
    cache_status: Annotated[
        str, Meta(description="What a cache did: `hit`, `miss`, `bypass`, or `would_hit` where it only watches.")
    ]
    cache_kind: str
    cache_entry: Annotated[str, Meta(description="The operation whose answer it was given.")]
    cache_age_s: int
    cache_saved_usd: UsdText
    cache_would_save_usd: UsdText
    price_version: str
    price_source: str
    duration_ms: Milliseconds
    ttft_ms: Milliseconds | None
    overhead_ms: Milliseconds
    reason: str
    error: str
    provider_request_id: str
    purpose: Annotated[str, Meta(description="`serve` for a client's call; else why Flyball made it for itself.")]
    beside: Annotated[str, Meta(description="The operation that such a call was made beside.")]
    variant: Annotated[str, Meta(description="What its target is called by among those of its route.")]
    similarity: Annotated[
        float | None, Meta(description="How alike the answer to a copy is to what the client was answered, 0 to 1.")
    ]
    object: Literal["operation"] = "operation"


class Stage(Shape, frozen=True, kw_only=True):
    """One stage of the call's journey."""

    name: str
    duration_ms: Milliseconds


class PriceLine(Shape, frozen=True, kw_only=True):
    """Quantity × rate of one bucket or tool fee, unrounded."""

    bucket: str
    quantity: int
    usd_per_mtok: str
    usd: str


class Attempt(Shape, frozen=True, kw_only=True):
    """One upstream request of an operation."""

    id: str
    number: int
    purpose: str
    started_at: str
    provider: str
    sent_model: str
    model: str
    outcome: str
    status: int
    error: str
    finish_reason: str
    usage_source: str
    usage_flaws: list[str]
    service_tier: str
    raw_usage: str
    tokens: dict[str, int]
    tool_fees: dict[str, int]
    units: dict[str, int]
    cost_usd: Money
    cost_nano: Nanos
    list_usd: Money
    stated_usd: Money
    price_version: str
    price_source: str
    price_lines: tuple[PriceLine, ...]
    duration_ms: Milliseconds
    ttft_ms: Milliseconds | None
    response_bytes: int
    provider_request_id: str
    retry_after_s: int | None
    system_fingerprint: Annotated[str, Meta(description="What the provider calls the version that answered.")]


class RoutedCandidate(Shape, frozen=True, kw_only=True):
    """A target that could have served a call; the lower its score the better, in what `why` says."""

    provider: str
    model: str
    why: str
    score: Annotated[int | None, Meta(description="Null for one that was left out.")] = None


class Routing(Shape, frozen=True, kw_only=True):
    """How a call's target was chosen."""

    strategy: str
    candidates: Annotated[tuple[RoutedCandidate, ...], Meta(description="Best first.")]
    left_out: tuple[RoutedCandidate, ...]


class Explained(Shape, frozen=True, kw_only=True):
    """Why an operation went as it did and cost what it cost."""

    operation: Operation
    stages: tuple[Stage, ...]
    attempts: tuple[Attempt, ...]
    routing: Annotated[Routing | None, Meta(description="Null where there was nothing to choose.")]
    decisions: tuple[Decision, ...]
    object: Literal["operation_explained"] = "operation_explained"
