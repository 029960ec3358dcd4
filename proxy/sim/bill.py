"""What the simulated provider would charge: its own account, to hold another's against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from proxy.core.money import ZERO, Nano, rounded_half_even, to_usd_text
from proxy.sim.models import MODELS

_NANO_PER_TOKEN: Final = 1000
"""One USD per million tokens, in nano-dollars per token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """Tokens of one answered request: `cached` is part of `prompt`, `thinking` is part of `output`."""

    prompt: int
    cached: int = 0
    output: int = 0
    thinking: int = 0


@dataclass(slots=True)
class Account:
    """The sum of one model's requests; each is rounded to nano-dollars by itself, half to even."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Nano = ZERO

    def add(self, used: Used, cost: Nano) -> None:
        """Put one request on the account."""
        self.requests += 1
        self.prompt_tokens += used.prompt
        self.cached_tokens += used.cached
        self.output_tokens += used.output
        self.reasoning_tokens += used.thinking
        self.cost = Nano(self.cost + cost)


@dataclass(slots=True)
class Bill:
    """The accounts of all models."""

    accounts: dict[str, Account] = field(default_factory=dict)

    def charge(self, model: str, used: Used) -> None:
        """Charge one request's tokens to its model."""
        self.accounts.setdefault(model, Account()).add(used, cost_of(model, used))

    @property
    def cost(self) -> Nano:
        """Everything charged."""
        return Nano(sum(account.cost for account in self.accounts.values()))

    def as_json(self) -> Mapping[str, object]:
        """What `GET /sim/bill` answers; money as nano-dollars and as a decimal text."""
        models = {
            name: {
                "requests": account.requests,
                "prompt_tokens": account.prompt_tokens,
                "cached_tokens": account.cached_tokens,
                "output_tokens": account.output_tokens,
                "reasoning_tokens": account.reasoning_tokens,
                "cost_nano": account.cost,
                "cost_usd": to_usd_text(account.cost),
            }
            for name, account in self.accounts.items()
        }
        return {"models": models, "cost_nano": self.cost, "cost_usd": to_usd_text(self.cost)}


def cost_of(model: str, used: Used) -> Nano:
    """What one request costs at the model's own rates."""
    rates = MODELS[model]
    exact = (
        rates.input_usd * (used.prompt - used.cached)
        + rates.cache_read_usd * used.cached
        + rates.output_usd * used.output
    )
    return rounded_half_even(Decimal(exact) * _NANO_PER_TOKEN)
