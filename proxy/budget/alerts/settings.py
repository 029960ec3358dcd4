"""What can be set about alerts (flyball.yaml: `alerts`)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from proxy.core.secret import Secret

ToldKind: TypeAlias = Literal[
    "alert", "downgrade", "cache_only", "throttle", "block", "overrun", "policy", "approval", "routing"
]


@dataclass(frozen=True, kw_only=True)
class ReceiverEntry:
    """Someone who is told of alerts over HTTP."""

    name: str = field(metadata={"doc": "What the receiver is called; unique among them."})
    url: str | None = field(
        default=None,
        metadata={"doc": "Where alerts are posted to; exactly one of url, url_env and url_file is stated."},
    )
    url_env: str | None = field(
        default=None, metadata={"doc": "The environment variable that has the URL, where the URL is itself a secret."}
    )
    url_file: Path | None = field(default=None, metadata={"doc": "The file that has the URL."})
    kind: Literal["webhook", "slack"] | None = field(
        default=None,
        metadata={
            "doc": "`webhook` gets JSON after the Standard Webhooks specification, `slack` a message with blocks; by "
            "default slack for hooks.slack.com and webhook for every other host."
        },
    )
    secret: Secret | None = field(
        default=None,
        metadata={
            "doc": "What alerts are signed with, such as whsec_… (by secret_env or secret_file only); two, with a "
            "space between them, sign both while one takes the other's place. Unset signs nothing."
        },
    )
    orgs: tuple[str, ...] = field(default=(), metadata={"doc": "Whose alerts it gets; empty is everyone's."})
    kinds: tuple[ToldKind, ...] = field(
        default=(),
        metadata={
            "doc": "Which alerts it gets: of these rungs, of overruns, what rules of a policy say, and approvals that "
            "wait; empty is all."
        },
    )
    allow_private: bool = field(
        default=False, metadata={"doc": "Let the host's name resolve to private, loopback or link-local addresses."}
    )


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """Who is told when a budget or a limit stands where its ladder has a rung, and how hard that is tried."""

    receivers: tuple[ReceiverEntry, ...] = field(default=(), metadata={"doc": "Who is told."})
    look_every_s: float = field(
        default=1.0,
        metadata={
            "doc": "Seconds between two looks at all counters; more where they would take over a tenth of a core."
        },
    )
    timeout_s: float = field(default=10.0, metadata={"doc": "Seconds in which a receiver must have answered."})
    first_retry_s: float = field(
        default=2.0,
        metadata={
            "doc": "Longest pause after a first failure, in seconds; it doubles with each further one, to an hour."
        },
    )
    retry_for_s: int = field(
        default=86_400, metadata={"doc": "Seconds after which an alert that could not be delivered is given up."}
    )
    kept: int = field(
        default=10_000, metadata={"doc": "How many alerts are kept; beyond that the oldest are forgotten."}
    )
