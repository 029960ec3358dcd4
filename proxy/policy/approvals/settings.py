"""What flyball.yaml says about approvals (`policy.approvals`)."""

from dataclasses import dataclass, field

from proxy.core.secret import Secret


@dataclass(frozen=True, kw_only=True)
class ApprovalSettings:
    """How many calls may wait for a person, and how much of what they wait with is kept."""

    max_pending_per_key: int = field(
        default=20,
        metadata={"doc": "How many approvals of one key may be undecided at once; a further one is refused."},
    )
    parked_answer_bytes: int = field(
        default=1_048_576,
        metadata={"doc": "The largest answer that is kept for an approval of a tool call in it."},
    )
    parked_bytes: int = field(
        default=67_108_864, metadata={"doc": "How many bytes of answers are kept for approvals in all."}
    )
    kept: int = field(
        default=10_000,
        metadata={
            "doc": "How many approvals are remembered; beyond that the oldest that nobody waits for are forgotten."
        },
    )

    max_wait_s: int = field(
        default=60,
        metadata={
            "doc": "The longest that a call is held open for a person's decision, whatever a rule's `wait_s` says."
        },
    )
    max_waiting: int = field(
        default=256,
        metadata={"doc": "How many calls one worker holds open for that at once; a further one is answered at once."},
    )

    webhook_secret: Secret | None = field(
        default=None,
        metadata={
            "doc": "What decisions that come by webhook are signed with, whsec_… (by webhook_secret_env or "
            "webhook_secret_file only); two with a space between them both hold. Unset takes none."
        },
    )

    def contradictions(self) -> list[str]:
        """What these settings ask for that cannot be had, one sentence each."""
        found = [
            f"policy.approvals.{name}: must be at least 1"
            for name in ("max_pending_per_key", "parked_answer_bytes", "parked_bytes", "kept")
            if getattr(self, name) < 1
        ]
        found += [
            f"policy.approvals.{name}: must not be negative"
            for name in ("max_wait_s", "max_waiting")
            if getattr(self, name) < 0
        ]
        if self.parked_answer_bytes > self.parked_bytes:
            found.append(
                "policy.approvals.parked_answer_bytes: is more than policy.approvals.parked_bytes allows in all"
            )
        return found
