"""How long it is known whose the objects are that providers keep (flyball.yaml: `ownership`)."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class OwnershipSettings:
    """How many ownership records are kept, and how long."""

    kept_days: int = field(
        default=400,
        metadata={"doc": "How long it is remembered whose an object at a provider is; later it is out of reach."},
    )
    most_per_org: int = field(
        default=200_000,
        metadata={
            "doc": "Objects of a kind that an org may have remembered, at about 200 bytes each; then the oldest go."
        },
    )
