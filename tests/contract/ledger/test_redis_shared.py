"""Several hosts over one ledger in Redis."""

from pathlib import Path

from proxy.budget import Settled
from proxy.core.ids import new_id
from proxy.core.money import ZERO, Nano
from tests.contract.ledger.kinds import line, opened, request


async def test_who_settled_a_call_in_the_place_of_its_worker_is_told(tmp_path: Path) -> None:
    """Two hosts may find the same call lost, and its worker may come back: one of them has its row."""
    async with opened("redis", tmp_path) as first, opened("redis", tmp_path) as second:
        lost, ended = new_id("op"), new_id("op")
        for operation in (lost, ended):
            await first.hold(request(operation, 100, line(limit=1000)))
        assert not (await first.settle(lost, Nano(100), 1, by="sup_a")).already
        for ledger, by in ((second, "sup_b"), (second, ""), (first, "sup_a")):
            assert await ledger.settle(lost, Nano(100), 1, by=by) == Settled(True, ZERO, by="sup_a")
        await first.settle(ended, Nano(100), 1)
        assert await second.settle(ended, Nano(100), 1, by="sup_b") == Settled(True, ZERO)
