"""What can be set about the health of targets (flyball.yaml: `health`)."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class HealthSettings:
    """When a target is left alone, and how it comes back."""

    window_s: float = field(
        default=10.0, metadata={"doc": "Over how many past seconds the rates of errors and slow answers are taken."}
    )
    min_calls: int = field(
        default=8, metadata={"doc": "How many calls within that time there must be before a breaker opens."}
    )
    error_rate: float = field(
        default=0.5,
        metadata={
            "doc": "The share of failed calls from which on a target's breaker opens. Mistakes of the caller, prompts "
            "that are too long and content filters never count."
        },
    )
    slow_rate: float = field(default=0.8, metadata={"doc": "The same for slow calls."})
    slow_ttft_s: float = field(
        default=30.0, metadata={"doc": "A call is slow whose first output takes longer than this, in seconds."}
    )
    slow_tokens_per_s: float = field(
        default=1.0, metadata={"doc": "So is one that then writes fewer tokens a second, of 32 at least; 0: none is."}
    )
    pause_s: float = field(
        default=2.0, metadata={"doc": "How long an open breaker keeps calls away before it is tried again, in seconds."}
    )
    max_pause_s: float = field(
        default=6.0, metadata={"doc": "With each trial that fails the pause doubles, up to this many seconds."}
    )
    probes: int = field(
        default=2, metadata={"doc": "How many real calls try a target in one pause's time before it is open again."}
    )
    ramp_s: float = field(
        default=10.0,
        metadata={"doc": "For how long a target that is back gets a share only, growing from a tenth to all."},
    )
    cooldown_s: float = field(
        default=2.0,
        metadata={
            "doc": "How long a target is left alone after a 429 that does not say how long; doubling while they go on."
        },
    )
    max_cooldown_s: float = field(
        default=300.0, metadata={"doc": "The longest a target is left alone for what its 429s say, in seconds."}
    )


def health_problems(settings: HealthSettings) -> Iterator[tuple[str, str]]:
    """Key and what is wrong with it, of what cannot be meant so."""
    for key, share in (("error_rate", settings.error_rate), ("slow_rate", settings.slow_rate)):
        if not 0 < share <= 1:
            yield key, f"must be more than 0 and at most 1; it is {share:g}"
    for key, least in (("min_calls", settings.min_calls), ("probes", settings.probes)):
        if least < 1:
            yield key, f"must be at least 1; it is {least}"
    for key, span in (("window_s", settings.window_s), ("pause_s", settings.pause_s), ("ramp_s", settings.ramp_s)):
        if not span > 0:
            yield key, f"must be more than nothing; it is {span:g}"
    if settings.max_pause_s < settings.pause_s:
        yield "max_pause_s", f"must not be less than pause_s, {settings.pause_s:g}; it is {settings.max_pause_s:g}"
