"""What flyball.yaml says about findings."""

import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Final

LEAST_BYTES: Final = 1024
MOST_BYTES: Final = 64 * 1024 * 1024
MOST_REMEMBERED: Final = 1_000_000
MOST_CHARS: Final = 1_000_000
"""What a spaCy model takes at once."""
_ENTITY: Final = re.compile(r"[A-Z][A-Z_]{0,63}")
_NEED_A_MODEL: Final = frozenset({"PERSON", "LOCATION", "NRP", "ORGANIZATION"})
_FOUND_WITHOUT: Final = frozenset({"EMAIL_ADDRESS", "URL"})
"""Recognizers of Presidio's that look up the suffixes of domains in the network."""
_REGION: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, kw_only=True)
class PresidioSettings:
    """What Presidio looks for beside; nothing unless entities are named. Needs `flyball[presidio]`."""

    entities: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "Entities of Presidio that are looked for, such as PERSON, LOCATION or CRYPTO: kinds "
            "`presidio_person` and so on."
        },
    )
    model: str | None = field(
        default=None,
        metadata={
            "doc": "An installed spaCy model, which PERSON, LOCATION, NRP and ORGANIZATION need; never downloaded."
        },
    )
    language: str = field(default="en", metadata={"doc": "The language that the model and the recognizers are of."})
    min_score: float = field(default=0.5, metadata={"doc": "How sure Presidio must be, from 0 to 1."})
    max_chars: int = field(
        default=100_000,
        metadata={"doc": "The longest text that Presidio is given; a longer one counts as not looked at."},
    )

    def contradictions(self) -> list[str]:
        """What cannot be had, one sentence each."""
        if not self.entities:
            return []
        found = [f"policy.findings.presidio: {problem}" for problem in self.missing()]
        wrong = [entity for entity in self.entities if not _ENTITY.fullmatch(entity)]
        if wrong:
            found.append(
                f"policy.findings.presidio.entities: {wrong[0]!r} is no entity; they are written like CREDIT_CARD"
            )
        if known := sorted(_FOUND_WITHOUT & set(self.entities)):
            found.append(
                f"policy.findings.presidio.entities: {known[0]} is found without Presidio, or asks the network"
            )
        if self.model is None and (needy := sorted(_NEED_A_MODEL & set(self.entities))):
            found.append(f"policy.findings.presidio.model: {needy[0]} needs a spaCy model; name one that is installed")
        if not 0 <= self.min_score <= 1:
            found.append(f"policy.findings.presidio.min_score: must be from 0 to 1; it is {self.min_score}")
        if not 1 <= self.max_chars <= MOST_CHARS:
            found.append(f"policy.findings.presidio.max_chars: must be from 1 to {MOST_CHARS}; it is {self.max_chars}")
        return found

    def missing(self) -> list[str]:
        """What is needed and not installed; nothing is loaded for it."""
        if find_spec("presidio_analyzer") is None:
            return ["needs the `presidio-analyzer` package: install flyball[presidio]"]
        if self.model is not None and find_spec(self.model) is None:
            return [f"the spaCy model {self.model!r} is not installed, and models are never downloaded"]
        return []


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

    presidio: PresidioSettings = field(
        default=PresidioSettings(),
        metadata={"doc": "Microsoft Presidio as one more detector; off unless entities are named."},
    )

    def contradictions(self) -> list[str]:
        """What cannot be had, one sentence each."""
        found = self.presidio.contradictions()
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
