"""Prompts of a wanted length: an agent's standing instructions first, then something new."""

from functools import cache
from random import Random
from typing import Final

_WORDS: Final = (
    "order ticket customer please check the status of this invoice and write a short answer that names what we know so "
    "far our team needs plan report data market price change list risk open close next week review code test build note"
)
_INSTRUCTIONS: Final = 1152
"""Nine blocks of 128 tokens: enough for a provider's prompt cache to remember."""


@cache
def _instructions(agent: str) -> tuple[str, ...]:
    return tuple(Random(agent).choices(_WORDS.split(), k=_INSTRUCTIONS))


def prompt(agent: str, tokens: int, seed: int) -> str:
    """A prompt of so many words; long ones begin with the agent's instructions, which are always the same."""
    standing = _instructions(agent) if tokens > _INSTRUCTIONS else ()
    fresh = Random(seed).choices(_WORDS.split(), k=tokens - len(standing))
    return " ".join((*standing, *fresh))
