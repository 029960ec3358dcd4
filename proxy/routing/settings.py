"""What flyball.yaml says about routes (DESIGN §10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from proxy.routing.attempt_settings import FallbackSettings, HedgeSettings, RetrySettings
from proxy.routing.rollout import RollBackSettings, ShadowSettings

Capability: TypeAlias = Literal["tools", "images", "audio", "files", "structured_output"]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Strategy: TypeAlias = Literal[
    "priority", "weighted", "cheapest", "fastest", "least_busy", "sticky", "budget_aware", "cache_aware"
]
Affinity: TypeAlias = Literal["run", "session", "user", "key", "prefix"]


@dataclass(frozen=True, kw_only=True)
class WhenSettings:
    """Of which calls a route is; all that is said must hold. Names may be patterns; of a list one must match."""

    orgs: tuple[str, ...] = field(default=(), metadata={"doc": "Organisations, such as `acme` or `acme-*`."})
    teams: tuple[str, ...] = field(default=(), metadata={"doc": "Teams with their organisation: `acme/support`."})
    agents: tuple[str, ...] = field(default=(), metadata={"doc": "Agents; a key that lists none is one by its name."})
    steps: tuple[str, ...] = field(default=(), metadata={"doc": "What the client says in `x-flyball-step`."})
    tags: Mapping[str, str] = field(
        default_factory=dict, metadata={"doc": "Tags that are pinned on the key: what a client claims does not count."}
    )
    claimed_tags: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"doc": "Tags that the key pins or the client claims; whoever has a key can claim them."},
    )
    hours: tuple[str, ...] = field(
        default=(), metadata={"doc": "Times of day, `09:00-17:00`; `22:00-06:00` is of the day it begins on."}
    )
    days: tuple[Day, ...] = field(default=(), metadata={"doc": "Days of the week."})
    timezone: str = field(default="UTC", metadata={"doc": "Whose clocks `hours` and `days` go by."})
    min_bytes: int | None = field(default=None, metadata={"doc": "Requests of at least this size."})
    max_bytes: int | None = field(default=None, metadata={"doc": "Requests of at most this size."})
    asks: tuple[Capability, ...] = field(default=(), metadata={"doc": "Requests that ask for all of these."})
    lacks: tuple[Capability, ...] = field(default=(), metadata={"doc": "Requests that ask for none of these."})


@dataclass(frozen=True, kw_only=True)
class TargetSettings:
    """One place a route may send a call to."""

    provider: str = field(metadata={"doc": "Name of a provider under `providers`."})
    model: str | None = field(
        default=None, metadata={"doc": "Model name sent to the provider; unset sends the client's own."}
    )
    strip_prefix: str = field(
        default="",
        metadata={"doc": "What the client's own name begins with and the provider's does not, such as `openai/`."},
    )
    weight: int = field(
        default=1,
        metadata={"doc": "Its share where targets are drawn by lot, its size with `least_busy`; 0 is asked last."},
    )
    variant: str = field(
        default="", metadata={"doc": "What rows of its calls are called by, to compare targets of a route."}
    )
    roll_back: RollBackSettings | None = field(
        default=None, metadata={"doc": "When it gets no more calls, by comparison with another target."}
    )
    expect_model: str = field(
        default="",
        metadata={
            "doc": "A pattern of the model that its answers must name, such as `gpt-5-2025-08-07`; another one raises "
            "an alert."
        },
    )
    capabilities: tuple[Capability, ...] | None = field(
        default=None,
        metadata={
            "doc": "All that the target takes of what a request may ask; unset: not known, nothing is kept away."
        },
    )
    context_tokens: int | None = field(
        default=None,
        metadata={
            "doc": "The tokens that its prompt and answer may have together; unset: its prompt is held to the price "
            "book's `max_input_tokens` where a route has several targets."
        },
    )


@dataclass(frozen=True, kw_only=True)
class RouteSettings:
    """Which targets serve a client's model name, or a path that names no model; the first route that matches wins."""

    model: str = field(default="", metadata={"doc": "The client's model name, or a glob such as `gpt-*`."})
    path: str = field(
        default="",
        metadata={
            "doc": "In the place of `model`: the path of calls that name none, such as `/files`, with all below it."
        },
    )
    when: WhenSettings | None = field(
        default=None, metadata={"doc": "Of which calls the route is; unset is of all that name its model."}
    )
    targets: tuple[TargetSettings, ...] = field(metadata={"doc": "Where matching calls may go, best first."})
    shadows: tuple[ShadowSettings, ...] = field(
        default=(), metadata={"doc": "Targets that are sent copies of the route's calls, on the overhead account."}
    )
    strategy: Strategy = field(
        default="priority",
        metadata={
            "doc": "How a target is chosen: `priority` as listed; `weighted` by lot; `cheapest` by what this request "
            "is expected to cost; `fastest` the quicker of two; `least_busy` by calls under way; `sticky` the same for "
            "a whole conversation; `budget_aware` as listed while there is money, cheaper as budgets fill; "
            "`cache_aware` by cost, counting what a switch would lose of the provider's prompt cache."
        },
    )
    affinity: tuple[Affinity, ...] = field(
        default=("run", "session", "prefix"),
        metadata={
            "doc": "What makes calls one conversation for `sticky` and `cache_aware`: the first of these that a call "
            "has; `prefix` is how its messages begin."
        },
    )
    affinity_ttl_s: int = field(
        default=3600,
        metadata={"doc": "How long a conversation stays where it was moved to by a failure, after its last call."},
    )
    prompt_cache_s: int = field(
        default=300,
        metadata={"doc": "How long a provider is taken to keep a prompt's beginning cached, for `cache_aware`."},
    )
    expected_output_tokens: int = field(
        default=500,
        metadata={"doc": "How long answers are expected to be where costs or times are compared, if none is limited."},
    )
    eases_from: Decimal = field(
        default=Decimal("0.5"),
        metadata={"doc": "How full the tightest budget is where `budget_aware` begins to leave dear targets."},
    )
    fallback: FallbackSettings = field(
        default_factory=FallbackSettings, metadata={"doc": "When a call goes on to the next target, and how far."}
    )
    retry: RetrySettings = field(
        default_factory=RetrySettings, metadata={"doc": "When the same target is asked again."}
    )
    hedge: HedgeSettings = field(
        default_factory=HedgeSettings, metadata={"doc": "When a second target is asked beside the first."}
    )


@dataclass(frozen=True, kw_only=True)
class StepRuleSettings:
    """A rule that gives an agent's call its model, whatever the call says of its step."""

    when: WhenSettings = field(metadata={"doc": "Of which calls the rule is."})
    model: str = field(metadata={"doc": "The model that they get: a name that a route serves."})


@dataclass(frozen=True, kw_only=True)
class AgentSettings:
    """Which models an agent's steps get, in the place of the one that the client names."""

    orgs: tuple[str, ...] = field(default=(), metadata={"doc": "Whose agent it is; unset: every organisation's."})
    models: tuple[str, ...] = field(
        default=("*",), metadata={"doc": "The client's model names that are replaced; others are left alone."}
    )
    steps: Mapping[str, str] = field(
        default_factory=dict, metadata={"doc": "What `x-flyball-step` says → the model: a name that a route serves."}
    )
    rules: tuple[StepRuleSettings, ...] = field(
        default=(), metadata={"doc": "For calls whose step is not listed: the first rule whose `when` holds."}
    )
    otherwise: str | None = field(
        default=None, metadata={"doc": "The model of all other calls of the agent; unset: the one the client names."}
    )
