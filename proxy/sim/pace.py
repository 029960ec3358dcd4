"""How long the simulated models think and how fast they talk."""

from random import Random
from typing import Final

from proxy.sim.models import SimModel

_FIRST_SPREAD: Final = 0.35
_GAP_SPREAD: Final = 0.5
_PROMPT_TOKENS_PER_S: Final = 8000
_MEAN_OF_GAPS: Final = 1.1331484530668263
"""exp(0.5² / 2): what a lognormal with a median of one comes to on average."""


class Pace:
    """Waits in seconds, drawn from lognormal distributions around the model's medians; `speed` 0 means no waits."""

    def __init__(self, model: SimModel, chance: Random, speed: float) -> None:
        self._model = model
        self._chance = chance
        self._per_real_second = 1 / speed if speed > 0 else 0.0

    def before_first(self, prompt_tokens: int) -> float:
        """Until the model begins: a part of its own and a part for reading the prompt."""
        own = self._model.first_token_s * self._chance.lognormvariate(0, _FIRST_SPREAD)
        return (own + prompt_tokens / _PROMPT_TOKENS_PER_S) * self._per_real_second

    def before_next(self, tokens: int) -> float:
        """Until this many more tokens are there."""
        if not tokens:
            return 0.0
        gap = tokens / self._model.tokens_per_s
        return gap * self._chance.lognormvariate(0, _GAP_SPREAD) / _MEAN_OF_GAPS * self._per_real_second
