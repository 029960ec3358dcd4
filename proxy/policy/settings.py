"""What flyball.yaml says about policy (DESIGN §7)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """Where policies come from. This version enforces the starter grant only: known principals may call."""

    url: str | None = field(default=None, metadata={"doc": "An OPA server; not available in this version."})
    dir: Path | None = field(default=None, metadata={"doc": "A folder of Rego; not available in this version."})
    on_failure: Literal["closed"] = field(
        default="closed", metadata={"doc": "What a policy that cannot be evaluated means; `closed` answers 503."}
    )

    def contradictions(self) -> list[str]:
        """What these settings ask for that cannot be had, one sentence each."""
        return [
            f"policy.{name}: not available in this version, which enforces the starter grant only; leave it unset"
            for name in ("url", "dir")
            if getattr(self, name) is not None
        ]
