"""Every call of the demo, decided before the first one is made."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, TypeAlias

from proxy.cli.demo.hour import Hour
from proxy.cli.demo.tenants import KEYS, DemoKey
from proxy.core.money import Nano
from proxy.sim.bill import Used, cost_of

Endpoint: TypeAlias = Literal["chat/completions", "responses", "embeddings"]

_STREAMED: Final = 0.6
_RESPONSES: Final = 0.2
_SHORTEST_CAP: Final = 256

# Of a hundred calls, about three meet one of these; a healthy day is not all green.
_TROUBLES: Final = (("529", 0.010), ("429=1", 0.008), ("cut=3000", 0.005), ("no-usage", 0.005))
_HANGS_UP: Final = 0.008


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedCall:
    """One call: when (seconds from the start), who, what, and what goes wrong with it on purpose."""

    at_s: float
    key: DemoKey
    agent: str
    run: str
    user: str
    model: str
    endpoint: Endpoint
    prompt_tokens: int
    output_tokens: int
    streamed: bool
    trouble: str = ""
    hangs_up: bool = False

    @property
    def max_tokens(self) -> int:
        """The limit it asks for: room to spare, as careful clients do."""
        return max(_SHORTEST_CAP, self.output_tokens * 3 // 2)


def plan(hour: Hour, *, calls: int, seconds: float, seed: int) -> list[PlannedCall]:
    """The whole demo in order of time; the same arguments make the same plan."""
    chance = Random(seed)
    return [_planned(at_s, hour, chance) for at_s in hour.moments(calls, seconds, chance)]


def cost_of_org(org: str, calls: Sequence[PlannedCall]) -> Nano:
    """What an org's calls would cost if none were refused, nothing went wrong and nothing was cached."""
    return Nano(sum(_cost(call) for call in calls if call.key.org == org))


def _cost(call: PlannedCall) -> int:
    return cost_of(call.model, Used(prompt=call.prompt_tokens, output=call.output_tokens))


def _planned(at_s: float, hour: Hour, chance: Random) -> PlannedCall:
    key = chance.choices(KEYS, [each.weight for each in KEYS])[0]
    models, weights = zip(*key.models, strict=True)
    model: str = chance.choices(models, weights)[0]
    prompt_tokens, output_tokens = hour.sizes(chance)
    agent = chance.choice(key.agents)
    embeds = model == "sim-embed"
    return PlannedCall(
        at_s=at_s,
        key=key,
        agent=agent,
        run=f"{key.org}-{agent}-{chance.randrange(40)}",
        user=f"u{chance.randrange(25)}",
        model=model,
        endpoint="embeddings" if embeds else "responses" if chance.random() < _RESPONSES else "chat/completions",
        prompt_tokens=prompt_tokens,
        output_tokens=0 if embeds else output_tokens,
        streamed=not embeds and chance.random() < _STREAMED,
        trouble="" if embeds else _trouble(chance),
        hangs_up=not embeds and chance.random() < _HANGS_UP,
    )


def _trouble(chance: Random) -> str:
    drawn = chance.random()
    for fault, share in _TROUBLES:
        if drawn < share:
            return fault
        drawn -= share
    return ""
