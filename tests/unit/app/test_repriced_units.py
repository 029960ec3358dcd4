"""What a reprice makes of calls that were charged by image, second or character."""

from pathlib import Path
from typing import Any

from proxy.app.repricing import Kept, Repricer, Target
from proxy.core.money import Nano
from proxy.pricing import PricingSettings, load_book
from proxy.telemetry import CorrectionRow, RecordedCost, Used
from proxy.telemetry.corrections import NAMES

DEAR = "models: {m: {input_usd_per_mtok: 0, output_usd_per_mtok: 0, image_usd: {low: 0.02, any: 0.5}}}"


def recorded(units: dict[str, int]) -> RecordedCost:
    used = Used(
        provider="up", models=("m",), source="estimated", service_tier="", tokens={}, tool_calls={}, units=units
    )
    listed: dict[str, Any] = {"tags": {}, "ladder": [], "streamed": False, "status": 200}
    names: dict[str, Any] = {
        **dict.fromkeys(NAMES, "m"),
        "outcome": "ok",
        **{name: listed[name] for name in NAMES if name in listed},
    }
    return RecordedCost(
        operation_id="op_1",
        charged_ms=1_796_000_000_000,
        names=names,
        attempts=1,
        own=used,
        used=(used,),
        version="old",
        cost=Nano(30_000_000),
        list_cost=Nano(30_000_000),
        corrections=0,
    )


def test_images_are_priced_anew_and_an_unknown_unit_keeps_its_cost(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(DEAR)
    book = load_book(PricingSettings(overlay=tmp_path / "prices.yaml"))
    repricer = Repricer(Target(book=book), {"up": "openai"}, "dearer")
    found = repricer.correction(recorded({"image:low/1024x1024": 3}), 1)
    assert isinstance(found, CorrectionRow)
    assert found.delta_usd == "0.030000000"
    assert repricer.correction(recorded({"character": 9}), 1) is Kept.NO_PRICE
