"""What flyball.yaml says about findings."""

import re
from dataclasses import dataclass, field
from typing import Final

LEAST_BYTES: Final = 1024
MOST_BYTES: Final = 64 * 1024 * 1024
MOST_REMEMBERED: Final = 1_000_000
_REGION: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, kw_only=True)
class FindingsSettings:
    """How texts are searched for personal data, secrets and injected orders, where a rule asks for that."""

    max_bytes: int = field(
        default=4_194_304,
        metadata={"doc": "How many bytes of text of one request are looked at; what is beyond is told to rules."},
    )
    remembered: int = field(
        default=16_384,
        metadata={"doc": "Of how many texts a worker remembers what was found: agents send them again each turn."},
    )
    phone_regions: tuple[str, ...] = field(
        default=("US",),
        metadata={
            "doc": "Regions, two letters each, whose phone numbers are found without their country's code too; more of "
            "them find more that is none."
        },
    )

    def contradictions(self) -> list[str]:
        """What cannot be had, one sentence each."""
        found = []
        if not LEAST_BYTES <= self.max_bytes <= MOST_BYTES:
            found.append(
                f"policy.findings.max_bytes: must be from {LEAST_BYTES} to {MOST_BYTES}; it is {self.max_bytes}"
            )
        if not 0 <= self.remembered <= MOST_REMEMBERED:
            found.append(f"policy.findings.remembered: must be from 0 to {MOST_REMEMBERED}; it is {self.remembered}")
        wrong = [region for region in self.phone_regions if not _REGION.fullmatch(region)]
        if wrong:
            found.append(f"policy.findings.phone_regions: {wrong[0]!r} is no region; two letters, such as DE")
        return found
