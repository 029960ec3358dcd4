"""What flyball.yaml says about approvals (`policy.approvals`)."""

from dataclasses import dataclass, field


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

    def contradictions(self) -> list[str]:
        """What these settings ask for that cannot be had, one sentence each."""
        found = [
            f"policy.approvals.{name}: must be at least 1"
            for name in ("max_pending_per_key", "parked_answer_bytes", "parked_bytes", "kept")
            if getattr(self, name) < 1
        ]
        if self.parked_answer_bytes > self.parked_bytes:
            found.append(
                "policy.approvals.parked_answer_bytes: is more than policy.approvals.parked_bytes allows in all"
            )
        return found
