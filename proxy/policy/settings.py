"""What flyball.yaml says about policy (DESIGN §7)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """Where policies come from, and what it means that one cannot be evaluated."""

    url: str | None = field(default=None, metadata={"doc": "An OPA server; not available in this version."})
    dir: Path | None = field(
        default=None,
        metadata={
            "doc": "A folder of Rego (v1) and data that stands in the place of the starter library; "
            "data documents merge by path, as `opa run` does it."
        },
    )
    settings: Path | None = field(
        default=None,
        metadata={
            "doc": "A JSON file with `settings` for the starter library's rules: each rule waits until its own is set."
        },
    )
    base: Literal["flyball", "none"] = field(
        default="flyball",
        metadata={"doc": "Whether the grant to known principals is loaded beside `dir`; `none` leaves it out."},
    )
    on_failure: Literal["closed"] = field(
        default="closed", metadata={"doc": "What a policy that cannot be evaluated means; `closed` answers 503."}
    )

    def contradictions(self) -> list[str]:
        """What these settings ask for that cannot be had, one sentence each."""
        found = []
        if self.url is not None:
            found.append("policy.url: not available in this version; leave it unset for the engine in the process")
        if self.dir is not None and self.settings is not None:
            found.append("policy.settings: is for the starter library; put data documents into policy.dir")
        if self.dir is None and self.base == "none":
            found.append("policy.base: none leaves no grant at all without a policy.dir of your own")
        return found
