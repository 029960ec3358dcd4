"""The page about the simulated provider tells what it does."""

from pathlib import Path

from proxy.sim.faults import known_faults
from proxy.sim.models import MODELS

PAGE = (Path(__file__).parents[3] / "docs" / "sim.md").read_text()


def test_every_fault_is_in_its_table() -> None:
    assert all(f"| `{fault}" in PAGE for fault in known_faults())


def test_every_model_is_there_with_its_prices() -> None:
    for model in MODELS.values():
        prices = f"{model.input_usd} / {model.cache_read_usd} / {model.output_usd}"
        assert any(f"`{model.name}`" in line and prices in line for line in PAGE.splitlines())
