"""What can be set about the Redis ledger beside what holds for every ledger."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class RedisSettings:
    """How long Redis may take, and what is done when it takes longer."""

    name: str = field(
        default="flyball",
        metadata={
            "doc": "The ledger's name in Redis: the hash tag of all its keys. Ledgers of two names share nothing."
        },
    )
    deadline_ms: int = field(
        default=50,
        metadata={
            "doc": "Milliseconds in which Redis must answer a step, connecting included, or the step has failed."
        },
    )
    patience_ms: int = field(
        default=200,
        metadata={"doc": "Milliseconds a step may wait for the answers to steps before it, until it is answered 503."},
    )
    failures: int = field(
        default=2,
        metadata={"doc": "Failures in a row after which Redis is left alone for a while and steps fail at once."},
    )
    pause_ms: int = field(
        default=250,
        metadata={"doc": "Milliseconds for which a failing Redis is left alone before one step tries it again."},
    )
