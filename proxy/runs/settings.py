"""What flyball.yaml says about runs: which headers name one, and what one may use."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class RunLimitEntry:
    """One entry of `runs.limits`: what every single run within a scope may use, counted for each run by itself."""

    scope: str = field(
        default="*",
        metadata={
            "doc": "Whose runs: org:acme, team:acme/support, key:acme/support/bot or agent:acme/triage; a `*` as the "
            "last name (key:acme/support/*) is every one that has no such limit of its own, `*` alone every org."
        },
    )
    calls: int | None = field(default=None, metadata={"doc": "Calls that a run may make."})
    tool_calls: int | None = field(
        default=None, metadata={"doc": "Tool calls that a run's answers may hold, hosted ones among them."}
    )
    tokens: int | None = field(default=None, metadata={"doc": "Tokens, in and out, that a run may use."})
    usd: Decimal | None = field(default=None, metadata={"doc": "Dollars that a run may cost."})
    seconds: int | None = field(
        default=None, metadata={"doc": "Seconds from a run's first call on in which it may make further ones."}
    )
    depth: int | None = field(
        default=None,
        metadata={"doc": "How deep runs may start runs (`x-flyball-parent-run`); one without a parent has depth 1."},
    )
    derived: bool = field(
        default=False,
        metadata={"doc": "Whether it is for runs that no client named as well (`runs.derive`)."},
    )


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How a call's run is found, and what one run may use."""

    aliases: tuple[str, ...] = field(
        default=(
            "x-litellm-session-id",
            "x-litellm-trace-id",
            "helicone-session-id",
            "x-bf-session-id",
            "x-portkey-trace-id",
            "x-dynamo-session-id",
            "x-claude-code-session-id",
            "x-opencode-session",
            "x-session-id",
            "session-id",
            "session_id",
            "x-session-affinity",
            "x-openwebui-chat-id",
        ),
        metadata={
            "doc": "Headers of other gateways and of agents that name a run where `x-flyball-run` does not; the first "
            "that is there is taken. Whose they are stands in docs/runs.md."
        },
    )
    parent_aliases: tuple[str, ...] = field(
        default=("x-parent-session-id", "x-dynamo-parent-session-id"),
        metadata={"doc": "The same for the run that started this one, where `x-flyball-parent-run` does not name it."},
    )
    derive: bool = field(
        default=False,
        metadata={
            "doc": "Whether a call that names no run gets one made from its key, its instructions and its first user "
            "message, which stay the same while an agent's history grows. Off, since conversations that begin alike "
            "become one run, and for its time (docs/runs.md)."
        },
    )
    limits: tuple[RunLimitEntry, ...] = field(
        default=(), metadata={"doc": "What one run may use, per scope; of several that hold the smallest counts."}
    )
    remembered_days: int = field(
        default=30,
        metadata={
            "doc": "Days after a run's first call for which its counters are kept; a run named again later is new."
        },
    )
