"""How well targets answer, on the admin API."""

from datetime import UTC, datetime
from pathlib import Path

from proxy.app.admin import target_health
from proxy.core.clock import SetClock, SystemClock
from proxy.routing import Candidate, Ended, Health, HealthSettings, Sharing, SqliteHealthStore
from proxy.state import StateFile
from tests.unit.admin.admin_port import serving

ONE = Candidate("up", "m")


async def test_what_workers_tell_each_other_is_shown_together(tmp_path: Path) -> None:
    store = SqliteHealthStore(StateFile(tmp_path / "ledger.sqlite"), SystemClock())
    sick, well = (Health(HealthSettings(min_calls=4), SystemClock(), worker=name) for name in "ab")
    for kind, health in (("fault", sick), ("ok", well)):
        for _ in range(3):
            health.began(ONE)
            health.ended(ONE, Ended(kind, ttft_ms=100.0, took_ms=300.0))  # type: ignore[arg-type]
    sick.ended(ONE, Ended("limited", retry_after_s=20.0))
    well.began(ONE)
    for health in (sick, well):
        await Sharing(health, store).turn()
    (found,) = target_health(store)
    assert (found.provider, found.model, found.state, found.workers) == ("up", "m", "closed", {"closed": 2})
    assert (found.calls, found.faults, found.busy, found.ttft_ms) == (6, 3, 1, 100.0)
    assert 18 < found.cools_s <= 20
    sick.began(ONE)
    sick.ended(ONE, Ended("fault"))
    await Sharing(sick, store).turn()
    (found,) = target_health(store)
    assert (found.state, found.workers) == ("open", {"open": 1, "closed": 1})
    store.close()


def test_a_token_of_one_org_does_not_see_it(tmp_path: Path) -> None:
    with serving(tmp_path, SetClock(datetime(2026, 11, 30, tzinfo=UTC))) as port:
        port.tenants("acme")
        with port.person("ann", "viewer") as everywhere, port.person("bob", "owner", "acme") as bound:
            (shown,) = everywhere.get("/admin/v1/providers/health").json()["data"]
            assert (shown["provider"], shown["state"], shown["workers"]["closed"]) == ("openai", "open", 3)
            assert (shown["cooldown_s"], shown["ttft_ms"], shown["tokens_per_s"]) == (1.2, 412.3, None)
            assert bound.get("/admin/v1/providers/health").status_code == 403
