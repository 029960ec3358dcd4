"""The prices that are used stand in the store, entry by entry, once for each version of them."""

import json
from decimal import Decimal
from pathlib import Path

from proxy.app.price_post import PricePost
from proxy.core.clock import SystemClock
from proxy.pricing import PricingSettings, load_book
from proxy.pricing.settings import Adjustment
from proxy.telemetry.spool import Spool
from tests.contract.telemetry.collecting import CollectorProcess

OVERLAY = """
models:
  my-model:
    - {provider: here, input_usd_per_mtok: 0.123456789012, output_usd_per_mtok: 2, source: contract}
    - {provider: here, input_usd_per_mtok: 3, output_usd_per_mtok: 4, since: 2026-11-01, also: [mine],
       tool_fees_usd_per_1k_calls: {web_search: 10}}
"""


def test_each_version_is_told_once_and_whole(collector: CollectorProcess, tmp_path: Path) -> None:
    overlay = tmp_path / "prices.yaml"
    overlay.write_text(OVERLAY)
    adjusted = (Adjustment(provider="openai", model="gpt-5*", multiplier=Decimal("0.9")),)
    book = load_book(PricingSettings(overlay=overlay, adjustments=adjusted))
    opened = 0

    def spool() -> Spool:
        nonlocal opened
        opened += 1
        return Spool(collector.spool, f"prices-{opened}")

    post = PricePost(spool, tmp_path / "told.json", "embedded", SystemClock())
    post.tell(book)
    post.tell(book)
    assert opened == 1, "the same prices are not told again"
    PricePost(spool, tmp_path / "told.json", "elsewhere:8123", SystemClock()).tell(book)
    assert opened == 2, "another store knows nothing of them"
    collector.all_shipped()
    client, of = collector.client(), f"FROM price_book FINAL WHERE version = '{book.version}'"
    ((rows, models),) = client.query(f"SELECT count(), countIf(origin = 'book') {of}").result_rows
    assert (rows, models) == (len(list(book.listed())), len(list(book.entries())))
    told = client.query(
        "SELECT since, input_usd_per_mtok, output_usd_per_mtok, cache_read_usd_per_mtok, also, source, multiplier, more"
        f" {of} AND origin = 'overlay' AND provider = 'here' AND model = 'my-model' ORDER BY since"
    ).result_rows
    assert told[0] == ("", Decimal("0.123456789012"), 2, None, [], "contract", 1, "")
    assert told[1][:7] == ("2026-11-01", 3, 4, None, ["mine"], "", 1)
    assert json.loads(told[1][7]) == {"tool_fees_usd_per_1k_calls": {"web_search": "10"}}
    factors = client.query(f"SELECT DISTINCT model LIKE 'gpt-5%', multiplier {of} AND provider = 'openai'").result_rows
    assert set(factors) == {(1, Decimal("0.9")), (0, Decimal(1))}


def test_prices_that_could_not_be_written_are_told_again(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("no folder")
    mark = tmp_path / "told.json"
    PricePost(lambda: Spool(tmp_path / "spool", "p"), mark, "embedded", SystemClock()).tell(
        load_book(PricingSettings())
    )
    assert not mark.exists()
