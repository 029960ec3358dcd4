"""The simulated provider's own bill and our price book come to the same nano-dollar."""

from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from proxy.core.money import Nano
from proxy.metering import normalise
from proxy.pricing import PricingSettings, load_book, price
from proxy.sim import SimServer
from proxy.wire.endpoint import Endpoint
from proxy.wire.profile import PROFILES

AT = datetime(2026, 11, 20, tzinfo=UTC)
LONG = " ".join(f"word{number}" for number in range(2000))
REQUESTS = [
    (Endpoint.CHAT, "chat/completions", {"model": "sim-large", "messages": [{"role": "user", "content": LONG}]}),
    (Endpoint.CHAT, "chat/completions", {"model": "sim-reasoner", "messages": [{"role": "user", "content": LONG}]}),
    (Endpoint.RESPONSES, "responses", {"model": "sim-small", "input": LONG}),
    (Endpoint.COMPLETIONS, "completions", {"model": "sim-small", "prompt": LONG}),
    (Endpoint.EMBEDDINGS, "embeddings", {"model": "sim-embed", "input": [LONG, "short"]}),
]


@pytest.mark.parametrize(("endpoint", "path", "body"), REQUESTS, ids=[path for _, path, _ in REQUESTS])
def test_our_price_of_its_usage_is_its_charge(
    client: httpx.Client, sim: SimServer, endpoint: Endpoint, path: str, body: dict[str, object]
) -> None:
    book, profile = load_book(PricingSettings()), PROFILES["sim"]
    total = Nano(0)
    for _ in range(2):  # the second time the prompt's beginning is cached
        answer = client.post(path, json=body).json()
        usage = normalise(
            msgspec.json.encode(answer["usage"]),
            arithmetic=profile.arithmetic,
            endpoint=endpoint,
            service_tier=answer.get("service_tier"),
            tool_calls={},
        )
        assert not usage.flaws
        rates = book.find(profile.price_provider, [answer["model"]], AT)
        assert rates is not None
        total = Nano(total + price(usage, rates, AT).cost)
    assert total == sim.provider.bill.cost > 0
