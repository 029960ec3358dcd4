"""The simulated models: how fast they are, how much they say and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class SimModel:
    """One simulated model. Times are medians in seconds, lengths medians in tokens, rates USD per million tokens."""

    name: str
    first_token_s: float
    tokens_per_s: float
    answer_tokens: int
    input_usd: Decimal
    cache_read_usd: Decimal
    output_usd: Decimal
    thinking_tokens: int = 0
    max_output: int = 16_384
    embeds: bool = False


def _model(name: str, prices: tuple[str, str, str], **speed: float) -> SimModel:
    fresh, cached, output = map(Decimal, prices)
    return SimModel(
        name=name,
        input_usd=fresh,
        cache_read_usd=cached,
        output_usd=output,
        first_token_s=speed["first_token_s"],
        tokens_per_s=speed["tokens_per_s"],
        answer_tokens=int(speed.get("answer_tokens", 0)),
        thinking_tokens=int(speed.get("thinking_tokens", 0)),
        embeds=not speed.get("answer_tokens"),
    )


_ALL: Final = (
    _model("sim-small", ("0.15", "0.075", "0.60"), first_token_s=0.30, tokens_per_s=110, answer_tokens=140),
    _model("sim-large", ("2.50", "1.25", "10.00"), first_token_s=0.60, tokens_per_s=65, answer_tokens=220),
    _model(
        "sim-reasoner",
        ("1.10", "0.275", "4.40"),
        first_token_s=0.50,
        tokens_per_s=120,
        answer_tokens=180,
        thinking_tokens=400,
    ),
    _model("sim-embed", ("0.02", "0.02", "0"), first_token_s=0.05, tokens_per_s=1),
)

MODELS: Final[Mapping[str, SimModel]] = MappingProxyType({model.name: model for model in _ALL})
"""Model name → model, in the order `/v1/models` lists them."""
